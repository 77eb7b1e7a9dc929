//! What changing a key promises: what is sealed with which, and what keeps it.

use claviger_crypto::base64_encode;
use claviger_model::{
    Auth, Credential, HeaderTemplate, OauthSettings, Outcome, Server, SignIn, Standing,
};

use super::fixtures::{
    connection, credential, insert_servers, key, key_of, key_row, record, registration, revocation,
    rows, server, sign_in, tenant,
};
use crate::{Guarded, SealedRow, Store, StoreError, TenantStore};

async fn insert_keys(store: &dyn Store, generations: &[u32]) {
    for generation in generations {
        let row = key_row(Some("t1"), "tenant", *generation);
        store.keys().insert_key(&row).await.unwrap();
    }
}

fn sealed_server(name: &str, values: &[Vec<u8>]) -> Server {
    let headers = values.iter().enumerate().map(|(at, value)| HeaderTemplate {
        name: format!("X-{at}"),
        sealed_value: base64_encode(value),
    });
    let mut server = server("t1", name);
    server.auth = Auth::Headers {
        headers: headers.collect(),
    };
    server
}

/// One row of every kind, each sealed with the first generation.
async fn fill(store: &dyn Store) -> [SealedRow; 5] {
    insert_keys(store, &[1]).await;
    insert_servers(store, "t1").await;
    let (rows, key) = (rows(store), key("linear"));
    let mut held = credential(&key, b"a");
    held.sealed = record(1, b"credential");
    let standing = connection(&key, Standing::Connected);
    rows.replace_credential(&held, &standing).await.unwrap();
    let mut client = registration("linear", "r1", "https://issuer.example");
    client.sealed = record(1, b"client");
    rows.insert_registration(&client).await.unwrap();
    let mut owed = revocation(&key, "o1");
    owed.sealed = record(1, b"owed");
    rows.insert_revocation(&owed).await.unwrap();
    let up = sealed_server("up", &[record(1, b"x"), record(1, b"y")]);
    rows.insert_server(&up).await.unwrap();
    let mut flight = sign_in(&key, "i1");
    flight.sealed = record(1, b"flight");
    rows.insert_sign_in(&flight).await.unwrap();
    [
        SealedRow::Credential(Box::new(held)),
        SealedRow::Registration(Box::new(client)),
        SealedRow::Revocation(Box::new(owed)),
        SealedRow::Server(Box::new(up)),
        SealedRow::SignIn(Box::new(flight)),
    ]
}

/// The same row, sealed with another generation.
fn with(row: &SealedRow, generation: u32) -> SealedRow {
    let sealed = record(generation, b"fresh");
    let mut row = row.clone();
    match &mut row {
        SealedRow::Credential(row) => row.sealed = sealed,
        SealedRow::Registration(row) => row.sealed = sealed,
        SealedRow::Revocation(row) => row.sealed = sealed,
        SealedRow::SignIn(row) => row.sealed = sealed,
        SealedRow::Server(row) => {
            row.auth = sealed_server("up", &[sealed.clone(), sealed]).auth;
        }
    }
    row
}

fn held(row: &SealedRow) -> Option<&Credential> {
    match row {
        SealedRow::Credential(row) => Some(row),
        _ => None,
    }
}

fn open(row: &SealedRow) -> Option<&SignIn> {
    match row {
        SealedRow::SignIn(row) => Some(row),
        _ => None,
    }
}

async fn listed(rows: &dyn TenantStore, generation: u32) -> Vec<SealedRow> {
    rows.list_sealed_before(generation, 100).await.unwrap()
}

/// What is sealed with an older generation is counted and listed, of every kind; what is not sealed
/// is not.
pub async fn finds_what_an_old_key_sealed(store: &dyn Store) {
    let all = fill(store).await;
    let rows = rows(store);
    insert_keys(store, &[2, 3]).await;
    assert_eq!(rows.count_sealed_before(1).await.unwrap(), 0);
    assert_eq!(rows.count_sealed_before(2).await.unwrap(), 5);
    assert_eq!(listed(&*rows, 2).await, all);
    assert_eq!(listed(&*rows, 1).await, []);
    let mut more = registration("linear", "r2", "https://other.example");
    more.sealed = record(2, b"client");
    rows.insert_registration(&more).await.unwrap();
    assert_eq!(rows.count_sealed_before(3).await.unwrap(), 6);
    let one_of_each = rows.list_sealed_before(3, 1).await.unwrap();
    assert_eq!(one_of_each.len(), 5);
    // Nothing of another tenant (A213).
    let other = store.tenant(&tenant("t2"));
    assert_eq!(other.count_sealed_before(9).await.unwrap(), 0);
    assert_eq!(listed(&*other, 9).await, []);
}

