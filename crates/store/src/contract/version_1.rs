//! What becomes of a database that was made with the first schema.

use claviger_crypto::base64_encode;
use claviger_model::{Outcome, Standing};

use super::fixtures::{at, key, key_of, key_row, record, rows, server, tenant};
use crate::{SealedRow, Store, StoreError};

/// Plain statements of the first schema that make a row of every table; `blob` writes bytes.
pub fn statements(blob: fn(&[u8]) -> String) -> Vec<String> {
    let (sealed, loose) = (blob(&record(1, b"")), blob(b"loose"));
    let (value, bytes) = (base64_encode(&record(1, b"")), blob(b"bytes"));
    let start = at(0).as_secs();
    let mut all = Vec::new();
    for (tenant, id, auth) in [
        ("t1", "linear", "{\"type\":\"none\"}".to_owned()),
        (
            "t1",
            "up",
            format!(
                "{{\"type\":\"headers\",\"headers\":[{{\"name\":\"X\",\"sealed_value\":\"{value}\"}}]}}"
            ),
        ),
        ("t2", "linear", "{\"type\":\"none\"}".to_owned()),
    ] {
        all.push(format!(
            "INSERT INTO servers VALUES ('{tenant}', '{id}', '{id}', 'The {id}',
                 'https://{id}.example/mcp?x=1#y', '{auth}', 1, 0, {start}, {start} + 1)"
        ));
    }
    for (tenant, user, sealed) in [
        ("t1", "u1", &sealed),
        ("t1", "u2", &loose),
        ("t2", "u1", &sealed),
    ] {
        all.push(format!(
            "INSERT INTO credentials VALUES ('{tenant}', 'linear', '{user}', 'default', 3, {bytes},
                 'https://issuer.example', 'https://issuer.example/token', NULL, 'res', 'r1',
                 '[\"a\"]', '[]', {start}, NULL, 1, {sealed})"
        ));
    }
    all.extend(others(blob));
    all
}

fn others(blob: fn(&[u8]) -> String) -> Vec<String> {
    let (sealed, loose) = (blob(&record(1, b"")), blob(b"loose"));
    let (bytes, start) = (blob(b"bytes"), at(0).as_secs());
    let mut all = Vec::new();
    for (id, sealed, current) in [("r1", &sealed, 1), ("r2", &loose, 0)] {
        all.push(format!(
            "INSERT INTO registrations VALUES ('t1', '{id}', 'linear', 'https://issuer.example',
                 'dynamic', 'client', 'none', NULL, NULL, NULL, {sealed}, {current}, {start})"
        ));
    }
    for (id, user, sealed, outcome) in [
        ("i1", "u1", sealed.as_str(), "NULL"),
        ("i2", "u2", &blob(b""), "'denied'"),
    ] {
        let mac = blob(id.as_bytes());
        all.push(format!(
            "INSERT INTO sign_ins VALUES ('t1', '{id}', 'linear', '{user}', 'default', {mac},
                 {sealed}, {start}, {start} + 300, NULL, {outcome})"
        ));
    }
    all.push(format!(
        "INSERT INTO connections VALUES ('t1', 'linear', 'u1', 'default', 'connected', NULL, NULL,
             0, {start})"
    ));
    all.push("INSERT INTO leases VALUES ('t1', 'linear', 'u1', 'default', 'a', 4, 0)".to_owned());
    all.push(format!(
        "INSERT INTO api_tokens VALUES ('t1', 'p1', 'u1', 'laptop', {bytes}, NULL, {start}, NULL)"
    ));
    for (tenant, purpose) in [("", "mac"), ("t1", "tenant")] {
        let row = key_row(None, purpose, 1);
        let (kek, wrapped) = (blob(&row.kek_id), blob(&row.wrapped));
        all.push(format!(
            "INSERT INTO vault_keys VALUES ('{tenant}', '{purpose}', 1, {kek}, {wrapped}, {})",
            row.created_at.as_secs()
        ));
    }
    all
}

/// Everything reads as before; what is sealed hangs on its key, and nothing else does.
pub async fn check(store: &dyn Store) {
    let (rows, linear) = (rows(store), server("t1", "linear"));
    let servers = rows.list_servers().await.unwrap();
    assert_eq!(servers.len(), 2);
    assert_eq!(servers[0], linear);
    let keys = store.keys().list_keys().await.unwrap();
    assert_eq!(
        keys,
        [key_row(None, "mac", 1), key_row(Some("t1"), "tenant", 1)]
    );
    let held = rows.list_credentials(&linear.id).await.unwrap();
    let seen: Vec<_> = held.iter().map(|row| (row.version, &*row.sealed)).collect();
    assert_eq!(seen, [(3, &*record(1, b"")), (3, b"loose")]);
    assert_eq!(held[0].fingerprint, b"bytes");
    let found = rows.find_connection(&key("linear")).await.unwrap().unwrap();
    assert_eq!(found.standing, Standing::Connected);
    let clients = rows.list_registrations(&linear.id).await.unwrap();
    assert_eq!(clients.len(), 2);
    let current = rows.find_registration(&linear.id, &clients[0].issuer).await;
    assert_eq!(current.unwrap().as_ref(), Some(&clients[0]));
    let open = rows.take_sign_in(b"i1", at(1)).await.unwrap().unwrap();
    assert_eq!(open.sealed, record(1, b""));
    let denied = key_of("t1", "u2", "linear", "default");
    assert_eq!(rows.find_open_sign_in(&denied, at(1)).await.unwrap(), None);
    assert_eq!(store.locate(b"bytes").await.unwrap(), Some(tenant("t1")));
    let lease = rows.acquire_lease(&key("linear"), "b", 1000).await.unwrap();
    assert_eq!(lease.unwrap().epoch, 5);

    assert_eq!(rows.count_sealed_before(2).await.unwrap(), 4);
    let sealed = rows.list_sealed_before(2, 9).await.unwrap();
    let kinds = sealed.iter().map(|row| match row {
        SealedRow::Credential(row) => row.key.user.to_string(),
        SealedRow::Registration(row) => row.id.to_string(),
        SealedRow::Revocation(_) => "owed".to_owned(),
        SealedRow::Server(row) => row.id.to_string(),
        SealedRow::SignIn(row) => row.id.to_string(),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["u1", "r1", "up", "i1"]);
    // What names a key that was never there hangs on none, and still reads.
    let t2 = store.tenant(&tenant("t2"));
    assert_eq!(t2.count_sealed_before(2).await.unwrap(), 0);
    assert_eq!(t2.list_credentials(&linear.id).await.unwrap().len(), 1);
    let next = key_row(Some("t1"), "tenant", 2);
    store.keys().insert_key(&next).await.unwrap();
    let refused = store.keys();
    let refused = refused.delete_key(Some(&tenant("t1")), "tenant", 1).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    // And the rows are written as ever.
    assert!(rows.end_sign_in(&open.id, Outcome::Denied).await.unwrap());
    assert!(rows.delete_server(&linear.id).await.unwrap());
    assert_eq!(rows.count_sealed_before(2).await.unwrap(), 1);
}
