//! What leases promise.

use claviger_model::CredentialKey;
use futures_util::future::join_all;

use super::fixtures::{insert_servers, key, key_of, rows};
use crate::{Lease, Store, TenantStore};

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
