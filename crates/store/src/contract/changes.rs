//! What the change feed promises.

use std::collections::BTreeSet;

use claviger_model::{Outcome, Standing};
use futures_util::future::join_all;

use super::fixtures::{
    api_token, at, connection, credential, entry, insert_servers, installation, key, key_of,
    key_row, record, revocation, rows, server, sign_in, tenant,
};
use crate::{Change, Cursor, Purged, SealedRow, Store};

/// Reads from one place on, as somebody does who keeps rows.
struct Reader<'a> {
    store: &'a dyn Store,
    cursor: Cursor,
}

impl<'a> Reader<'a> {
    async fn new(store: &'a dyn Store) -> Self {
        let begun = store.list_changes(None).await.unwrap();
        assert!(begun.is_everything);
        assert_eq!(begun.changes, []);
        Self {
            store,
            cursor: begun.cursor,
        }
    }

    async fn next(&mut self) -> Vec<Change> {
        let read = self.store.list_changes(Some(&self.cursor)).await.unwrap();
        assert!(!read.is_everything);
        self.cursor = read.cursor;
        read.changes
    }
}

/// Every write that somebody may keep in memory is told, with the version of a credential; nothing
/// else is, and a write that changed nothing is not.
pub async fn tells_every_change_once(store: &dyn Store) {
    let mut reader = Reader::new(store).await;
    let rows = rows(store);
    let (t1, key, up) = (tenant("t1"), key("up"), server("t1", "up"));
    let of_server = [Change::Server(t1.clone(), up.id.clone())];
    let standing = connection(&key, Standing::Connected);
    assert_eq!(reader.next().await, []);
    rows.insert_server(&up).await.unwrap();
    assert_eq!(reader.next().await, of_server);
    assert_eq!(reader.next().await, []);
    rows.update_server(&up, &up).await.unwrap();
    assert_eq!(reader.next().await, of_server);
    let absent = server("t1", "absent");
    rows.update_server(&absent, &absent).await.unwrap();
    assert_eq!(reader.next().await, []);
    rows.update_connection(&standing).await.unwrap();
    assert_eq!(reader.next().await, []);
    let mut held = credential(&key, b"a");
    rows.replace_credential(&held, &standing).await.unwrap();
    held.version = 7;
    held.fingerprint = b"b".to_vec();
    rows.rotate_credential(b"a", &held, &standing)
        .await
        .unwrap();
    rows.rotate_credential(b"a", &held, &standing)
        .await
        .unwrap();
    assert_eq!(
        reader.next().await,
        [
            Change::Credential(key.clone(), Some(1)),
            Change::Credential(key.clone(), Some(7)),
        ]
    );
    rows.end_credential(&key, b"b", &standing).await.unwrap();
    let told = reader.next().await;
    assert_eq!(told, [Change::Credential(key.clone(), None)]);
}

/// So are the writes that do several things at once.
pub async fn tells_what_ends_and_begins_together(store: &dyn Store) {
    let (rows, t1, key, up) = (rows(store), tenant("t1"), key("up"), server("t1", "up"));
    let of_server = [Change::Server(t1, up.id.clone())];
    let standing = connection(&key, Standing::Connected);
    rows.insert_server(&up).await.unwrap();
    let mut held = credential(&key, b"b");
    held.version = 7;
    let mut reader = Reader::new(store).await;
    let flight = sign_in(&key, "i1");
    rows.insert_sign_in(&flight).await.unwrap();
    assert_eq!(reader.next().await, []);
    rows.complete_sign_in(&flight.id, &held, &standing, None)
        .await
        .unwrap();
    let told = reader.next().await;
    assert_eq!(told, [Change::Credential(key.clone(), Some(7))]);
    let owed = revocation(&key, "o1");
    let surrendered = rows
        .surrender_credential(&key, b"b", &standing, &owed)
        .await;
    surrendered.unwrap();
    let told = reader.next().await;
    assert_eq!(told, [Change::Credential(key, None)]);
    let purged: [Purged; 0] = [];
    rows.purge_server(&up, &up, &purged).await.unwrap();
    rows.surrender_server(&up.id, &purged).await.unwrap();
    let told = reader.next().await;
    assert_eq!(told, [of_server[0].clone(), of_server[0].clone()]);
    rows.insert_server(&up).await.unwrap();
    rows.delete_server(&up.id).await.unwrap();
    assert_eq!(reader.next().await.len(), 2);
}

