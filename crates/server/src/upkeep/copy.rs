//! `store copy`: everything of every tenant into an empty database, read back row by row.

use std::sync::Arc;

use claviger_config::Config;
use claviger_model::{ApiToken, KeyRow, TenantId};
use claviger_ports::system::{SystemClock, SystemEntropy};
use claviger_store::{Store, StoreError};
use serde::Serialize;

pub use super::target::CopyTo;

use super::rows::ServerRows;
use super::target::{Target, look};
use super::{OnProgress, Progress, UpkeepError};
use crate::open::{self, Absent, OpenError};
use crate::places::Places;
use crate::remote::Remote;

/// What was copied, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The database that was copied, for people.
    pub from: String,
    /// The target, for people.
    pub to: String,
    /// Whether nothing was written.
    pub is_dry_run: bool,
    /// Wrapped keys.
    pub keys: usize,
    /// API tokens.
    pub api_tokens: usize,
    /// Servers.
    pub servers: usize,
    /// Registrations.
    pub registrations: usize,
    /// Credentials.
    pub credentials: usize,
    /// Connections.
    pub connections: usize,
    /// Revocations that are still owed.
    pub revocations: usize,
    /// Entries of the audit log.
    pub audit_entries: usize,
}

/// Copies the configured database. It stays as it is; sign-ins in flight and leases, which live for
/// minutes, are not copied. A dry run counts, and writes nothing.
pub async fn copy(
    config: &Config,
    to: &CopyTo,
    is_dry_run: bool,
    on_progress: OnProgress<'_>,
) -> Result<Copied, UpkeepError> {
    let places = Places::prepare(&config.data_dir).map_err(OpenError::from)?;
    if Remote::find(&places.admin_socket).await.is_some() {
        let socket = places.admin_socket;
        return Err(UpkeepError::Serving { socket });
    }
    let place = look(config, to)?;
    let (entropy, clock) = (Arc::new(SystemEntropy), Arc::new(SystemClock));
    let opened = open::open(config, entropy, clock, Absent::Refuse).await?;
    let target = if is_dry_run {
        None
    } else {
        Some(Target::open(config, to).await?)
    };
    let mut work = Work {
        from: Arc::clone(&opened.store),
        to: target.as_ref().map(Target::store),
        copied: Copied {
            from: opened.database,
            to: place,
            is_dry_run,
            ..Copied::default()
        },
    };
    work.everything(on_progress).await?;
    let Work { from, to, copied } = work;
    drop((from, to));
    if let Some(target) = target {
        target.close().await?;
    }
    Ok(copied)
}

/// A copy under way; without a target it only counts.
pub(super) struct Work {
    pub(super) from: Arc<dyn Store>,
    pub(super) to: Option<Arc<dyn Store>>,
    pub(super) copied: Copied,
}

