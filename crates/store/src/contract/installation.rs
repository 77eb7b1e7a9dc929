//! What the installation's row promises.

use futures_util::future::join_all;

use super::fixtures::{at, installation};
use crate::{Store, StoreError};

/// There is one; the first that makes it wins.
pub async fn there_is_one(store: &dyn Store) {
    let own = store.installation();
    assert_eq!(own.find_installation().await.unwrap(), None);
    assert!(!own.update_installation(&installation()).await.unwrap());
    let rows: Vec<_> = (0..4)
        .map(|n| {
            let mut row = installation();
            row.id = format!("c{n}");
            row
        })
        .collect();
    let made = join_all(rows.iter().map(|row| own.insert_installation(row))).await;
    let mut winners = Vec::new();
    for (done, row) in made.into_iter().zip(rows) {
        match done {
            Ok(()) => winners.push(row),
            Err(error) => assert!(matches!(error, StoreError::Conflict), "{error:?}"),
        }
    }
    let found = own.find_installation().await.unwrap();
    assert_eq!(winners, Vec::from_iter(found));
}

/// Its epoch never goes back, and who it is never changes.
pub async fn f31_its_epoch_never_goes_back(store: &dyn Store) {
    let own = store.installation();
    let first = installation();
    own.insert_installation(&first).await.unwrap();
    let mut next = first.clone();
    next.restore_epoch += 1;
    next.restored_at = None;
    next.is_held = false;
    assert!(own.update_installation(&next).await.unwrap());
    assert!(!own.update_installation(&first).await.unwrap());
    assert_eq!(own.find_installation().await.unwrap(), Some(next.clone()));
    // The same epoch may be written again: whether it is held changes by itself.
    let mut renamed = next.clone();
    renamed.is_held = true;
    renamed.id = String::from("another");
    renamed.created_at = at(99);
    assert!(own.update_installation(&renamed).await.unwrap());
    next.is_held = true;
    assert_eq!(own.find_installation().await.unwrap(), Some(next));
}
