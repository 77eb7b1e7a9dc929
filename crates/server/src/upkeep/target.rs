//! The database that a copy is written into.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_config::Config;
use claviger_store::Store;
use claviger_store_sqlite::SqliteStore;

use super::UpkeepError;
#[cfg(not(feature = "postgres"))]
use crate::open::OpenError;
use crate::open::open_sqlite;
#[cfg(feature = "postgres")]
use crate::open::postgres::connect;

/// Where a copy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyTo {
    /// The PostgreSQL database whose URL stands in this file.
    Postgres(PathBuf),
    /// A new SQLite file.
    Sqlite(PathBuf),
}

/// The target, open.
pub(crate) enum Target {
    #[cfg(feature = "postgres")]
    Postgres(claviger_store_postgres::PostgresStore),
    Sqlite(SqliteStore),
}

/// The target in words, if it may be one, with nothing written to it.
pub(crate) fn look(config: &Config, to: &CopyTo) -> Result<String, UpkeepError> {
    match to {
        CopyTo::Postgres(path) => {
            let settings = config.store.with_url_file(path);
            let settings = settings.map_err(|source| UpkeepError::UrlFile { source })?;
            Ok(settings.shown().unwrap_or_default())
        }
        CopyTo::Sqlite(path) => {
            let place = path.display().to_string();
            if fs::symlink_metadata(path).is_ok_and(|found| found.len() > 0) {
                return Err(UpkeepError::NotEmpty { place });
            }
            Ok(place)
        }
    }
}

impl Target {
    /// Opens the target and brings its schema up to date.
    pub(crate) async fn open(config: &Config, to: &CopyTo) -> Result<Self, UpkeepError> {
        look(config, to)?;
        match to {
            CopyTo::Postgres(path) => Self::open_postgres(config, path).await,
            CopyTo::Sqlite(path) => Ok(Self::Sqlite(open_sqlite(path).await?)),
        }
    }

    #[cfg(feature = "postgres")]
    async fn open_postgres(config: &Config, path: &Path) -> Result<Self, UpkeepError> {
        let settings = config.store.with_url_file(path);
        let settings = settings.map_err(|source| UpkeepError::UrlFile { source })?;
        let store = connect(&settings).await?;
        Ok(Self::Postgres(store))
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_async, reason = "the same as with PostgreSQL")]
    async fn open_postgres(_config: &Config, _path: &Path) -> Result<Self, UpkeepError> {
        Err(OpenError::NoPostgres.into())
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => Arc::new(store.clone()),
        }
    }

    /// Closes it: everything is in the file then, and nothing beside it.
    pub(crate) async fn close(self) -> Result<(), UpkeepError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => {
                store.close().await;
                Ok(())
            }
            Self::Sqlite(store) => {
                let closed = store.close().await;
                closed.map_err(|source| UpkeepError::Store {
                    place: "target",
                    source,
                })
            }
        }
    }
}
