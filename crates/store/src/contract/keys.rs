//! What wrapped keys promise.

use futures_util::future::join_all;

use super::fixtures::key_row;
use crate::{Store, StoreError};

/// Keys are listed by tenant, purpose and generation, the installation's own first.
pub async fn lists_in_order(store: &dyn Store) {
    let keys = store.keys();
    let rows = [
        key_row(None, "journal", 1),
        key_row(None, "mac", 1),
        key_row(None, "mac", 2),
        key_row(Some("t1"), "tenant", 1),
        key_row(Some("t2"), "tenant", 1),
        key_row(Some("t2"), "tenant", 10),
    ];
    assert_eq!(keys.list_keys().await.unwrap(), []);
    for row in rows.iter().rev() {
        keys.insert_key(row).await.unwrap();
    }
    assert_eq!(keys.list_keys().await.unwrap(), rows);
}

/// Of several processes that make the first key at once, one writes it and the others learn it.
pub async fn refuses_a_second_key_of_one_generation(store: &dyn Store) {
    let keys = store.keys();
    for tenant in [None, Some("t1")] {
        let rows: Vec<_> = (0..4_u8)
            .map(|n| {
                let mut row = key_row(tenant, "tenant", 1);
                row.wrapped = vec![n; 130];
                row
            })
            .collect();
        let inserted = join_all(rows.iter().map(|row| keys.insert_key(row))).await;
        let mut written = Vec::new();
        for (row, done) in rows.iter().zip(inserted) {
            match done {
                Err(StoreError::Conflict) => {}
                done => {
                    done.unwrap();
                    written.push(row);
                }
            }
        }
        assert_eq!(written.len(), 1);
        let stored = keys.list_keys().await.unwrap();
        let stored: Vec<_> = stored
            .iter()
            .filter(|row| row.tenant == written[0].tenant)
            .collect();
        assert_eq!(stored, written);
    }
}

/// A key is wrapped anew if it is still wrapped as it was seen, and by one of several that try.
pub async fn rewraps_what_was_seen(store: &dyn Store) {
    let keys = store.keys();
    let first = key_row(Some("t1"), "tenant", 1);
    let other = key_row(None, "mac", 1);
    keys.insert_key(&first).await.unwrap();
    keys.insert_key(&other).await.unwrap();
    let fresh: Vec<_> = (0..4_u8)
        .map(|n| {
            let mut row = first.clone();
            row.kek_id = vec![n + 10; 8];
            row.wrapped = vec![n; 130];
            row
        })
        .collect();
    let stale = keys.rewrap_key(&fresh[0], &[0; 8]).await.unwrap();
    assert!(!stale);
    let done = join_all(fresh.iter().map(|row| keys.rewrap_key(row, &first.kek_id))).await;
    let won: Vec<_> = fresh
        .iter()
        .zip(done)
        .filter(|(_, done)| *done.as_ref().unwrap())
        .map(|(row, _)| row.clone())
        .collect();
    assert_eq!(won.len(), 1);
    let listed = keys.list_keys().await.unwrap();
    assert_eq!(listed, [other, won[0].clone()]);
    let absent = key_row(Some("t2"), "tenant", 1);
    assert!(!keys.rewrap_key(&absent, &absent.kek_id).await.unwrap());
}
