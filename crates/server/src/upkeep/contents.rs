//! What is in a database, and whether a sample of it opens with the keys at hand.

use std::collections::BTreeSet;

use claviger_broker::{Broker, HoldError};
use claviger_model::TenantId;
use claviger_store::{Store, StoreError, TenantStore};
use serde::Serialize;

use super::check::{Broken, causes};
use super::rows::ServerRows;
use super::{OnProgress, Progress, UpkeepError};

/// What was found in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The installation, a random id.
    pub cluster_id: Option<String>,
    /// How often it was restored.
    pub restore_epoch: u64,
    /// The ids of the KEKs that open it, in hexadecimal.
    pub kek_ids: Vec<String>,
    /// Tenants.
    pub tenants: usize,
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
    /// Revocations that are owed to issuers.
    pub revocations: usize,
    /// Sealed records that were opened to try the key.
    pub opened: usize,
    /// What of them does not open.
    pub broken: Vec<Broken>,
}

/// So many credentials of each tenant are opened. The seal of each is independent of the others,
/// and `store check` opens them all.
const SAMPLE: usize = 32;

/// More lines than these help nobody.
const MOST_BROKEN: usize = 20;

// === impl Contents ===

impl Contents {
    /// Counts everything, and opens a sample of every tenant.
    pub(super) async fn read(
        store: &dyn Store,
        broker: &Broker,
        on_progress: OnProgress<'_>,
    ) -> Result<Self, UpkeepError> {
        let mut contents = Self::default();
        let installation = store.installation().find_installation().await;
        if let Some(row) = installation.map_err(failed)? {
            contents.cluster_id = Some(row.id);
            contents.restore_epoch = row.restore_epoch;
        }
        let keys = store.keys().list_keys().await.map_err(failed)?;
        contents.keys = keys.len();
        let ids: BTreeSet<_> = keys.iter().map(|key| hex(&key.kek_id)).collect();
        contents.kek_ids = ids.into_iter().collect();
        for tenant in store.list_tenants().await.map_err(failed)? {
            contents.tenants += 1;
            contents.tenant(store, broker, &tenant, on_progress).await?;
        }
        if contents.opened == 0 && !contents.broken.is_empty() {
            let what = contents.broken.first().map(|one| one.why.clone());
            let what = what.unwrap_or_default();
            return Err(UpkeepError::NothingOpens { what });
        }
        Ok(contents)
    }

    async fn tenant(
        &mut self,
        store: &dyn Store,
        broker: &Broker,
        tenant: &TenantId,
        on_progress: OnProgress<'_>,
    ) -> Result<(), UpkeepError> {
        let rows = store.tenant(tenant);
        self.api_tokens += rows.list_api_tokens().await.map_err(failed)?.len();
        self.revocations += rows.list_revocations().await.map_err(failed)?.len();
        let servers = rows.list_servers().await.map_err(failed)?;
        let (total, mut left) = (servers.len(), SAMPLE);
        for (done, server) in servers.into_iter().enumerate() {
            let slug = server.slug.to_string();
            self.server(&*rows, broker, server, &mut left).await?;
            on_progress(&Progress {
                server: slug,
                done: done + 1,
                total,
            });
        }
        Ok(())
    }

    async fn server(
        &mut self,
        rows: &dyn TenantStore,
        broker: &Broker,
        server: claviger_model::Server,
        left: &mut usize,
    ) -> Result<(), UpkeepError> {
        let all = ServerRows::read(rows, server).await.map_err(failed)?;
        let server = &all.server;
        self.servers += 1;
        self.registrations += all.registrations.len();
        self.credentials += all.credentials.len();
        self.connections += all.connections.len();
        let opened = broker.check_settings(server).await;
        self.note(server.slug.as_str(), "its settings", opened)?;
        for (row, _) in all.registrations.iter().take(SAMPLE) {
            let what = format!("the registration at {}", row.issuer);
            let opened = broker.check_registration(server, row).await;
            self.note(server.slug.as_str(), &what, opened)?;
        }
        for row in all.credentials.iter().take(*left) {
            *left -= 1;
            let what = format!("the credential of {}", row.key.user);
            let opened = broker.check_credential(server, row).await;
            self.note(server.slug.as_str(), &what, opened)?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        server: &str,
        what: &str,
        opened: Result<(), HoldError>,
    ) -> Result<(), UpkeepError> {
        match opened {
            Ok(()) => self.opened += 1,
            Err(HoldError::Store { source }) => return Err(failed(source)),
            Err(error) if self.broken.len() < MOST_BROKEN => self.broken.push(Broken {
                server: server.to_owned(),
                what: what.to_owned(),
                why: causes(&error),
            }),
            Err(_) => {}
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        if write!(text, "{byte:02x}").is_err() {
            text.push('?');
        }
        text
    })
}

fn failed(source: StoreError) -> UpkeepError {
    UpkeepError::Store {
        place: "copy",
        source,
    }
}