/// API tokens, keys and the installation are told; the audit log, leases, sign-ins and what is owed
/// are nobody's to keep.
pub async fn tells_tokens_keys_and_the_installation(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let mut reader = Reader::new(store).await;
    let (rows, t1, key) = (rows(store), tenant("t1"), key("linear"));
    let token = api_token("t1", "p1");
    rows.insert_api_token(&token).await.unwrap();
    rows.delete_api_token(&token.id).await.unwrap();
    rows.delete_api_token(&token.id).await.unwrap();
    rows.insert_api_token(&token).await.unwrap();
    rows.sweep(at(99), at(99)).await.unwrap();
    let told = reader.next().await;
    assert_eq!(told, vec![Change::ApiTokens(t1.clone()); 4]);
    let (first, second) = (
        key_row(Some("t1"), "tenant", 1),
        key_row(Some("t1"), "tenant", 2),
    );
    store.keys().insert_key(&first).await.unwrap();
    store.keys().insert_key(&second).await.unwrap();
    store
        .keys()
        .rewrap_key(&first, &first.kek_id)
        .await
        .unwrap();
    store
        .keys()
        .delete_key(Some(&t1), "tenant", 1)
        .await
        .unwrap();
    assert_eq!(reader.next().await, vec![Change::Keys; 4]);
    let own = store.installation();
    own.insert_installation(&installation()).await.unwrap();
    own.update_installation(&installation()).await.unwrap();
    assert_eq!(reader.next().await, vec![Change::Installation; 2]);
    store.audit().append_audit(&[entry("a", 1)]).await.unwrap();
    let flight = sign_in(&key, "i1");
    rows.insert_sign_in(&flight).await.unwrap();
    rows.end_sign_in(&flight.id, Outcome::Denied).await.unwrap();
    rows.insert_revocation(&revocation(&key, "o1"))
        .await
        .unwrap();
    let lease = rows.acquire_lease(&key, "a", 9).await.unwrap().unwrap();
    rows.release_lease(&key, &lease).await.unwrap();
    assert_eq!(reader.next().await, []);
}

/// What is sealed anew is told as well: the old key may go.
pub async fn tells_what_was_sealed_anew(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let (rows, key) = (rows(store), key("linear"));
    for generation in [1, 2] {
        let row = key_row(Some("t1"), "tenant", generation);
        store.keys().insert_key(&row).await.unwrap();
    }
    let mut held = credential(&key, b"a");
    held.sealed = record(1, b"");
    let standing = connection(&key, Standing::Connected);
    rows.replace_credential(&held, &standing).await.unwrap();
    let mut reader = Reader::new(store).await;
    let mut fresh = held.clone();
    fresh.sealed = record(2, b"");
    let seen = SealedRow::Credential(Box::new(held));
    let fresh = SealedRow::Credential(Box::new(fresh));
    assert!(rows.reseal(&seen, &fresh).await.unwrap());
    let told = reader.next().await;
    assert_eq!(told, [Change::Credential(key, Some(1))]);
}

/// Writers at once, in several tenants, while somebody reads: nothing is left out.
pub async fn leaves_nothing_out(store: &dyn Store) {
    let names = ["t1", "t2", "t3", "t4"];
    for name in names {
        insert_servers(store, name).await;
    }
    let mut reader = Reader::new(store).await;
    let writers = names.map(|name| async move {
        let rows = store.tenant(&tenant(name));
        for n in 0..8 {
            let key = key_of(name, &format!("u{n}"), "linear", "default");
            let standing = connection(&key, Standing::Connected);
            let held = credential(&key, b"a");
            rows.replace_credential(&held, &standing).await.unwrap();
        }
    });
    let mut told = BTreeSet::new();
    let reading = async {
        for _ in 0..40 {
            told.extend(reader.next().await);
        }
    };
    futures_util::future::join(join_all(writers), reading).await;
    told.extend(reader.next().await);
    let all: BTreeSet<_> = names
        .iter()
        .flat_map(|name| (0..8).map(move |n| (name, format!("u{n}"))))
        .map(|(name, user)| key_of(name, &user, "linear", "default"))
        .map(|key| Change::Credential(key, Some(1)))
        .collect();
    assert_eq!(told, all);
}

/// Whoever comes with no cursor, or with one that this database did not give, reads everything
/// anew, and goes on from there.
pub async fn knows_its_own_cursors(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let own = store.list_changes(None).await.unwrap().cursor.0;
    let altered = own.replace(['0', '1', '2', '3'], "9");
    for foreign in [
        "",
        ":",
        "//",
        "a:1",
        "1/1:1:/x",
        "\u{0}",
        "-1",
        &format!("9{own}"),
        &altered,
    ] {
        let cursor = Cursor(foreign.to_owned());
        let read = store.list_changes(Some(&cursor)).await.unwrap();
        assert!(read.is_everything, "{foreign:?}");
        assert_eq!(read.changes, []);
        let next = store.list_changes(Some(&read.cursor)).await.unwrap();
        assert!(!next.is_everything);
        assert_eq!(next.changes, []);
    }
}

/// Whoever was away for some hundred changes is told every one.
pub async fn tells_many_changes(store: &dyn Store) {
    let first = store.list_changes(None).await.unwrap().cursor;
    let rows = rows(store);
    let up = server("t1", "up");
    rows.insert_server(&up).await.unwrap();
    for _ in 0..300 {
        rows.update_server(&up, &up).await.unwrap();
    }
    let read = store.list_changes(Some(&first)).await.unwrap();
    assert!(!read.is_everything);
    assert_eq!(read.changes.len(), 301);
}
