//! What leases promise.

use claviger_model::{CredentialKey, Standing};
use futures_util::future::join_all;

use super::fixtures::{connection, credential, insert_servers, key, key_of, rows, tenant};
use crate::{Intended, Lease, Store, TenantStore};

/// One holder at a time; free again once released.
pub async fn excludes_everybody_until_released(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let first = acquire(&*rows, &key, "a", LONG).await.unwrap();
    assert_eq!(first.owner, "a");
    for owner in ["b", "c"] {
        assert_eq!(acquire(&*rows, &key, owner, LONG).await, None);
    }
    rows.release_lease(&key, &first).await.unwrap();
    let second = acquire(&*rows, &key, "b", LONG).await.unwrap();
    assert!(second.epoch > first.epoch);
}

/// Its owner extends a lease, before and after its end; what it was first is what it gives back.
pub async fn is_extended_by_its_owner_alone(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let first = acquire(&*rows, &key, "a", 1).await.unwrap();
    for ttl_ms in [1, LONG] {
        assert_eq!(
            acquire(&*rows, &key, "a", ttl_ms).await,
            Some(first.clone())
        );
    }
    assert_eq!(acquire(&*rows, &key, "b", LONG).await, None);
    rows.release_lease(&key, &first).await.unwrap();
    let second = acquire(&*rows, &key, "b", LONG).await.unwrap();
    assert_eq!(acquire(&*rows, &key, "a", LONG).await, None);
    assert!(second.epoch > first.epoch);
}

/// A holder that is gone loses the lease by time; epochs only grow.
pub async fn ends_by_time_and_counts_on(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let mut epoch = 0;
    for owner in ["a", "b", "c"] {
        let lease = outlast(&*rows, &key, owner, 20).await;
        assert_eq!(lease.owner, owner);
        assert!(lease.epoch > epoch);
        epoch = lease.epoch;
    }
}

/// Who lost the lease by time cannot give away what the next one holds.
pub async fn a_late_release_does_not_free_the_next_holder(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let late = acquire(&*rows, &key, "a", 1).await.unwrap();
    let held = outlast(&*rows, &key, "b", LONG).await;
    let forged = Lease {
        owner: "a".to_owned(),
        epoch: held.epoch,
    };
    for other in [&late, &forged] {
        rows.release_lease(&key, other).await.unwrap();
        assert_eq!(acquire(&*rows, &key, "c", LONG).await, None);
    }
    rows.release_lease(&key, &held).await.unwrap();
    assert!(acquire(&*rows, &key, "c", LONG).await.is_some());
}

/// Of many at once, one gets it.
pub async fn one_of_many_gets_it(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let owners: Vec<String> = (0..16).map(|n| format!("owner-{n}")).collect();
    let leases = join_all(
        owners
            .iter()
            .map(|owner| acquire(&*rows, &key, owner, LONG)),
    )
    .await;
    assert_eq!(leases.into_iter().flatten().count(), 1);
}

/// Other users, servers and accounts have leases of their own.
pub async fn holds_for_one_key_only(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    for key in [
        key_of("t1", "u1", "linear", "default"),
        key_of("t1", "u2", "linear", "default"),
        key_of("t1", "u1", "notion", "default"),
        key_of("t1", "u1", "linear", "work"),
    ] {
        assert!(acquire(&*rows, &key, "a", LONG).await.is_some(), "{key:?}");
    }
}

/// F02: what was declared and not taken back is found by the next holder, until another token is
/// stored.
pub async fn f02_an_intent_outlives_its_holder(store: &dyn Store) {
    let (rows, key) = (rows(store), key("linear"));
    store_credential(store, &key, b"a").await;
    let first = acquire(&*rows, &key, "a", LONG).await.unwrap();
    assert_eq!(
        declare(&*rows, &key, &first, b"a").await,
        Intended::Declared
    );
    rows.release_lease(&key, &first).await.unwrap();
    let second = acquire(&*rows, &key, "b", LONG).await.unwrap();
    assert_eq!(
        declare(&*rows, &key, &second, b"a").await,
        Intended::WasLeft
    );
    assert!(rows.withdraw_intent(&key, &second, b"a").await.unwrap());
    assert!(!rows.withdraw_intent(&key, &second, b"a").await.unwrap());
    assert_eq!(
        declare(&*rows, &key, &second, b"a").await,
        Intended::Declared
    );
    let (mut next, standing) = (
        credential(&key, b"b"),
        connection(&key, Standing::Connected),
    );
    next.version = 2;
    rows.replace_credential(&next, &standing).await.unwrap();
    assert_eq!(
        declare(&*rows, &key, &second, b"b").await,
        Intended::Declared
    );
}

