//! PostgreSQL, as the configuration names it.

use core::time::Duration;

use claviger_config::StoreSettings;
use claviger_store_postgres::{OpenError as PostgresError, PostgresStore, Replacement, Settings};

use super::OpenError;

/// Connects, and brings the schema up to date.
pub(crate) async fn connect(settings: &StoreSettings) -> Result<PostgresStore, OpenError> {
    let place = settings.shown().unwrap_or_default();
    let failed = |source| OpenError::Postgres { place, source };
    match of(settings) {
        Some(settings) => PostgresStore::connect(&settings).await.map_err(failed),
        None => Err(failed(PostgresError::Url)),
    }
}

/// Connects to what is there, and migrates nothing.
pub(crate) async fn connect_as_is(settings: &StoreSettings) -> Result<PostgresStore, OpenError> {
    let place = settings.shown().unwrap_or_default();
    let failed = |source| OpenError::Postgres { place, source };
    match of(settings) {
        Some(settings) => PostgresStore::connect_as_is(&settings)
            .await
            .map_err(failed),
        None => Err(failed(PostgresError::Url)),
    }
}

/// Whether anybody else works on the database.
pub(crate) async fn is_in_use(settings: &StoreSettings) -> Result<bool, OpenError> {
    let place = settings.shown().unwrap_or_default();
    let failed = |source| OpenError::Postgres { place, source };
    match of(settings) {
        Some(settings) => PostgresStore::is_in_use(&settings).await.map_err(failed),
        None => Err(failed(PostgresError::Url)),
    }
}

/// Begins a database that is to take the place of the one that is there.
pub(crate) async fn begin_replacement(settings: &StoreSettings) -> Result<Replacement, OpenError> {
    let place = settings.shown().unwrap_or_default();
    let failed = |source| OpenError::Postgres { place, source };
    match of(settings) {
        Some(settings) => PostgresStore::begin_replacement(&settings)
            .await
            .map_err(failed),
        None => Err(failed(PostgresError::Url)),
    }
}

fn of(settings: &StoreSettings) -> Option<Settings> {
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let mut answer = Settings::new(settings.url.clone()?);
    answer.owner_url.clone_from(&settings.owner_url);
    answer.max_connections = settings.max_connections;
    answer.acquire_timeout = seconds(settings.acquire_timeout_s);
    answer.statement_timeout = seconds(settings.statement_timeout_s);
    answer.lock_timeout = seconds(settings.lock_timeout_s);
    Some(answer)
}
