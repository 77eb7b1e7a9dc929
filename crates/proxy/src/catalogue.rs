//! The servers that exist, from memory.

use std::sync::Arc;

use claviger_model::{Server, Slug, TenantId};

/// Finds servers without waiting for anything; the program keeps it fresh.
pub trait Catalogue: Send + Sync + 'static {
    /// The server of that tenant under that name.
    fn find(&self, tenant: &TenantId, slug: &Slug) -> Option<Arc<Server>>;
}
