//! What the queue of owed revocations promises.

use claviger_model::Standing;
use futures_util::future::join_all;

use super::fixtures::{
    at, connection, credential, insert_servers, key, key_of, revocation, rows, tenant,
};
use crate::{Guarded, Store, StoreError};

/// Every field comes back, the one that is tried next first; it stays when its server goes.
pub async fn lists_every_field_the_next_first(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    assert_eq!(rows.list_revocations().await.unwrap(), []);
    let (first, mut second) = (revocation(&key, "o2"), revocation(&key, "o1"));
    second.next_at = at(61);
    second.last_failure = None;
    second.attempts = 0;
    rows.insert_revocation(&second).await.unwrap();
    rows.insert_revocation(&first).await.unwrap();
    let taken = rows.insert_revocation(&first).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    assert!(rows.delete_server(&key.server).await.unwrap());
    let listed = rows.list_revocations().await.unwrap();
    assert_eq!(listed, [first.clone(), second.clone()]);
    assert!(rows.delete_revocation(&first.id).await.unwrap());
    assert!(!rows.delete_revocation(&first.id).await.unwrap());
    assert_eq!(rows.list_revocations().await.unwrap(), [second]);
}

/// Of many nodes that try at once, one does; each try counts.
pub async fn one_of_many_claims_it(store: &dyn Store) {
    let rows = rows(store);
    let mut row = revocation(&key("linear"), "o1");
    rows.insert_revocation(&row).await.unwrap();
    let claims = (0..8).map(|_| rows.claim_revocation(&row.id, row.next_at, at(120)));
    let claimed = join_all(claims).await;
    let claimed = claimed.into_iter().filter(|done| *done.as_ref().unwrap());
    assert_eq!(claimed.count(), 1);
    row.attempts += 1;
    row.next_at = at(120);
    assert_eq!(rows.list_revocations().await.unwrap(), [row.clone()]);
    let failed = rows
        .postpone_revocation(&row.id, at(240), "no answer")
        .await;
    assert!(failed.unwrap());
    row.next_at = at(240);
    row.last_failure = Some("no answer".to_owned());
    assert_eq!(rows.list_revocations().await.unwrap(), [row.clone()]);
    assert!(rows.delete_revocation(&row.id).await.unwrap());
    let gone = rows.claim_revocation(&row.id, row.next_at, at(300)).await;
    assert!(!gone.unwrap());
    let gone = rows.postpone_revocation(&row.id, at(300), "late").await;
    assert!(!gone.unwrap());
}

/// A credential goes, its connection says so and its revocation is queued; or none of that.
pub async fn surrenders_only_what_was_seen(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let connected = connection(&key, Standing::Connected);
    let held = credential(&key, b"current");
    rows.replace_credential(&held, &connected).await.unwrap();
    let (ended, owed) = (
        connection(&key, Standing::NeedsSignIn),
        revocation(&key, "o1"),
    );
    let late = rows
        .surrender_credential(&key, b"older", &ended, &owed)
        .await;
    assert_eq!(late.unwrap(), Guarded::Superseded);
    // The number of another one is taken: then the credential stays.
    rows.insert_revocation(&owed).await.unwrap();
    let taken = rows
        .surrender_credential(&key, b"current", &ended, &owed)
        .await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    assert_eq!(rows.find_credential(&key).await.unwrap(), Some(held));
    assert_eq!(rows.find_connection(&key).await.unwrap(), Some(connected));
    assert!(rows.delete_revocation(&owed.id).await.unwrap());

    let racing: Vec<_> = (0..6).map(|n| revocation(&key, &format!("r{n}"))).collect();
    let surrendered = racing
        .iter()
        .map(|owed| rows.surrender_credential(&key, b"current", &ended, owed));
    let mut winners = Vec::new();
    for (done, owed) in join_all(surrendered).await.into_iter().zip(&racing) {
        match done.unwrap() {
            Guarded::Written(version) => winners.push((version, owed.clone())),
            Guarded::Superseded => {}
        }
    }
    let queued = rows.list_revocations().await.unwrap();
    let queued: Vec<_> = queued.into_iter().map(|owed| (1, owed)).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(winners, queued);
    assert_eq!(rows.find_credential(&key).await.unwrap(), None);
    assert_eq!(rows.find_connection(&key).await.unwrap(), Some(ended));
}

/// A213: another tenant neither sees, takes nor adds to it.
pub async fn a213_is_its_tenants_alone(store: &dyn Store) {
    insert_servers(store, "t1").await;
    insert_servers(store, "t2").await;
    let (own, other) = (rows(store), store.tenant(&tenant("t2")));
    let key = key("linear");
    let owed = revocation(&key, "o1");
    own.insert_revocation(&owed).await.unwrap();
    let held = credential(&key, b"a");
    let standing = connection(&key, Standing::Connected);
    own.replace_credential(&held, &standing).await.unwrap();
    assert_eq!(other.list_revocations().await.unwrap(), []);
    let claimed = other.claim_revocation(&owed.id, owed.next_at, at(99)).await;
    assert!(!claimed.unwrap());
    let written = other.postpone_revocation(&owed.id, at(99), "x").await;
    assert!(!written.unwrap());
    assert!(!other.delete_revocation(&owed.id).await.unwrap());
    assert!(
        other
            .insert_revocation(&revocation(&key, "o2"))
            .await
            .is_err()
    );
    let theirs = key_of("t2", "u1", "linear", "default");
    let ended = connection(&theirs, Standing::NeedsSignIn);
    for (key, standing, owed) in [
        (&key, &standing, revocation(&key, "o3")),
        (&theirs, &ended, revocation(&key, "o3")),
        (&theirs, &standing, revocation(&theirs, "o3")),
    ] {
        let done = other.surrender_credential(key, b"a", standing, &owed).await;
        assert!(done.is_err());
    }
    assert_eq!(own.list_revocations().await.unwrap(), [owed]);
    assert_eq!(own.find_credential(&key).await.unwrap(), Some(held));
    // The same id in another tenant is another one.
    let same = revocation(&theirs, "o1");
    other.insert_revocation(&same).await.unwrap();
    assert_eq!(other.list_revocations().await.unwrap(), [same]);
}