/// Read on page by page, every sealed row comes once, whatever the size of a page.
pub async fn lists_every_sealed_row_once_page_by_page(store: &dyn Store) {
    let mut all = fill(store).await.to_vec();
    let rows = rows(store);
    insert_keys(store, &[2]).await;
    for (at, slug, user) in [
        (1, "linear", "u2"),
        (2, "notion", "u1"),
        (1, "linear", "u0"),
    ] {
        let key = key_of("t1", user, slug, "default");
        let mut more = credential(&key, b"a");
        more.sealed = record(at, b"more");
        let standing = connection(&key, Standing::Connected);
        rows.replace_credential(&more, &standing).await.unwrap();
        all.push(SealedRow::Credential(Box::new(more)));
    }
    let mut client = registration("linear", "r0", "https://other.example");
    client.sealed = record(2, b"client");
    rows.insert_registration(&client).await.unwrap();
    all.push(SealedRow::Registration(Box::new(client)));
    let other = store.tenant(&tenant("t2"));
    for limit in [1, 2, 3, 100] {
        let mut found: Vec<SealedRow> = Vec::new();
        loop {
            let page = rows.list_sealed(found.last(), limit).await.unwrap();
            assert!(page.len() <= limit as usize, "{}", page.len());
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found.len(), all.len(), "pages of {limit}");
        assert!(
            all.iter().all(|row| found.contains(row)),
            "pages of {limit}"
        );
        assert_eq!(other.list_sealed(None, limit).await.unwrap(), []);
        assert_eq!(other.list_sealed(found.first(), limit).await.unwrap(), []);
    }
}

/// A row is sealed anew, and nothing else of it is written.
pub async fn seals_anew_and_writes_nothing_else(store: &dyn Store) {
    let all = fill(store).await;
    let rows = rows(store);
    insert_keys(store, &[2]).await;
    for seen in &all {
        let mut given = with(seen, 2);
        match &mut given {
            SealedRow::Credential(row) => row.fingerprint = b"stolen".to_vec(),
            SealedRow::Registration(row) => row.client_id = String::from("stolen"),
            SealedRow::Revocation(row) => row.attempts = 99,
            SealedRow::Server(row) => row.url = String::from("https://stolen.example"),
            SealedRow::SignIn(row) => row.state_mac = b"stolen".to_vec(),
        }
        assert!(rows.reseal(seen, &given).await.unwrap(), "{seen:?}");
        // It is not what was seen any more.
        assert!(!rows.reseal(seen, &given).await.unwrap());
    }
    assert_eq!(rows.count_sealed_before(2).await.unwrap(), 0);
    let fresh: Vec<_> = all.iter().map(|row| with(row, 2)).collect();
    assert_eq!(listed(&*rows, 3).await, fresh);
    // And nothing hangs on the old key.
    let (keys, t1) = (store.keys(), tenant("t1"));
    assert!(keys.delete_key(Some(&t1), "tenant", 1).await.unwrap());
}

/// I30: what was rotated, changed or ended in the meantime stays as it is.
pub async fn i30_never_overwrites_a_rotation(store: &dyn Store) {
    let all = fill(store).await;
    let rows = rows(store);
    insert_keys(store, &[2]).await;
    let [credential, _, _, settings, flight] = &all;
    let held = held(credential).unwrap();
    let mut rotated = held.clone();
    rotated.version = 2;
    rotated.fingerprint = b"b".to_vec();
    rotated.sealed = record(2, b"rotated");
    let standing = connection(&held.key, Standing::Connected);
    let written = rows.rotate_credential(b"a", &rotated, &standing).await;
    assert_eq!(written.unwrap(), Guarded::Written(2));
    assert!(!rows.reseal(credential, &with(credential, 2)).await.unwrap());
    let found = rows.find_credential(&held.key).await.unwrap();
    assert_eq!(found, Some(rotated));

    let changed = sealed_server("up", &[record(2, b"other")]);
    let seen = rows.find_server_by_id(&changed.id).await.unwrap().unwrap();
    rows.update_server(&seen, &changed).await.unwrap();
    assert!(!rows.reseal(settings, &with(settings, 2)).await.unwrap());
    let found = rows.find_server_by_id(&changed.id).await.unwrap();
    assert_eq!(found, Some(changed));

    let open = open(flight).unwrap();
    rows.end_sign_in(&open.id, Outcome::Denied).await.unwrap();
    assert!(!rows.reseal(flight, &with(flight, 2)).await.unwrap());
    let found = rows.find_sign_in(&open.id).await.unwrap().unwrap();
    assert_eq!(found.sealed, b"");
    // Two rows that are not one, and a row of another tenant (A213).
    assert!(!rows.reseal(flight, credential).await.unwrap());
    let other = store.tenant(&tenant("t2"));
    for row in &all {
        assert!(!matches!(other.reseal(row, &with(row, 2)).await, Ok(true)));
    }
}