impl Work {
    /// Copies every row, reads it back, and refuses a source that changes meanwhile.
    pub(super) async fn everything(
        &mut self,
        on_progress: OnProgress<'_>,
    ) -> Result<(), UpkeepError> {
        let version = self.from.data_version().await.map_err(unread)?;
        let keys = self.from.keys().list_keys().await.map_err(unread)?;
        let every_tenant = self.from.list_tenants().await.map_err(unread)?;
        self.refuse_what_is_not_empty().await?;
        let (of_tenants, own): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|key| key.tenant.is_some());
        // First, since what is sealed hangs on them.
        self.keys(&of_tenants).await?;
        for tenant in &every_tenant {
            self.tenant(tenant, on_progress).await?;
        }
        self.audit().await?;
        self.installation().await?;
        // Last, so that a copy that broke off has no key that finds its rows.
        self.keys(&own).await?;
        // Somebody who refreshed meanwhile holds a token that is not in the copy (I30).
        if self.from.data_version().await.map_err(unread)? != version {
            return Err(UpkeepError::Changed);
        }
        Ok(())
    }

    async fn refuse_what_is_not_empty(&self) -> Result<(), UpkeepError> {
        let Some(to) = &self.to else { return Ok(()) };
        let mut is_empty = to.keys().list_keys().await.map_err(unwritten)?.is_empty();
        is_empty &= to.list_tenants().await.map_err(unwritten)?.is_empty();
        if is_empty {
            return Ok(());
        }
        Err(UpkeepError::NotEmpty {
            place: self.copied.to.clone(),
        })
    }

    async fn tenant(
        &mut self,
        tenant: &TenantId,
        on_progress: OnProgress<'_>,
    ) -> Result<(), UpkeepError> {
        let rows = self.from.tenant(tenant);
        let api_tokens = rows.list_api_tokens().await.map_err(unread)?;
        self.api_tokens(tenant, &api_tokens).await?;
        self.revocations(tenant).await?;
        let servers = rows.list_servers().await.map_err(unread)?;
        let total = servers.len();
        for (done, server) in servers.into_iter().enumerate() {
            let of_server = ServerRows::read(&*rows, server).await.map_err(unread)?;
            self.server(tenant, &of_server).await?;
            on_progress(&Progress {
                server: of_server.server.slug.to_string(),
                done: done + 1,
                total,
            });
        }
        Ok(())
    }

    async fn server(&mut self, tenant: &TenantId, rows: &ServerRows) -> Result<(), UpkeepError> {
        if let Some(to) = &self.to {
            let written = to.tenant(tenant);
            rows.write(&*written).await.map_err(unwritten)?;
            let found = written.find_server_by_id(&rows.server.id).await;
            let Some(server) = found.map_err(unwritten)? else {
                return Err(differs(format!("the server {}", rows.server.slug)));
            };
            let read_back = ServerRows::read(&*written, server).await;
            if let Some(what) = rows.difference(&read_back.map_err(unwritten)?) {
                return Err(differs(what));
            }
        }
        self.copied.servers += 1;
        self.copied.registrations += rows.registrations.len();
        self.copied.credentials += rows.credentials.len();
        self.copied.connections += rows.connections.len();
        Ok(())
    }

    async fn api_tokens(
        &mut self,
        tenant: &TenantId,
        tokens: &[ApiToken],
    ) -> Result<(), UpkeepError> {
        if let Some(to) = &self.to {
            let written = to.tenant(tenant);
            for token in tokens {
                written.insert_api_token(token).await.map_err(unwritten)?;
                let found = written.find_api_token(&token.mac).await;
                if found.map_err(unwritten)?.as_ref() != Some(token) {
                    return Err(differs(format!("the API token {}", token.name)));
                }
            }
        }
        self.copied.api_tokens += tokens.len();
        Ok(())
    }

    async fn keys(&mut self, keys: &[KeyRow]) -> Result<(), UpkeepError> {
        if let Some(to) = &self.to {
            for key in keys {
                to.keys().insert_key(key).await.map_err(unwritten)?;
            }
            let found = to.keys().list_keys().await.map_err(unwritten)?;
            let is_missing = |key: &KeyRow| !found.contains(key);
            if keys.iter().any(is_missing) {
                return Err(differs("its keys".to_owned()));
            }
        }
        self.copied.keys += keys.len();
        Ok(())
    }

    /// What is still owed to issuers.
    async fn revocations(&mut self, tenant: &TenantId) -> Result<(), UpkeepError> {
        let owed = self.from.tenant(tenant).list_revocations().await;
        let owed = owed.map_err(unread)?;
        if let Some(to) = &self.to {
            let written = to.tenant(tenant);
            for revocation in &owed {
                let inserted = written.insert_revocation(revocation).await;
                inserted.map_err(unwritten)?;
            }
            if written.list_revocations().await.map_err(unwritten)? != owed {
                return Err(differs("what is owed to issuers".to_owned()));
            }
        }
        self.copied.revocations += owed.len();
        Ok(())
    }

    /// The audit log, chain by chain.
    async fn audit(&mut self) -> Result<(), UpkeepError> {
        let heads = self.from.audit().list_chain_heads().await;
        for head in heads.map_err(unread)? {
            let mut after = 0;
            while after < head.seq {
                let Some(last) = self.part_of_chain(&head.chain, after).await? else {
                    break;
                };
                after = last;
            }
        }
        Ok(())
    }

    /// Some entries of one chain; answers the number of the last of them.
    async fn part_of_chain(&mut self, chain: &str, after: u64) -> Result<Option<u64>, UpkeepError> {
        let part = self.from.audit().list_chain(chain, after, PART).await;
        let part = part.map_err(unread)?;
        if let Some(to) = &self.to {
            let to = to.audit();
            to.append_audit(&part).await.map_err(unwritten)?;
            let written = to.list_chain(chain, after, PART).await;
            if written.map_err(unwritten)? != part {
                return Err(differs("its audit log".to_owned()));
            }
        }
        self.copied.audit_entries += part.len();
        Ok(part.last().map(|last| last.seq))
    }

    async fn installation(&self) -> Result<(), UpkeepError> {
        let own = self.from.installation().find_installation().await;
        let (Some(own), Some(to)) = (own.map_err(unread)?, &self.to) else {
            return Ok(());
        };
        let to = to.installation();
        to.insert_installation(&own).await.map_err(unwritten)?;
        if to.find_installation().await.map_err(unwritten)? == Some(own) {
            return Ok(());
        }
        Err(differs("its installation".to_owned()))
    }
}

