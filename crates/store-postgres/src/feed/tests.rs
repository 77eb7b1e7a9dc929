//! The feed beside transactions that take their time.

use claviger_crypto::Secret;
use claviger_model::{CredentialKey, Standing};
use claviger_store::contract::fixtures::{
    connection, credential, insert_servers, key, key_of, key_row, record, rows, server, tenant,
};
use claviger_store::{Change, Cursor, Store as _, StoreError};
use claviger_testkit::postgres::{self, Database};
use sqlx::query;

use crate::pool::Scope;
use crate::queries::{changes, credentials};
use crate::{PostgresStore, Settings};

async fn fresh() -> Option<(Database, PostgresStore)> {
    let database = postgres::database()?;
    let mut settings = Settings::new(Secret::new(database.url()));
    settings.owner_url = Some(Secret::new(database.owner_url()));
    let store = PostgresStore::connect(&settings).await.unwrap();
    insert_servers(&store, "t1").await;
    Some((database, store))
}

fn change(key: &CredentialKey) -> Change {
    Change::Credential(key.clone(), None)
}

// Whoever began first may commit last: its change was not there when a later one was told.
#[tokio::test]
async fn tells_what_becomes_visible_out_of_order() {
    let Some((_database, store)) = fresh().await else {
        return;
    };
    let own = tenant("t1");
    let keys = ["u1", "u2"].map(|user| key_of("t1", user, "linear", "default"));
    let begun = store.list_changes(None).await.unwrap().cursor;
    let mut first = store.pool.write(Scope::Tenant(&own)).await.unwrap();
    changes::insert(&mut first, changes::row(&change(&keys[0])))
        .await
        .unwrap();
    let mut second = store.pool.write(Scope::Tenant(&own)).await.unwrap();
    changes::insert(&mut second, changes::row(&change(&keys[1])))
        .await
        .unwrap();
    let third = server("t1", "third");
    rows(&store).insert_server(&third).await.unwrap();
    let read = store.list_changes(Some(&begun)).await.unwrap();
    assert_eq!(read.changes, [Change::Server(own.clone(), third.id)]);
    second.commit().await.unwrap();
    let read = store.list_changes(Some(&read.cursor)).await.unwrap();
    assert_eq!(read.changes, [change(&keys[1])]);
    first.commit().await.unwrap();
    let read = store.list_changes(Some(&read.cursor)).await.unwrap();
    assert_eq!(read.changes, [change(&keys[0])]);
    let read = store.list_changes(Some(&read.cursor)).await.unwrap();
    assert_eq!((read.is_everything, read.changes), (false, vec![]));
}

// A cursor from before the last minutes, of another run of the server, or with a snapshot that is
// none: anything may have changed.
#[tokio::test]
async fn refuses_cursors_it_cannot_go_on_from() {
    let Some((_database, store)) = fresh().await else {
        return;
    };
    let own = store.list_changes(None).await.unwrap().cursor;
    let [at, snapshot, server]: [&str; 3] =
        own.0.splitn(3, '/').collect::<Vec<_>>().try_into().unwrap();
    let at: i64 = at.parse().unwrap();
    for (at, snapshot, server, is_everything) in [
        (at - 400, snapshot, server, false),
        (at - 481, snapshot, server, true),
        (at + 100, snapshot, server, true),
        (at, "nonsense", server, true),
        (at, "9:1:", server, true),
        (at, snapshot, "1-2-another", true),
    ] {
        let cursor = Cursor(format!("{at}/{snapshot}/{server}"));
        let read = store.list_changes(Some(&cursor)).await.unwrap();
        assert_eq!(read.is_everything, is_everything, "{cursor:?}");
    }
}

#[tokio::test]
async fn forgets_what_is_old() {
    let Some((database, store)) = fresh().await else {
        return;
    };
    let count = "SELECT count(*) FROM claviger.changes";
    assert_eq!(database.query(count), "2");
    database.query("UPDATE claviger.changes SET at = at - 601");
    insert_servers(&store, "t2").await;
    let mut cursor = store.list_changes(None).await.unwrap().cursor;
    for _ in 0..super::EVERY {
        cursor = store.list_changes(Some(&cursor)).await.unwrap().cursor;
    }
    assert_eq!(database.query(count), "2");
}

// A208: somebody seals with a key while it is dropped. Whoever comes first wins, and no row is left
// that nobody can open.
#[tokio::test]
async fn a208_a_key_is_not_dropped_under_a_writer() {
    let Some((_database, store)) = fresh().await else {
        return;
    };
    let own = tenant("t1");
    for generation in [1, 2] {
        let row = key_row(Some("t1"), "tenant", generation);
        store.keys().insert_key(&row).await.unwrap();
    }
    let mut held = credential(&key("linear"), b"a");
    held.sealed = record(1, b"");
    let mut writer = store.pool.write(Scope::Tenant(&own)).await.unwrap();
    credentials::replace(&mut writer, &own, credentials::row(&held).unwrap())
        .await
        .unwrap();
    let keys = store.keys();
    let mut deleting = Box::pin(keys.delete_key(Some(&own), "tenant", 1));
    // It waits for the writer.
    let waiting = async {
        let mut seen = store.pool.read(Scope::Nobody).await.unwrap();
        loop {
            let blocked =
                query("SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()");
            let blocked = blocked.fetch_optional(&mut seen).await.unwrap();
            if blocked.is_some() {
                break;
            }
        }
    };
    tokio::select! {
        done = &mut deleting => panic!("{done:?}"),
        () = waiting => {}
    }
    writer.commit().await.unwrap();
    let refused = deleting.await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    // The other way round: the key is gone when the writer comes.
    let standing = connection(&held.key, Standing::NeedsSignIn);
    let ended = rows(&store)
        .end_credential(&held.key, b"a", &standing)
        .await;
    ended.unwrap();
    assert!(keys.delete_key(Some(&own), "tenant", 1).await.unwrap());
    let refused = rows(&store).replace_credential(&held, &standing).await;
    assert!(refused.is_err());
}
