//! What credentials promise.

use claviger_model::{Credential, CredentialKey, ServerId, Standing};
use futures_util::future::join_all;

use super::fixtures::{at, connection, credential, insert_servers, key, key_of, rows, tenant};
use crate::{Guarded, Store, StoreError, TenantStore};

/// Every field comes back; lists go by user and account, for one server.
pub async fn finds_and_lists_every_field(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    assert_eq!(rows.find_credential(&key("linear")).await.unwrap(), None);
    let keys = [
        key_of("t1", "u1", "linear", "default"),
        key_of("t1", "u1", "linear", "work"),
        key_of("t1", "u2", "linear", "default"),
        key_of("t1", "u1", "notion", "default"),
    ];
    for key in keys.iter().rev() {
        insert(&*rows, key, key.user.as_str().as_bytes()).await;
    }
    let mut bare = credential(&keys[2], b"bare");
    bare.revocation_endpoint = None;
    bare.registration = None;
    bare.expires_at = None;
    bare.is_refreshable = false;
    bare.scopes_granted = serde_json::from_str("[]").unwrap();
    bare.version = 2;
    rows.replace_credential(&bare, &connection(&keys[2], Standing::Connected))
        .await
        .unwrap();
    let expected = [
        credential(&keys[0], b"u1"),
        credential(&keys[1], b"u1"),
        bare,
    ];
    for (key, expected) in keys.iter().zip(&expected) {
        let found = rows.find_credential(key).await.unwrap();
        assert_eq!(found.as_ref(), Some(expected));
    }
    let linear = ServerId::parse("linear").unwrap();
    assert_eq!(rows.list_credentials(&linear).await.unwrap(), expected);
}

/// A sign-in's credential replaces any older one. The version stored is the one given, whatever it
/// is, since the seal is bound to it; one that is not above the stored one writes nothing.
pub async fn replacing_writes_exactly_the_version_given(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let connected = connection(&key, Standing::Connected);
    let mut stored = None;
    for (fingerprint, given, counts) in [
        (b"a", 3, true),
        (b"b", 3, false),
        (b"c", 2, false),
        (b"d", 4, true),
        (b"e", 9, true),
        (b"f", 5, false),
    ] {
        let mut candidate = credential(&key, fingerprint);
        candidate.version = given;
        let standing = if counts {
            connected.clone()
        } else {
            connection(&key, Standing::Unreachable)
        };
        let written = rows.replace_credential(&candidate, &standing).await;
        if counts {
            written.unwrap();
            stored = Some(candidate);
        } else {
            assert!(matches!(written, Err(StoreError::Conflict)));
        }
        assert_eq!(rows.find_credential(&key).await.unwrap(), stored);
        let found = rows.find_connection(&key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&connected));
    }
}

/// Of many sign-ins that read the same version, one is stored; the others are told.
pub async fn one_of_many_replacements_of_one_version_wins(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let standing = connection(&key, Standing::Connected);
    let candidates: Vec<_> = (0..8_u8).map(|n| credential(&key, &[n])).collect();
    let written = join_all(
        candidates
            .iter()
            .map(|candidate| rows.replace_credential(candidate, &standing)),
    )
    .await;
    let mut winners = Vec::new();
    for (written, candidate) in written.into_iter().zip(&candidates) {
        match written {
            Ok(()) => winners.push(candidate.clone()),
            Err(error) => assert!(matches!(error, StoreError::Conflict)),
        }
    }
    let stored = rows.find_credential(&key).await.unwrap();
    assert_eq!(winners, Vec::from_iter(stored));
}

/// The connection is written in the same transaction.
pub async fn replacing_writes_the_connection_with_it(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let before = connection(&key, Standing::NeedsSignIn);
    rows.update_connection(&before).await.unwrap();
    insert(&*rows, &key, b"a").await;
    assert_eq!(
        rows.find_connection(&key).await.unwrap(),
        Some(connection(&key, Standing::Connected))
    );
}

/// Whatever else was written in the meantime, a rotation is stored if the token it used is the one
/// that is stored: the issuer has forgotten the old one already.
pub async fn i30_a122_rotates_by_the_fingerprint(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    insert(&*rows, &key, b"old").await;
    // The same token written again: another version, the same fingerprint.
    let mut again = credential(&key, b"old");
    again.version = 2;
    rows.replace_credential(&again, &connection(&key, Standing::Connected))
        .await
        .unwrap();
    let mut counted = connection(&key, Standing::Expiring);
    counted.updated_at = at(99);
    rows.update_connection(&counted).await.unwrap();

    let standing = connection(&key, Standing::Connected);
    let mut rotated = credential(&key, b"new");
    // The seal names a version that is gone by: nothing is written, so that it can be sealed anew.
    for version in [1, 2] {
        rotated.version = version;
        let written = rows.rotate_credential(b"old", &rotated, &standing).await;
        assert_eq!(written.unwrap(), Guarded::Superseded);
        let found = rows.find_credential(&key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&again));
        let found = rows.find_connection(&key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&counted));
    }
    rotated.version = 7;
    let written = rows.rotate_credential(b"old", &rotated, &standing).await;
    assert_eq!(written.unwrap(), Guarded::Written(7));
    assert_eq!(rows.find_credential(&key).await.unwrap(), Some(rotated));
    assert_eq!(rows.find_connection(&key).await.unwrap(), Some(standing));
}