/// So many entries of the audit log are copied at once.
const PART: u32 = 1000;

fn differs(what: String) -> UpkeepError {
    UpkeepError::Differs { what }
}

fn unread(source: StoreError) -> UpkeepError {
    UpkeepError::Store {
        place: "database",
        source,
    }
}

fn unwritten(source: StoreError) -> UpkeepError {
    UpkeepError::Store {
        place: "target",
        source,
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;
    use claviger_model::Standing;
    use claviger_store::contract::fixtures::{
        api_token, connection, credential, entry, installation, key_of, key_row, record,
        registration, revocation, server, tenant,
    };
    use claviger_store::{Audit, Changes, Cursor, Installations, Keys, TenantStore};
    use claviger_store_sqlite::SqliteStore;
    use tempfile::TempDir;

    use super::*;

    async fn new(home: &TempDir, name: &str) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&home.path().join(name)).await.unwrap())
    }

    /// One tenant with a server, two registrations that are not current and one that is.
    async fn fill(store: &dyn Store, tenant_name: &str, generation: u32) {
        let key = key_row(Some(tenant_name), "tenant", generation);
        store.keys().insert_key(&key).await.unwrap();
        let rows = store.tenant(&tenant(tenant_name));
        let token = api_token(tenant_name, &format!("token-{tenant_name}"));
        rows.insert_api_token(&token).await.unwrap();
        let server = server(tenant_name, "up");
        rows.insert_server(&server).await.unwrap();
        let id = server.id.as_str();
        for (name, issuer) in [("a", "one"), ("b", "one"), ("c", "two")] {
            let mut row = registration(id, name, issuer);
            row.tenant = tenant(tenant_name);
            rows.insert_registration(&row).await.unwrap();
            if name == "c" {
                rows.retire_registration(&row.id).await.unwrap();
            }
        }
        let key = key_of(tenant_name, "owner", id, "default");
        let mut held = credential(&key, b"fingerprint");
        held.version = 7;
        let connection = connection(&key, Standing::Connected);
        rows.replace_credential(&held, &connection).await.unwrap();
        // Sealed with the key above: it has to be there first (A208).
        let mut owed = revocation(&key, tenant_name);
        owed.sealed = record(generation, b"");
        rows.insert_revocation(&owed).await.unwrap();
        let entries: Vec<_> = (1..=1500)
            .map(|seq| {
                let mut entry = entry(tenant_name, seq);
                entry.tenant = Some(tenant(tenant_name));
                entry
            })
            .collect();
        store.audit().append_audit(&entries).await.unwrap();
    }

    fn work(from: &Arc<dyn Store>, to: &Arc<dyn Store>) -> Work {
        Work {
            from: Arc::clone(from),
            to: Some(Arc::clone(to)),
            copied: Copied::default(),
        }
    }

    #[tokio::test]
    async fn every_tenant_is_copied_with_exact_versions_and_current_registrations() {
        let home = TempDir::new().unwrap();
        let (from, to) = (new(&home, "from").await, new(&home, "to").await);
        fill(&*from, "default", 1).await;
        fill(&*from, "other", 3).await;
        let own = installation();
        from.installation().insert_installation(&own).await.unwrap();
        let mut work = work(&from, &to);
        let mut seen = Vec::new();
        work.everything(&mut |progress| seen.push(progress.clone()))
            .await
            .unwrap();
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert_eq!((work.copied.keys, work.copied.registrations), (2, 6));
        for name in ["default", "other"] {
            let (old, new) = (from.tenant(&tenant(name)), to.tenant(&tenant(name)));
            let server = server(name, "up");
            let before = ServerRows::read(&*old, server.clone()).await.unwrap();
            let after = ServerRows::read(&*new, server).await.unwrap();
            assert_eq!(before.difference(&after), None);
            let current = after.registrations.iter().map(|(_, current)| *current);
            assert_eq!(current.filter(|current| *current).count(), 1);
            assert_eq!(after.credentials[0].version, 7);
        }
        assert_eq!(
            (work.copied.revocations, work.copied.audit_entries),
            (2, 3000)
        );
        for name in ["default", "other"] {
            let owed = to.tenant(&tenant(name)).list_revocations().await.unwrap();
            assert_eq!(owed.len(), 1);
            let (old, new) = (from.audit(), to.audit());
            let chain = old.list_chain(name, 0, 9999).await.unwrap();
            assert_eq!(new.list_chain(name, 0, 9999).await.unwrap(), chain);
        }
        let found = to.installation().find_installation().await.unwrap();
        assert_eq!(found, Some(own));
        let keys = to.keys().list_keys().await.unwrap();
        assert_eq!(keys, from.keys().list_keys().await.unwrap());
    }

    #[tokio::test]
    async fn a_target_that_holds_anything_is_refused_and_left_alone() {
        let home = TempDir::new().unwrap();
        let (from, to) = (new(&home, "from").await, new(&home, "to").await);
        fill(&*from, "default", 1).await;
        let rows = to.tenant(&tenant("default"));
        rows.insert_server(&server("default", "mine"))
            .await
            .unwrap();
        let refused = work(&from, &to).everything(&mut |_| {}).await;
        assert!(matches!(refused, Err(UpkeepError::NotEmpty { .. })));
        assert_eq!(rows.list_servers().await.unwrap().len(), 1);
        assert!(to.keys().list_keys().await.unwrap().is_empty());
    }

    /// A database that somebody else writes to all the time.
    struct Restless(Arc<dyn Store>, AtomicI64);

    #[async_trait]
    impl Store for Restless {
        fn tenant(&self, tenant: &TenantId) -> Arc<dyn TenantStore> {
            self.0.tenant(tenant)
        }

        fn keys(&self) -> Arc<dyn Keys> {
            self.0.keys()
        }

        fn audit(&self) -> Arc<dyn Audit> {
            self.0.audit()
        }

        fn installation(&self) -> Arc<dyn Installations> {
            self.0.installation()
        }

        async fn locate(&self, mac: &[u8]) -> Result<Option<TenantId>, StoreError> {
            self.0.locate(mac).await
        }

        async fn list_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
            self.0.list_tenants().await
        }

        async fn list_changes(&self, since: Option<&Cursor>) -> Result<Changes, StoreError> {
            self.0.list_changes(since).await
        }

        async fn data_version(&self) -> Result<i64, StoreError> {
            Ok(self.1.fetch_add(1, Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn i30_a_source_that_changes_meanwhile_spoils_the_copy() {
        let home = TempDir::new().unwrap();
        let (from, to) = (new(&home, "from").await, new(&home, "to").await);
        fill(&*from, "default", 1).await;
        let restless: Arc<dyn Store> = Arc::new(Restless(from, AtomicI64::new(0)));
        let spoilt = work(&restless, &to).everything(&mut |_| {}).await;
        assert!(matches!(spoilt, Err(UpkeepError::Changed)), "{spoilt:?}");
    }
}
