//! What a sweep promises.

use super::fixtures::{access, at, client, code, device, family, mac, pending, pushed};
use crate::{ClientOrigin, IssuerStore};

const DAY_S: i64 = 86_400;

/// By the clock, row by row; a spent token is known until its family ends.
pub async fn deletes_what_is_over_and_nothing_else(store: &dyn IssuerStore) {
    store.insert_pending(pending("p1")).await.unwrap();
    store.insert_pushed(pushed("x1")).await.unwrap();
    store.insert_code(code("k1", "g2")).await.unwrap();
    assert!(store.insert_device(device("d1", "g3")).await.unwrap());
    let begun = store.insert_family(family("g1", "r1"), access("a1", "g1"));
    begun.await.unwrap();
    store.sweep(at(59)).await.unwrap();
    assert!(store.take_pushed(&mac("x1"), "c1").await.unwrap().is_some());
    store.sweep(at(599)).await.unwrap();
    assert!(store.find_pending("p1").await.unwrap().is_some());
    assert!(store.find_access(&mac("a1")).await.unwrap().is_some());
    store.sweep(at(600)).await.unwrap();
    assert!(store.find_pending("p1").await.unwrap().is_none());
    assert!(store.find_access(&mac("a1")).await.unwrap().is_none());
    assert!(store.insert_device(device("d1", "g3")).await.unwrap());
    store.sweep(at(8_999)).await.unwrap();
    assert!(store.find_code(&mac("k1")).await.unwrap().is_none());
    assert!(store.find_family(&mac("r1")).await.unwrap().is_some());
    store.sweep(at(9_000)).await.unwrap();
    assert!(store.find_family(&mac("r1")).await.unwrap().is_none());
}

/// After a day without use, or half a year; never what an operator registered.
pub async fn a028_forgets_clients_nobody_used(store: &dyn IssuerStore) {
    let rows = [
        ("new", ClientOrigin::Dynamic, None),
        ("used", ClientOrigin::Dynamic, Some(at(0))),
        ("own", ClientOrigin::Static, None),
    ];
    for (id, origin, used_at) in rows {
        let mut row = client(id);
        row.origin = origin;
        row.used_at = used_at;
        store.insert_client(row).await.unwrap();
    }
    for (secs, expected) in [
        (DAY_S - 1, [true, true, true]),
        (DAY_S, [false, true, true]),
        (180 * DAY_S - 1, [false, true, true]),
        (180 * DAY_S, [false, false, true]),
    ] {
        store.sweep(at(secs)).await.unwrap();
        let mut found = [false; 3];
        for (found, (id, _, _)) in found.iter_mut().zip(rows) {
            *found = store.find_client(id).await.unwrap().is_some();
        }
        assert_eq!(found, expected, "{secs}");
    }
}
