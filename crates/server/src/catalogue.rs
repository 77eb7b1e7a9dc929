//! The servers, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use claviger_model::{Server, ServerId, Slug, TenantId};
use claviger_store::{Store, StoreError};

/// Every enabled and disabled server, by tenant and slug.
#[derive(Debug, Default)]
pub(crate) struct MemoryCatalogue {
    servers: ArcSwap<HashMap<(TenantId, Slug), Arc<Server>>>,
}

impl MemoryCatalogue {
    /// Reads the servers anew; says whether any that was known is gone, or is another one now.
    pub(crate) async fn reload(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let tenant = TenantId::default_tenant();
        let rows = store.tenant(&tenant).list_servers().await?;
        let servers: HashMap<_, _> = rows
            .into_iter()
            .map(|server| {
                (
                    (server.tenant.clone(), server.slug.clone()),
                    Arc::new(server),
                )
            })
            .collect();
        let known = self.servers.load_full();
        let is_changed = known
            .iter()
            .any(|(name, server)| servers.get(name) != Some(server));
        self.servers.store(Arc::new(servers));
        Ok(is_changed)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.servers.load().len()
    }

    pub(crate) fn by_slug(&self, tenant: &TenantId, slug: &Slug) -> Option<Arc<Server>> {
        self.servers
            .load()
            .get(&(tenant.clone(), slug.clone()))
            .cloned()
    }

    pub(crate) fn by_id(&self, id: &ServerId) -> Option<Arc<Server>> {
        self.servers
            .load()
            .values()
            .find(|server| server.id == *id)
            .cloned()
    }
}

impl claviger_proxy::Catalogue for MemoryCatalogue {
    fn find(&self, tenant: &TenantId, slug: &Slug) -> Option<Arc<Server>> {
        self.by_slug(tenant, slug)
    }
}