/// Only the stored token is about to be sent, and only it is taken back.
pub async fn an_intent_is_of_its_token(store: &dyn Store) {
    let (rows, key) = (rows(store), key("linear"));
    insert_servers(store, "t1").await;
    let lease = acquire(&*rows, &key, "a", LONG).await.unwrap();
    let without = declare(&*rows, &key, &lease, b"a").await;
    assert_eq!(without, Intended::Superseded);
    let (held, standing) = (
        credential(&key, b"a"),
        connection(&key, Standing::Connected),
    );
    rows.replace_credential(&held, &standing).await.unwrap();
    let other = declare(&*rows, &key, &lease, b"b").await;
    assert_eq!(other, Intended::Superseded);
    assert_eq!(
        declare(&*rows, &key, &lease, b"a").await,
        Intended::Declared
    );
    assert!(!rows.withdraw_intent(&key, &lease, b"b").await.unwrap());
    assert_eq!(declare(&*rows, &key, &lease, b"a").await, Intended::WasLeft);
    // How a user stands is another matter, and is not touched by it.
    let found = rows.find_connection(&key).await.unwrap();
    assert_eq!(found, Some(standing));
}

/// Who lost the lease by time neither declares nor takes back what the next one declared.
pub async fn a_late_withdrawal_leaves_the_next_holders_intent(store: &dyn Store) {
    let (rows, key) = (rows(store), key("linear"));
    store_credential(store, &key, b"a").await;
    let late = acquire(&*rows, &key, "a", 1).await.unwrap();
    assert_eq!(declare(&*rows, &key, &late, b"a").await, Intended::Declared);
    let held = outlast(&*rows, &key, "b", LONG).await;
    // Even before the next one declared: what is there was not taken back in time.
    assert!(!rows.withdraw_intent(&key, &late, b"a").await.unwrap());
    assert_eq!(declare(&*rows, &key, &held, b"a").await, Intended::WasLeft);
    let forged = Lease {
        owner: "a".to_owned(),
        epoch: held.epoch,
    };
    for other in [&late, &forged] {
        assert!(!rows.withdraw_intent(&key, other, b"a").await.unwrap());
        let declared = declare(&*rows, &key, other, b"a").await;
        assert_eq!(declared, Intended::Superseded);
    }
    assert_eq!(declare(&*rows, &key, &held, b"a").await, Intended::WasLeft);
}

/// A213: no tenant declares or takes back anything of another.
pub async fn a213_declares_nothing_of_another(store: &dyn Store) {
    let (rows, key) = (rows(store), key("linear"));
    store_credential(store, &key, b"a").await;
    let lease = acquire(&*rows, &key, "a", LONG).await.unwrap();
    assert_eq!(
        declare(&*rows, &key, &lease, b"a").await,
        Intended::Declared
    );
    let foreign = store.tenant(&tenant("t2"));
    assert!(foreign.declare_intent(&key, &lease, b"a").await.is_err());
    assert!(foreign.withdraw_intent(&key, &lease, b"a").await.is_err());
    assert_eq!(declare(&*rows, &key, &lease, b"a").await, Intended::WasLeft);
}

async fn store_credential(store: &dyn Store, key: &CredentialKey, fingerprint: &[u8]) {
    insert_servers(store, "t1").await;
    let (held, standing) = (
        credential(key, fingerprint),
        connection(key, Standing::Connected),
    );
    let stored = rows(store).replace_credential(&held, &standing).await;
    stored.unwrap();
}

async fn declare(
    rows: &dyn TenantStore,
    key: &CredentialKey,
    lease: &Lease,
    sent: &[u8],
) -> Intended {
    rows.declare_intent(key, lease, sent).await.unwrap()
}

async fn acquire(
    rows: &dyn TenantStore,
    key: &CredentialKey,
    owner: &str,
    ttl_ms: u32,
) -> Option<Lease> {
    rows.acquire_lease(key, owner, ttl_ms).await.unwrap()
}

/// Asks until the holder's time is over, by the database's clock alone.
async fn outlast(rows: &dyn TenantStore, key: &CredentialKey, owner: &str, ttl_ms: u32) -> Lease {
    let mut asked = 0;
    loop {
        if let Some(lease) = acquire(rows, key, owner, ttl_ms).await {
            return lease;
        }
        asked += 1;
        assert!(asked < 100_000, "the lease of {ttl_ms} ms never ended");
    }
}

/// Longer than any test.
const LONG: u32 = 600_000;
