//! One database: whom it lets in, over what, and what happens when its server goes away.

use core::time::Duration;
use std::panic;
use std::path::Path;

use claviger_crypto::Secret;
use claviger_model::Standing;
use claviger_store::contract::fixtures::{
    connection, credential, insert_servers, key, rows, server,
};
use claviger_store::{Guarded, Store as _, StoreError};
use claviger_store_postgres::{OpenError, PostgresStore, Settings};
use claviger_testkit::postgres::{self, Database, Server};

fn settings(database: &Database) -> Settings {
    let mut settings = Settings::new(Secret::new(database.url()));
    settings.owner_url = Some(Secret::new(database.owner_url()));
    settings
}

// Two nodes: what one writes the other sees, and its data version says so.
#[tokio::test]
async fn two_nodes_exclude_and_see_each_other() {
    let Some(database) = postgres::database() else {
        return;
    };
    let settings = settings(&database);
    let one = PostgresStore::connect(&settings).await.unwrap();
    let two = PostgresStore::connect(&settings).await.unwrap();
    insert_servers(&one, "t1").await;
    let key = key("linear");
    let before = two.data_version().await.unwrap();
    let standing = connection(&key, Standing::Connected);
    rows(&one)
        .replace_credential(&credential(&key, b"old"), &standing)
        .await
        .unwrap();
    assert_ne!(two.data_version().await.unwrap(), before);

    let held = rows(&one).acquire_lease(&key, "a", 600_000).await.unwrap();
    let refused = rows(&two).acquire_lease(&key, "b", 600_000).await.unwrap();
    assert_eq!(refused, None);
    let (ones, twos) = (rows(&one), rows(&two));
    let (mut first, mut second) = (credential(&key, b"1"), credential(&key, b"2"));
    (first.version, second.version) = (2, 2);
    let (first, second) = tokio::join!(
        ones.rotate_credential(b"old", &first, &standing),
        twos.rotate_credential(b"old", &second, &standing),
    );
    let written = [first.unwrap(), second.unwrap()];
    assert!(written.contains(&Guarded::Written(2)), "{written:?}");
    assert!(written.contains(&Guarded::Superseded), "{written:?}");
    let lease = held.unwrap();
    rows(&one).release_lease(&key, &lease).await.unwrap();
    let next = rows(&two).acquire_lease(&key, "b", 600_000).await.unwrap();
    assert_eq!(next.unwrap().epoch, lease.epoch + 1);
}

// F15 in small: the primary is killed under load and comes back. What was told written is there,
// what was not is told busy, and the same store goes on by itself.
#[tokio::test]
async fn f15_goes_on_after_the_server_was_killed() {
    let Some(server_of_its_own) = Server::start(&["fsync=on", "synchronous_commit=on"]) else {
        return;
    };
    let database = server_of_its_own.database();
    let mut settings = settings(&database);
    settings.acquire_timeout = Duration::from_millis(300);
    let store = PostgresStore::connect(&settings).await.unwrap();
    for round in 0..3 {
        let mut told = 0;
        for n in 0..8 {
            let name = format!("s{round}-{n}");
            rows(&store)
                .insert_server(&server("t1", &name))
                .await
                .unwrap();
            told += 1;
        }
        // Several idle connections, all of which die.
        let (a, b, c) = (rows(&store), rows(&store), rows(&store));
        let seen = tokio::join!(a.list_servers(), b.list_servers(), c.list_servers());
        assert_eq!(seen.0.unwrap().len(), told * (round + 1));
        server_of_its_own.crash();
        for _ in 0..2 {
            let refused = rows(&store).list_servers().await;
            assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
        }
        server_of_its_own.start_again();
        let kept = rows(&store).list_servers().await.unwrap();
        assert_eq!(kept.len(), told * (round + 1));
    }
}

