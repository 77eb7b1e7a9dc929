//! The suite every backend passes.

use claviger_crypto::Secret;
use claviger_store_postgres::{PostgresStore, Settings};
use claviger_testkit::postgres::{self, Database};

#[expect(clippy::unwrap_used, reason = "a part of tests")]
async fn make() -> Option<(Database, PostgresStore)> {
    let database = postgres::database()?;
    let mut settings = Settings::new(Secret::new(database.url()));
    settings.owner_url = Some(Secret::new(database.owner_url()));
    let store = PostgresStore::connect(&settings).await.unwrap();
    Some((database, store))
}

claviger_store::contract_suite!(make);