/// A208: a key stays for as long as anything is sealed with it, and goes in order.
pub async fn a208_a_key_in_use_stays(store: &dyn Store) {
    let all = fill(store).await;
    let (rows, keys, t1) = (rows(store), store.keys(), tenant("t1"));
    let refused = async |generation: u32| {
        let done = keys.delete_key(Some(&t1), "tenant", generation).await;
        assert!(matches!(done, Err(StoreError::Conflict)), "{done:?}");
    };
    // The newest.
    refused(1).await;
    insert_keys(store, &[2, 3]).await;
    for (at, seen) in all.iter().enumerate() {
        assert_eq!(listed(&*rows, 2).await.len(), all.len() - at);
        refused(1).await;
        assert!(rows.reseal(seen, &with(seen, 3)).await.unwrap());
    }
    // An older one is there.
    refused(2).await;
    assert!(keys.delete_key(Some(&t1), "tenant", 1).await.unwrap());
    assert!(!keys.delete_key(Some(&t1), "tenant", 1).await.unwrap());
    assert!(!keys.delete_key(Some(&t1), "tenant", 9).await.unwrap());
    assert!(!keys.delete_key(None, "tenant", 2).await.unwrap());
    assert!(keys.delete_key(Some(&t1), "tenant", 2).await.unwrap());
    refused(3).await;
    let left = keys.list_keys().await.unwrap();
    assert_eq!(left, [key_row(Some("t1"), "tenant", 3)]);
}

/// A208: nothing can be sealed with a key that is gone, or that never was.
pub async fn a208_nothing_hangs_on_a_key_that_is_gone(store: &dyn Store) {
    insert_servers(store, "t1").await;
    insert_keys(store, &[2]).await;
    let (rows, key) = (rows(store), key("linear"));
    let standing = connection(&key, Standing::Connected);
    let mut held = credential(&key, b"a");
    held.sealed = record(1, b"");
    assert!(rows.replace_credential(&held, &standing).await.is_err());
    let up = sealed_server("up", &[record(2, b""), record(1, b"")]);
    assert!(rows.insert_server(&up).await.is_err());
    assert_eq!(rows.find_credential(&key).await.unwrap(), None);
    assert_eq!(rows.list_servers().await.unwrap().len(), 2);
    held.sealed = record(2, b"");
    rows.replace_credential(&held, &standing).await.unwrap();
    rows.insert_server(&sealed_server("up", &[record(2, b"")]))
        .await
        .unwrap();
}

/// A server hangs on the lowest generation among its settings, whatever kind they are.
pub async fn a208_a_server_hangs_on_its_oldest_setting(store: &dyn Store) {
    insert_keys(store, &[1, 2]).await;
    let rows = rows(store);
    let mut up = server("t1", "up");
    rows.insert_server(&up).await.unwrap();
    assert_eq!(rows.count_sealed_before(9).await.unwrap(), 0);
    for (secret, key, before) in [
        (Some(2), None, [0, 1]),
        (Some(2), Some(1), [1, 1]),
        (None, Some(2), [0, 1]),
        (None, None, [0, 0]),
    ] {
        let sealed = |generation: u32| base64_encode(&record(generation, b""));
        let seen = up.clone();
        up.auth = Auth::Oauth(Box::new(OauthSettings {
            sealed_client_secret: secret.map(sealed),
            sealed_private_key: key.map(sealed),
            ..OauthSettings::default()
        }));
        assert!(rows.update_server(&seen, &up).await.unwrap());
        let counted = [
            rows.count_sealed_before(2).await.unwrap(),
            rows.count_sealed_before(3).await.unwrap(),
        ];
        assert_eq!(counted, before);
    }
}
