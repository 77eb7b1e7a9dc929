//! `store migrate`: bring the schema up to date, and nothing else.

use claviger_config::Config;

use super::UpkeepError;
#[cfg(feature = "postgres")]
use crate::open::postgres::connect;
use crate::open::{OpenError, open_sqlite};
use crate::places::Places;

/// A database whose schema is up to date now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The database, for people.
    pub database: String,
}

/// Brings the schema up to date, in PostgreSQL as its owner where one is named. No key is needed.
pub async fn migrate(config: &Config) -> Result<Migrated, UpkeepError> {
    let Some(database) = config.store.shown() else {
        let places = Places::prepare(&config.data_dir).map_err(OpenError::from)?;
        if !places.database.exists() {
            let place = places.database.display().to_string();
            return Err(OpenError::NothingYet { place }.into());
        }
        let store = open_sqlite(&places.database).await?;
        store.close().await.map_err(|source| UpkeepError::Store {
            place: "database",
            source,
        })?;
        return Ok(Migrated {
            database: places.database.display().to_string(),
        });
    };
    in_postgres(config).await?;
    Ok(Migrated { database })
}

#[cfg(feature = "postgres")]
async fn in_postgres(config: &Config) -> Result<(), UpkeepError> {
    let store = connect(&config.store).await?;
    store.close().await;
    Ok(())
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "the same as with PostgreSQL")]
async fn in_postgres(_config: &Config) -> Result<(), UpkeepError> {
    Err(OpenError::NoPostgres.into())
}
