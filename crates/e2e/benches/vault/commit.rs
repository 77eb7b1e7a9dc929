//! What a refresh writes: the sealed answer behind its fingerprint, how the connection stands, what
//! other nodes must hear of, and the entry of the audit log, in one transaction.

use anyhow::{Context as _, Result, ensure};
use claviger_broker::{Act, Came, Note};
use claviger_crypto::{Context, SealedFor};
use claviger_model::{Connection, Credential, Standing};
use claviger_ports::Entropy as _;
use claviger_ports::system::SystemEntropy;
use claviger_store::Guarded;
use tokio::sync::Mutex;

use crate::house::{House, user};

/// One credential that is refreshed again and again.
pub(crate) struct Refresher<'a> {
    house: &'a House,
    row: Credential,
    connection: Connection,
}

/// One for each worker.
pub(crate) struct Refreshers<'a>(Vec<Mutex<Refresher<'a>>>);

/// As long as what the broker seals: two tokens and where they go.
const PLAIN: [u8; 1_000] = [b'x'; 1_000];

// === impl Refresher ===

impl<'a> Refresher<'a> {
    /// On a row of its own, beside those that are read.
    pub(crate) async fn new(house: &'a House, number: u32) -> Result<Self> {
        let rows = house.store.tenant(&house.server.tenant);
        let template = rows.find_credential(&house.key(&house.users()[0])).await?;
        let mut row = template.context("nothing is stored")?;
        row.key.user = user(1_000_000 + number)?;
        row.version = 0;
        row.is_refreshable = true;
        let connection = Connection {
            key: row.key.clone(),
            standing: Standing::Connected,
            reason: None,
            challenge: None,
            step_ups: 0,
            updated_at: row.obtained_at,
        };
        let mut refresher = Self {
            house,
            row,
            connection,
        };
        if let Some(stored) = rows.find_credential(&refresher.row.key).await? {
            refresher.row = stored;
            return Ok(refresher);
        }
        refresher.answer().await?;
        let (row, connection) = (&refresher.row, &refresher.connection);
        rows.replace_credential(row, connection).await?;
        Ok(refresher)
    }

    pub(crate) async fn several(house: &'a House, count: u32) -> Result<Refreshers<'a>> {
        let mut several = Vec::new();
        for number in 0..count {
            several.push(Mutex::new(Self::new(house, number).await?));
        }
        Ok(Refreshers(several))
    }

    /// Stores another answer of the issuer, as the flight of a refresh does.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        let sent = self.row.fingerprint.clone();
        self.answer().await?;
        let (house, row) = (self.house, &self.row);
        let note = Note::credential(Act::CredentialRefresh, &house.server, &row.key)
            .came(Came::Ok)
            .with("version", row.version);
        let (draft, rows) = house.audit.change(&row.key.tenant, note).await?;
        let written = rows.rotate_credential(&sent, row, &self.connection).await;
        let written = draft.settle(written)?;
        ensure!(written == Guarded::Written(row.version), "{written:?}");
        Ok(())
    }

    async fn answer(&mut self) -> Result<()> {
        let row = &mut self.row;
        row.version += 1;
        row.fingerprint = SystemEntropy.key_bytes().to_vec();
        let context = Context::new(SealedFor::Credential)
            .at("credentials", "sealed")
            .tenant(row.key.tenant.as_str())
            .user(row.key.user.as_str())
            .version(row.version);
        let vault = &self.house.vault;
        row.sealed = vault.seal(&row.key.tenant, &context, &PLAIN).await?;
        Ok(())
    }
}

// === impl Refreshers ===

impl Refreshers<'_> {
    pub(crate) async fn refresh(&self, call: usize) -> Result<()> {
        let one = &self.0[call % self.0.len()];
        one.lock().await.refresh().await
    }
}
