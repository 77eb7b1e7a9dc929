//! F38: the same suite behind `PgBouncer` in transaction mode, migrations included.

use claviger_crypto::Secret;
use claviger_store_postgres::{PostgresStore, Settings};
use claviger_testkit::postgres::{self, Bouncer, Database};

#[expect(clippy::unwrap_used, reason = "a part of tests")]
async fn make() -> Option<((Bouncer, Database), PostgresStore)> {
    let database = postgres::database()?;
    let bouncer = Bouncer::start(&database)?;
    let mut settings = Settings::new(Secret::new(bouncer.url()));
    settings.owner_url = Some(Secret::new(bouncer.owner_url()));
    let store = PostgresStore::connect(&settings).await.unwrap();
    Some(((bouncer, database), store))
}

claviger_store::contract_suite!(make);