// G3: the second fence does not exist for these roles, so they are not let in.
#[tokio::test]
async fn g3_refuses_roles_that_pass_the_fence() {
    let Some(database) = postgres::database() else {
        return;
    };
    let admin = Settings::new(Secret::new(database.admin_url()));
    let refused = PostgresStore::connect(&admin).await.unwrap_err();
    assert!(matches!(refused, OpenError::Unfenced { .. }), "{refused:?}");
    assert!(refused.to_string().contains("BYPASSRLS"), "{refused}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'claviger'";
    assert_eq!(database.query(schemas), "0");
}

// The role of the application can neither make nor change the schema, and says who can.
#[tokio::test]
async fn migrating_needs_the_owner() {
    let Some(database) = postgres::database() else {
        return;
    };
    let own = Settings::new(Secret::new(database.url()));
    let refused = PostgresStore::connect(&own).await.unwrap_err();
    assert!(matches!(refused, OpenError::Denied { .. }), "{refused:?}");
    assert!(refused.to_string().contains("owner"), "{refused}");
    PostgresStore::connect(&settings(&database)).await.unwrap();
    // Nothing is pending now, so that the owner is not needed any more.
    let store = PostgresStore::connect(&own).await.unwrap();
    insert_servers(&store, "t1").await;
    for sql in [
        "DROP TABLE servers",
        "ALTER TABLE servers DISABLE ROW LEVEL SECURITY",
        "UPDATE migrations SET version = 9",
        "CREATE TABLE more (id BIGINT)",
    ] {
        let may = format!("SET ROLE claviger_test_app; SET search_path = claviger; {sql}");
        let tried = panic::catch_unwind(|| database.query(&may));
        assert!(tried.is_err(), "{sql}");
    }
}

// One role for both is fenced as well, since the fence is forced on the owner too.
#[tokio::test]
async fn g3_one_role_for_both_is_fenced() {
    let Some(database) = postgres::database() else {
        return;
    };
    let one = Settings::new(Secret::new(database.owner_url()));
    let store = PostgresStore::connect(&one).await.unwrap();
    insert_servers(&store, "t1").await;
    let seen = |tenant: &str| {
        database.query(&format!(
            "SET ROLE claviger_test_owner; SET app.tenant = '{tenant}';
             SELECT count(*) FROM claviger.servers"
        ))
    };
    assert_eq!(seen(""), "0");
    assert_eq!(seen("?"), "0");
    assert_eq!(seen("t2"), "0");
    assert_eq!(seen("t1"), "2");
}

#[tokio::test]
async fn never_shows_the_password() {
    for url in [
        "canary-url",
        "postgres://a:canary-url@localhost:99999/b",
        "postgres://a:canary-url@localhost/b?sslmode=canary-url",
        "mysql://a:canary-url@localhost/b",
        "postgres://a:canary-url@127.0.0.1:1/b",
    ] {
        let mut settings = Settings::new(Secret::new(url));
        settings.acquire_timeout = Duration::from_millis(50);
        let refused = PostgresStore::connect(&settings).await.unwrap_err();
        let shown = format!("{refused} {refused:?} {settings:?}");
        assert!(!shown.contains("canary-url"), "{shown}");
    }
}

// TLS: `verify-full` accepts the right name under the right authority and nothing else.
#[tokio::test]
async fn verify_full_refuses_strangers() {
    let Some(server) = Server::start_on_loopback(&[]) else {
        return;
    };
    let database = server.database();
    let url = |host: &str, more: &str| {
        let (port, name) = (server.port(), database.name());
        let role = "claviger_test_owner";
        format!("postgres://{role}@{host}:{port}/{name}?sslmode=verify-full{more}")
    };
    let trusted = format!("&sslrootcert={}", Path::new(CA).display());
    let plain = try_to_connect(&url("127.0.0.1", &trusted)).await;
    assert!(
        matches!(plain, Err(OpenError::Untrusted { .. })),
        "{plain:?}"
    );

    let certificate = server.install("server.pem", PEER);
    let key = server.install("server.key", KEY);
    for sql in [
        format!(
            "ALTER SYSTEM SET ssl_cert_file = '{}'",
            certificate.display()
        ),
        format!("ALTER SYSTEM SET ssl_key_file = '{}'", key.display()),
        "ALTER SYSTEM SET ssl = on".to_owned(),
    ] {
        database.query(&sql);
    }
    server.crash();
    server.start_again();
    try_to_connect(&url("127.0.0.1", &trusted)).await.unwrap();
    let over = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
         WHERE a.application_name = 'claviger' AND NOT s.ssl";
    assert_eq!(database.query(over), "0");
    for (what, url) in [
        ("a stranger's authority", url("127.0.0.1", "")),
        ("another name", url("localhost", &trusted)),
    ] {
        let refused = try_to_connect(&url).await.map(drop);
        let untrusted = matches!(refused, Err(OpenError::Untrusted { .. }));
        assert!(untrusted, "{what}: {refused:?}");
    }
}

async fn try_to_connect(url: &str) -> Result<PostgresStore, OpenError> {
    PostgresStore::connect(&Settings::new(Secret::new(url))).await
}

const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../egress/tests/data/ca.pem");
const PEER: &[u8] = include_bytes!("../../egress/tests/data/peer.pem");
const KEY: &[u8] = include_bytes!("../../egress/tests/data/peer.key.pem");
