//! What ending all that hangs on a server promises.

use claviger_model::{CredentialKey, Outcome, Server, Standing};
use futures_util::future::{join_all, join3};

use super::fixtures::{
    at, connection, credential, insert_servers, key, key_of, registration, revocation, rows,
    server, sign_in, tenant,
};
use crate::{Purged, Store, StoreError, TenantStore};

fn purged(key: &CredentialKey, fingerprint: &[u8], owed: Option<&str>) -> Purged {
    Purged {
        fingerprint: fingerprint.to_vec(),
        connection: connection(key, Standing::NeedsSignIn),
        revocation: owed.map(|id| revocation(key, id)),
    }
}

fn keys() -> [CredentialKey; 2] {
    [key("linear"), key_of("t1", "u2", "linear", "default")]
}

/// A server with two credentials, a current client, an open sign-in and a lease.
async fn fill(store: &dyn Store) -> Server {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    for (key, fingerprint) in keys().iter().zip([b"a", b"b"]) {
        let standing = connection(key, Standing::Connected);
        rows.replace_credential(&credential(key, fingerprint), &standing)
            .await
            .unwrap();
    }
    let kept = key("notion");
    let standing = connection(&kept, Standing::Connected);
    rows.replace_credential(&credential(&kept, b"c"), &standing)
        .await
        .unwrap();
    for server in ["linear", "notion"] {
        let row = registration(server, server, "https://issuer.example");
        rows.insert_registration(&row).await.unwrap();
        let flight = sign_in(&key_of("t1", "u3", server, "default"), server);
        rows.insert_sign_in(&flight).await.unwrap();
    }
    let mut changed = server("t1", "linear");
    changed.url = String::from("https://elsewhere.example/mcp");
    changed.updated_at = at(20);
    changed
}

fn seen() -> Server {
    server("t1", "linear")
}

async fn assert_untouched(rows: &dyn TenantStore) {
    let linear = server("t1", "linear");
    let found = rows.find_server_by_id(&linear.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&linear));
    assert_eq!(rows.list_credentials(&linear.id).await.unwrap().len(), 2);
    assert_eq!(rows.list_revocations().await.unwrap(), []);
    for key in keys() {
        let found = rows.find_connection(&key).await.unwrap();
        assert_eq!(found, Some(connection(&key, Standing::Connected)));
    }
    let current = rows
        .find_registration(&linear.id, "https://issuer.example")
        .await;
    assert!(current.unwrap().is_some());
    assert!(rows.take_sign_in(b"linear", at(1)).await.unwrap().is_some());
}

/// G6: with its settings go the credentials, the open sign-ins and the current client information;
/// what is owed is queued. Other servers keep what they have.
pub async fn g6_new_settings_end_what_the_old_ones_obtained(store: &dyn Store) {
    let changed = fill(store).await;
    let rows = rows(store);
    let [one, other] = keys();
    let all = [purged(&one, b"a", Some("o1")), purged(&other, b"b", None)];
    assert!(rows.purge_server(&seen(), &changed, &all).await.unwrap());
    let found = rows.find_server_by_id(&changed.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&changed));
    assert_eq!(rows.list_credentials(&changed.id).await.unwrap(), []);
    for key in [&one, &other] {
        let found = rows.find_connection(key).await.unwrap();
        assert_eq!(found, Some(connection(key, Standing::NeedsSignIn)));
    }
    let owed = rows.list_revocations().await.unwrap();
    assert_eq!(owed, [revocation(&one, "o1")]);
    let issuer = "https://issuer.example";
    let current = rows.find_registration(&changed.id, issuer).await;
    assert_eq!(current.unwrap(), None);
    assert_eq!(rows.list_registrations(&changed.id).await.unwrap().len(), 1);
    let flight = sign_in(&key_of("t1", "u3", "linear", "default"), "linear").id;
    let ended = rows.find_sign_in(&flight).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::Cancelled));
    assert_eq!(ended.sealed, b"");
    // The server beside it.
    let notion = key("notion");
    assert!(rows.find_credential(&notion).await.unwrap().is_some());
    let current = rows.find_registration(&notion.server, issuer).await;
    assert!(current.unwrap().is_some());
    assert!(rows.take_sign_in(b"notion", at(1)).await.unwrap().is_some());
}

