//! The store in memory keeps what every store promises, and its own bounds.

use crate::memory::{MemoryLimits, MemoryStore};
use crate::suite::fixtures::{at, client, device, mac, pending, pushed};
use crate::{ClientOrigin, ClientRows, DeviceRows, IssuerStoreError, OnceRows, RequestRows};

crate::issuer_suite!(make);

/// Memory needs nobody to keep it.
async fn make() -> (String, MemoryStore) {
    core::future::ready((String::new(), MemoryStore::default())).await
}

fn small() -> MemoryStore {
    MemoryStore::new(MemoryLimits {
        clients: 2,
        pending: 2,
        once: 2,
    })
}

#[tokio::test]
async fn a073_a244_abandoned_requests_give_way() {
    let store = small();
    for n in 0..3 {
        let (mut row, mut push, mut dev) = (
            pending(&n.to_string()),
            pushed(&n.to_string()),
            device(&n.to_string(), "g"),
        );
        row.expires_at = at(n);
        push.expires_at = at(n);
        dev.expires_at = at(n + 10);
        store.insert_pending(row).await.unwrap();
        store.insert_pushed(push).await.unwrap();
        assert!(store.insert_device(dev).await.unwrap());
    }
    for (n, lives) in [("0", false), ("1", true), ("2", true)] {
        assert_eq!(store.find_pending(n).await.unwrap().is_some(), lives);
        let found = store.take_pushed(&mac(n), "c1").await.unwrap();
        assert_eq!(found.is_some(), lives);
        let code = mac(&format!("{n} user code"));
        let found = store.find_device(&code, at(0)).await.unwrap();
        assert_eq!(found.is_some(), lives);
    }
}

#[tokio::test]
async fn a028_a_flood_of_clients_ends_at_the_bound() {
    let store = small();
    for (id, fits) in [("c1", true), ("c2", true), ("c3", false)] {
        assert_eq!(store.insert_client(client(id)).await.is_ok(), fits);
        assert_eq!(
            store.retire_client(&format!("x{id}"), at(0)).await.is_ok(),
            fits
        );
    }
    // An operator is no flood.
    let mut own = client("c4");
    own.origin = ClientOrigin::Static;
    assert!(store.insert_client(own).await.is_ok());
}

#[tokio::test]
async fn what_is_good_once_is_never_forgotten_for_room() {
    let store = small();
    for name in ["j1", "j2"] {
        assert!(store.claim_once(&mac(name), at(60), at(0)).await.unwrap());
    }
    let full = store.claim_once(&mac("j3"), at(60), at(1)).await;
    assert!(matches!(full, Err(IssuerStoreError::Full)));
    assert!(store.claim_once(&mac("j3"), at(99), at(60)).await.unwrap());
}
