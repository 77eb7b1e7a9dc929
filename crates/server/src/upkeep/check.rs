//! `store check`: everything that is stored can be read, and everything sealed opens.

use std::sync::Arc;

use claviger_broker::{Broker, HoldError};
use claviger_config::Config;
use claviger_model::Server;
use claviger_store::StoreError;
use claviger_store_sqlite::{Depth, SqliteStore};
use serde::Serialize;

use super::rows::ServerRows;
use super::{OnProgress, Progress, UpkeepError};
use crate::doors::Doors;
use crate::open::{self, Absent, OpenError};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The database, for people.
    pub database: String,
    /// Keys that opened.
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
    /// What is damaged in a SQLite file, in its own words (F35).
    pub damage: Vec<String>,
    /// What does not open.
    pub broken: Vec<Broken>,
}

/// Something that does not open with the keys at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The slug of its server.
    pub server: String,
    /// Which.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Reads every row and opens everything sealed. Nothing is migrated on the way: a schema that is
/// behind is told and left as it is.
pub async fn check(config: &Config, on_progress: OnProgress<'_>) -> Result<Checked, UpkeepError> {
    let damage = look(config).await?;
    let doors = Doors::open(config, Vec::new())?;
    let (entropy, clock) = (Arc::clone(&doors.entropy), Arc::clone(&doors.clock));
    let opened = open::open(config, entropy, clock, Absent::Refuse).await?;
    let broker = doors.broker(config, &opened, None)?;
    let store = &opened.store;
    let keys = store.keys().list_keys().await.map_err(failed)?;
    let mut checked = Checked {
        database: opened.database.clone(),
        keys: keys.len(),
        damage,
        ..Checked::default()
    };
    for tenant in store.list_tenants().await.map_err(failed)? {
        let rows = store.tenant(&tenant);
        checked.api_tokens += rows.list_api_tokens().await.map_err(failed)?.len();
        checked.revocations += rows.list_revocations().await.map_err(failed)?.len();
        let servers = rows.list_servers().await.map_err(failed)?;
        let total = servers.len();
        for (done, server) in servers.into_iter().enumerate() {
            let of_server = ServerRows::read(&*rows, server).await.map_err(failed)?;
            one(&broker, &of_server, &mut checked).await?;
            on_progress(&Progress {
                server: of_server.server.slug.to_string(),
                done: done + 1,
                total,
            });
        }
    }
    Ok(checked)
}

/// The schema version and the pages, before anything is opened that would write.
async fn look(config: &Config) -> Result<Vec<String>, UpkeepError> {
    if config.store.url.is_some() {
        return postgres_as_is(config).await.map(|()| Vec::new());
    }
    let path = config.data_dir.join("claviger.db");
    if !path.exists() {
        // Said better by whoever opens it.
        return Ok(Vec::new());
    }
    let not_open = |source| OpenError::Database {
        path: path.clone(),
        source,
    };
    let found = SqliteStore::version_of(&path).await.map_err(not_open)?;
    let known = SqliteStore::known_version();
    if found < known {
        return Err(UpkeepError::Pending { found, known });
    }
    let damage = SqliteStore::find_damage(&path, Depth::Integrity).await;
    Ok(damage.map_err(not_open)?)
}

#[cfg(feature = "postgres")]
async fn postgres_as_is(config: &Config) -> Result<(), UpkeepError> {
    let store = open::postgres::connect_as_is(&config.store).await?;
    store.close().await;
    Ok(())
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "the same as with PostgreSQL")]
async fn postgres_as_is(_config: &Config) -> Result<(), UpkeepError> {
    Err(OpenError::NoPostgres.into())
}

async fn one(broker: &Broker, rows: &ServerRows, checked: &mut Checked) -> Result<(), UpkeepError> {
    let server = &rows.server;
    checked.servers += 1;
    checked.connections += rows.connections.len();
    checked.note(server, "its settings", broker.check_settings(server).await)?;
    for (row, _) in &rows.registrations {
        checked.registrations += 1;
        let what = format!("the registration at {}", row.issuer);
        checked.note(server, &what, broker.check_registration(server, row).await)?;
    }
    for row in &rows.credentials {
        checked.credentials += 1;
        let what = format!("the credential of {}", row.key.user);
        checked.note(server, &what, broker.check_credential(server, row).await)?;
    }
    Ok(())
}

impl Checked {
    /// Remembers what does not open. That the database does not answer says nothing about a row.
    fn note(
        &mut self,
        server: &Server,
        what: &str,
        opened: Result<(), HoldError>,
    ) -> Result<(), UpkeepError> {
        match opened {
            Ok(()) => {}
            Err(HoldError::Store { source }) => return Err(failed(source)),
            Err(error) => self.broken.push(Broken {
                server: server.slug.to_string(),
                what: what.to_owned(),
                why: causes(&error),
            }),
        }
        Ok(())
    }
}

/// An error and what led to it, in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn failed(source: StoreError) -> UpkeepError {
    UpkeepError::Store {
        place: "database",
        source,
    }
}