/// Whoever does not name exactly the credentials that are there changes nothing: the tokens of the
/// one left out would stay alive at its issuer.
pub async fn a_purge_that_misses_one_changes_nothing(store: &dyn Store) {
    let changed = fill(store).await;
    let rows = rows(store);
    let [one, other] = keys();
    let gone = key_of("t1", "u9", "linear", "default");
    for wrong in [
        vec![],
        vec![purged(&one, b"a", Some("o1"))],
        vec![purged(&one, b"a", Some("o1")), purged(&other, b"old", None)],
        vec![
            purged(&one, b"a", Some("o1")),
            purged(&other, b"b", Some("o2")),
            purged(&gone, b"c", None),
        ],
    ] {
        let refused = rows.purge_server(&seen(), &changed, &wrong).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        let refused = rows.surrender_server(&changed.id, &wrong).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    let elsewhere = [purged(&key("notion"), b"c", None)];
    assert!(
        rows.purge_server(&seen(), &changed, &elsewhere)
            .await
            .is_err()
    );
    assert!(
        rows.surrender_server(&changed.id, &elsewhere)
            .await
            .is_err()
    );
    assert_untouched(&*rows).await;
    let absent = server("t1", "absent");
    assert!(!rows.purge_server(&absent, &absent, &[]).await.unwrap());
    assert!(!rows.surrender_server(&absent.id, &[]).await.unwrap());
}

/// A server goes with all that hangs on it, and what is owed stays.
pub async fn surrenders_a_server_and_queues_what_is_owed(store: &dyn Store) {
    let linear = fill(store).await.id;
    let rows = rows(store);
    let [one, other] = keys();
    let all = [
        purged(&one, b"a", Some("o1")),
        purged(&other, b"b", Some("o2")),
    ];
    assert!(rows.surrender_server(&linear, &all).await.unwrap());
    assert_eq!(rows.find_server_by_id(&linear).await.unwrap(), None);
    assert_eq!(rows.find_connection(&one).await.unwrap(), None);
    assert_eq!(rows.list_registrations(&linear).await.unwrap(), []);
    let owed = rows.list_revocations().await.unwrap();
    assert_eq!(owed, [revocation(&one, "o1"), revocation(&other, "o2")]);
    assert!(!rows.surrender_server(&linear, &[]).await.unwrap());
    assert_eq!(rows.list_servers().await.unwrap().len(), 1);
}

/// A refresh and a purge at once: either the purge saw the rotation, or it is told, or the rotation
/// is. No token is left behind that nobody owes.
pub async fn i30_a_purge_loses_no_rotation(store: &dyn Store) {
    let changed = fill(store).await;
    let rows = rows(store);
    let [one, other] = keys();
    let all = [
        purged(&one, b"a", Some("o1")),
        purged(&other, b"b", Some("o2")),
    ];
    let mut rotated = credential(&one, b"new");
    rotated.version = 2;
    let standing = connection(&one, Standing::Connected);
    let added = key_of("t1", "u7", "linear", "default");
    let (fresh, connected) = (
        credential(&added, b"d"),
        connection(&added, Standing::Connected),
    );
    let (purge, rotation, signed_in) = join3(
        rows.purge_server(&seen(), &changed, &all),
        rows.rotate_credential(b"a", &rotated, &standing),
        rows.replace_credential(&fresh, &connected),
    )
    .await;
    let is_rotated = rotation.unwrap() != crate::Guarded::Superseded;
    signed_in.unwrap();
    let left = rows.list_credentials(&changed.id).await.unwrap();
    let owed = rows.list_revocations().await.unwrap();
    match purge {
        Ok(done) => {
            assert!(done && !is_rotated);
            // It came after the purge.
            assert_eq!(left, [fresh]);
            assert_eq!(owed.len(), 2);
        }
        Err(error) => {
            assert!(matches!(error, StoreError::Conflict), "{error:?}");
            assert_eq!(left.len(), 3);
            assert_eq!(owed, []);
        }
    }
}

/// Of many purges that saw the same, one ends the credentials, and each is owed once.
pub async fn one_of_many_purges_wins(store: &dyn Store) {
    let changed = fill(store).await;
    let rows = rows(store);
    let [one, other] = keys();
    let tries: Vec<_> = (0..4)
        .map(|n| {
            let (first, second) = (format!("a{n}"), format!("b{n}"));
            [
                purged(&one, b"a", Some(&first)),
                purged(&other, b"b", Some(&second)),
            ]
        })
        .collect();
    let before = seen();
    let purge = |all| rows.purge_server(&before, &changed, all);
    let done = join_all(tries.iter().map(|all| purge(all))).await;
    let won = done.iter().filter(|done| matches!(done, Ok(true))).count();
    let told = done
        .iter()
        .filter(|done| matches!(done, Err(StoreError::Conflict)));
    assert_eq!((won, told.count()), (1, 3), "{done:?}");
    assert_eq!(rows.list_revocations().await.unwrap().len(), 2);
}

/// A213: another tenant's server is neither purged nor surrendered.
pub async fn a213_purges_nothing_of_another(store: &dyn Store) {
    let changed = fill(store).await;
    let other = store.tenant(&tenant("t2"));
    assert!(other.purge_server(&seen(), &changed, &[]).await.is_err());
    assert!(!other.surrender_server(&changed.id, &[]).await.unwrap());
    insert_servers(store, "t2").await;
    let [one, two] = keys();
    let all = [purged(&one, b"a", None), purged(&two, b"b", None)];
    assert!(other.surrender_server(&changed.id, &all).await.is_err());
    assert_eq!(other.list_servers().await.unwrap().len(), 2);
    assert_untouched(&*rows(store)).await;
}
