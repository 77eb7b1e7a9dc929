//! Opening an installation: directory, key, database, vault.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use claviger_broker::Vault;
use claviger_config::Config;
use claviger_crypto::{Kek, base64url_encode};
use claviger_ports::{Clock, Entropy};
use claviger_store::Store;
use claviger_store_sqlite::SqliteStore;

pub use error::OpenError;

use crate::places::{Places, create_secret_file, read_secret_file};

mod error;
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
    kek: Kek,
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
        places: &places,
        entropy: &*entropy,
        absent,
        database: &database,
    };
    let pieces = if config.store.url.is_some() {
        shared(config, &key).await?
    } else {
        own(&key).await?
    };
    let vault = Vault::open(pieces.kek, pieces.store.keys(), entropy, clock)
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

/// SQLite in the data directory. The key comes first: a database without one opens never again.
async fn own(key: &KeyPlace<'_>) -> Result<Pieces, OpenError> {
    let path = &key.places.database;
    let has_data = fs::metadata(path).is_ok_and(|database| database.len() > 0);
    let (kek, is_first_start) = key.kek(has_data)?;
    let store = open_sqlite(path).await?;
    Ok(Pieces {
        store: Arc::new(store),
        kek,
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
    let (kek, is_first_start) = key.kek(!keys.is_empty())?;
    Ok(Pieces {
        store: Arc::new(store),
        kek,
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

/// Where the KEK is, and what to do without one.
struct KeyPlace<'a> {
    places: &'a Places,
    entropy: &'a dyn Entropy,
    absent: Absent,
    database: &'a str,
}

impl KeyPlace<'_> {
    fn read(&self) -> Result<Option<Kek>, OpenError> {
        let path = &self.places.key_file;
        let parse = |text| {
            Kek::parse(&text).map_err(|source| OpenError::KeyFile {
                path: path.clone(),
                source,
            })
        };
        read_secret_file(path)?.map(parse).transpose()
    }

    /// The KEK of the key file; a new one only where the database holds nothing yet.
    fn kek(&self, has_data: bool) -> Result<(Kek, bool), OpenError> {
        let path = &self.places.key_file;
        if !has_data && self.absent == Absent::Refuse {
            return Err(OpenError::NothingYet {
                place: self.database.to_owned(),
            });
        }
        if let Some(kek) = self.read()? {
            return Ok((kek, false));
        }
        // A207: a new key beside an old database would look like an empty vault.
        if has_data {
            return Err(OpenError::KeyFileMissing { path: path.clone() });
        }
        let unique = base64url_encode(&self.entropy.id_bytes());
        let new = Kek::new(self.entropy.key_bytes()).to_key_file();
        let is_made = create_secret_file(path, &new, &unique)?;
        // Another process may have been first; then its key counts.
        let kek = self.read()?;
        let kek = kek.ok_or_else(|| OpenError::KeyFileMissing { path: path.clone() })?;
        Ok((kek, is_made))
    }
}