/// A rotation that used another token than the stored one writes nothing, not even its connection;
/// nor does one of a credential that is not there.
pub async fn i30_a_rotation_of_another_fingerprint_writes_nothing(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let (key, absent) = (key("linear"), key_of("t1", "u2", "linear", "default"));
    insert(&*rows, &key, b"current").await;
    for (key, sent) in [
        (&key, &b"older"[..]),
        (&key, b""),
        (&key, b"curren"),
        (&absent, b"current"),
    ] {
        let written = rows
            .rotate_credential(
                sent,
                &rotation(key, b"late"),
                &connection(key, Standing::Unreachable),
            )
            .await;
        assert_eq!(written.unwrap(), Guarded::Superseded);
    }
    assert_eq!(
        rows.find_credential(&key).await.unwrap(),
        Some(credential(&key, b"current"))
    );
    assert_eq!(
        rows.find_connection(&key).await.unwrap(),
        Some(connection(&key, Standing::Connected))
    );
    assert_eq!(rows.find_credential(&absent).await.unwrap(), None);
    assert_eq!(rows.find_connection(&absent).await.unwrap(), None);
}

/// Of many rotations of one token at once, one is stored.
pub async fn i30_one_of_many_rotations_wins(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    insert(&*rows, &key, b"old").await;
    let standing = connection(&key, Standing::Connected);
    let candidates: Vec<_> = (0..8_u8).map(|n| rotation(&key, &[n])).collect();
    let written = join_all(
        candidates
            .iter()
            .map(|candidate| rows.rotate_credential(b"old", candidate, &standing)),
    )
    .await;
    let mut winners = written
        .into_iter()
        .zip(&candidates)
        .filter(|(written, _)| *written.as_ref().unwrap() != Guarded::Superseded);
    let (written, winner) = winners.next().unwrap();
    assert_eq!(written.unwrap(), Guarded::Written(2));
    assert_eq!(winners.count(), 0);
    let stored = rows.find_credential(&key).await.unwrap().unwrap();
    assert_eq!(stored.fingerprint, winner.fingerprint);
    assert_eq!(stored.sealed, winner.sealed);
}

/// Ending is guarded like rotating; what was ended is not found again.
pub async fn ends_only_what_was_seen(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    insert(&*rows, &key, b"current").await;
    let ended = connection(&key, Standing::NeedsSignIn);
    let late = rows.end_credential(&key, b"older", &ended).await.unwrap();
    assert_eq!(late, Guarded::Superseded);
    assert_eq!(
        rows.find_connection(&key).await.unwrap(),
        Some(connection(&key, Standing::Connected))
    );
    let done = rows.end_credential(&key, b"current", &ended).await.unwrap();
    assert!(matches!(done, Guarded::Written(_)));
    assert_eq!(rows.find_credential(&key).await.unwrap(), None);
    assert_eq!(rows.find_connection(&key).await.unwrap(), Some(ended));
    let again = connection(&key, Standing::Unreachable);
    let twice = rows.end_credential(&key, b"current", &again).await.unwrap();
    assert_eq!(twice, Guarded::Superseded);
}

/// Nothing can hang on a server that was deleted meanwhile.
pub async fn refuses_a_server_that_is_not_there(store: &dyn Store) {
    let rows = rows(store);
    let key = key("linear");
    let standing = connection(&key, Standing::Connected);
    let refused = rows
        .replace_credential(&credential(&key, b"a"), &standing)
        .await;
    assert!(refused.is_err());
    assert!(rows.update_connection(&standing).await.is_err());
    assert_eq!(rows.find_credential(&key).await.unwrap(), None);
    assert_eq!(rows.find_connection(&key).await.unwrap(), None);
}

/// Of one user, by server and account; of nobody else (A213).
pub async fn lists_those_of_one_user(store: &dyn Store) {
    insert_servers(store, "t1").await;
    insert_servers(store, "t2").await;
    let rows = rows(store);
    let keys = [
        key_of("t1", "u1", "linear", "default"),
        key_of("t1", "u1", "linear", "work"),
        key_of("t1", "u1", "notion", "default"),
    ];
    for key in keys.iter().rev() {
        insert(&*rows, key, b"a").await;
    }
    insert(&*rows, &key_of("t1", "u2", "linear", "default"), b"b").await;
    let (other, theirs) = (
        store.tenant(&tenant("t2")),
        key_of("t2", "u1", "linear", "default"),
    );
    insert(&*other, &theirs, b"c").await;
    let user = &keys[0].user;
    let listed = rows.list_user_credentials(user).await.unwrap();
    assert_eq!(listed, keys.map(|key| credential(&key, b"a")));
    let listed = other.list_user_credentials(&theirs.user).await.unwrap();
    assert_eq!(listed, [credential(&theirs, b"c")]);
    let absent = key_of("t1", "u9", "linear", "default").user;
    assert_eq!(rows.list_user_credentials(&absent).await.unwrap(), []);
}

fn rotation(key: &CredentialKey, fingerprint: &[u8]) -> Credential {
    Credential {
        version: 2,
        ..credential(key, fingerprint)
    }
}

async fn insert(rows: &dyn TenantStore, key: &CredentialKey, fingerprint: &[u8]) {
    let standing = connection(key, Standing::Connected);
    rows.replace_credential(&credential(key, fingerprint), &standing)
        .await
        .unwrap();
}
