//! Opening an installation: directory, key, database, vault.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use claviger_broker::{Keks, Vault};
use claviger_config::Config;
use claviger_ports::system::SystemEntropy;
use claviger_ports::{Clock, Entropy};
use claviger_store::Store;
use claviger_store_sqlite::SqliteStore;

pub use error::OpenError;
pub use kek::{KekError, make_key_file};

use crate::places::Places;
use kek::{KeyPlace, OfSystem};

mod error;
mod kek;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;

/// What is open.
pub(crate) struct Opened {
    pub(crate) places: Places,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    /// The database, for people.
    pub(crate) database: String,
    /// Whether other machines use the same database.
    pub(crate) is_shared: bool,
    pub(crate) is_first_start: bool,
}

/// What to do where there is nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// What the first start needs is made.
    Make,
    /// It is an error.
    Refuse,
}

/// The database and the key, before they have met.
struct Pieces {
    store: Arc<dyn Store>,
    keks: Keks,
    is_shared: bool,
    is_first_start: bool,
}

/// Opens the installation that `config` names.
pub(crate) async fn open(
    config: &Config,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    absent: Absent,
) -> Result<Opened, OpenError> {
    let places = Places::prepare(&config.data_dir)?;
    let shown = config.store.shown();
    let database = shown.unwrap_or_else(|| places.database.display().to_string());
    let key = KeyPlace {
        settings: &config.keys,
        places: &places,
        entropy: &*entropy,
        absent,
        database: &database,
        keyring: &OfSystem,
    };
    let pieces = if config.store.url.is_some() {
        shared(config, &key).await?
    } else {
        own(&key).await?
    };
    let vault = Vault::open(pieces.keks, pieces.store.keys(), entropy, clock)
        .await
        .map_err(|source| OpenError::Vault { source })?;
    Ok(Opened {
        places,
        store: pieces.store,
        vault: Arc::new(vault),
        database,
        is_shared: pieces.is_shared,
        is_first_start: pieces.is_first_start,
    })
}

/// The KEKs alone, for what is verified without a database.
pub(crate) fn keks(config: &Config) -> Result<Keks, OpenError> {
    let places = Places::prepare(&config.data_dir)?;
    let key = KeyPlace {
        settings: &config.keys,
        places: &places,
        entropy: &SystemEntropy,
        absent: Absent::Refuse,
        database: "the log",
        keyring: &OfSystem,
    };
    Ok(key.keks(true)?.0)
}

/// Opens a copy of a database with the key of this installation, and makes none.
pub(crate) async fn open_copy(
    config: &Config,
    store: Arc<dyn Store>,
    database: String,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
) -> Result<Opened, OpenError> {
    let places = Places::prepare(&config.data_dir)?;
    let key = KeyPlace {
        settings: &config.keys,
        places: &places,
        entropy: &*entropy,
        absent: Absent::Refuse,
        database: &database,
        keyring: &OfSystem,
    };
    let (keks, _) = key.keks(true)?;
    let vault = Vault::open(keks, store.keys(), entropy, clock)
        .await
        .map_err(|source| OpenError::Vault { source })?;
    Ok(Opened {
        places,
        store,
        vault: Arc::new(vault),
        database,
        is_shared: false,
        is_first_start: false,
    })
}

/// SQLite in the data directory. The key comes first: a database without one opens never again.
async fn own(key: &KeyPlace<'_>) -> Result<Pieces, OpenError> {
    let path = &key.places.database;
    let has_data = fs::metadata(path).is_ok_and(|database| database.len() > 0);
    let (keks, is_first_start) = key.keks(has_data)?;
    let store = open_sqlite(path).await?;
    Ok(Pieces {
        store: Arc::new(store),
        keks,
        is_shared: false,
        is_first_start,
    })
}

#[cfg(feature = "postgres")]
async fn shared(config: &Config, key: &KeyPlace<'_>) -> Result<Pieces, OpenError> {
    // A key file that cannot be used is said before anybody is connected to.
    key.read()?;
    let store = postgres::connect(&config.store).await?;
    let keys = store.keys().list_keys().await;
    let keys = keys.map_err(|source| OpenError::Store { source })?;
    let (keks, is_first_start) = key.keks(!keys.is_empty())?;
    Ok(Pieces {
        store: Arc::new(store),
        keks,
        is_shared: true,
        is_first_start,
    })
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "the same as with PostgreSQL")]
async fn shared(_config: &Config, _key: &KeyPlace<'_>) -> Result<Pieces, OpenError> {
    Err(OpenError::NoPostgres)
}

/// Opens or makes a SQLite database.
pub(crate) async fn open_sqlite(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path)
        .await
        .map_err(|source| OpenError::Database {
            path: path.to_owned(),
            source,
        })
}
