//! What rows of clients promise.

use super::fixtures::{access, at, client, code, device, family, mac, pending, pushed};
use crate::{AuthMethod, IssuerStore};

/// Nothing of a row gets lost.
pub async fn finds_every_field(store: &dyn IssuerStore) {
    store.insert_client(client("c1")).await.unwrap();
    let found = store.find_client("c1").await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", client("c1")));
    let mut bare = client("c2");
    bare.name = None;
    bare.secret_mac = None;
    bare.keys = Vec::new();
    bare.user = None;
    bare.resource = None;
    bare.registration_mac = None;
    bare.used_at = None;
    store.insert_client(bare.clone()).await.unwrap();
    let found = store.find_client("c2").await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{bare:?}"));
    assert!(store.find_client("c3").await.unwrap().is_none());
}

/// The whole row, and no new one.
pub async fn updates_only_what_is_there(store: &dyn IssuerStore) {
    assert!(!store.update_client(client("c1")).await.unwrap());
    assert!(store.find_client("c1").await.unwrap().is_none());
    store.insert_client(client("c1")).await.unwrap();
    let mut changed = client("c1");
    changed.auth = AuthMethod::SecretBasic;
    changed.name = None;
    changed.redirect_uris.truncate(1);
    assert!(store.update_client(changed.clone()).await.unwrap());
    let found = store.find_client("c1").await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{changed:?}"));
}

/// A row is not written for every request.
pub async fn is_used_once_a_day(store: &dyn IssuerStore) {
    let mut fresh = client("c1");
    fresh.used_at = None;
    store.insert_client(fresh).await.unwrap();
    for (secs, expected) in [(5, 5), (86_404, 5), (86_405, 86_405)] {
        store.use_client("c1", at(secs)).await.unwrap();
        let found = store.find_client("c1").await.unwrap().unwrap();
        assert_eq!(found.used_at, Some(at(expected)));
    }
    store.use_client("c2", at(0)).await.unwrap();
}

/// With its requests, codes, grants and tokens; nothing of another client.
pub async fn a046_retiring_ends_everything_of_one(store: &dyn IssuerStore) {
    for (id, n) in [("c1", 1), ("c2", 2)] {
        let grant = format!("g{n}");
        let name = |what: &str| format!("{what}{n}");
        let mut rows = (
            pending(&name("p")),
            pushed(&name("x")),
            code(&name("k"), &name("h")),
            device(&name("d"), &name("i")),
            family(&grant, &name("r")),
            access(&name("a"), &grant),
        );
        id.clone_into(&mut rows.0.client_id);
        id.clone_into(&mut rows.1.client_id);
        id.clone_into(&mut rows.2.client_id);
        id.clone_into(&mut rows.3.client_id);
        id.clone_into(&mut rows.4.client_id);
        id.clone_into(&mut rows.5.client_id);
        store.insert_client(client(id)).await.unwrap();
        store.insert_pending(rows.0).await.unwrap();
        store.insert_pushed(rows.1).await.unwrap();
        store.insert_code(rows.2).await.unwrap();
        assert!(store.insert_device(rows.3).await.unwrap());
        store.insert_family(rows.4, rows.5).await.unwrap();
    }
    store.retire_client("c1", at(9)).await.unwrap();
    for (n, lives) in [(1, false), (2, true)] {
        let of = |what: &str| mac(&format!("{what}{n}"));
        let id = format!("c{n}");
        let found = store.find_client(&id).await.unwrap().is_some();
        assert_eq!(found, lives);
        let found = store.find_pending(&format!("p{n}")).await.unwrap();
        assert_eq!(found.is_some(), lives);
        let found = store.take_pushed(&of("x"), &id).await.unwrap();
        assert_eq!(found.is_some(), lives);
        let found = store.find_code(&of("k")).await.unwrap();
        assert_eq!(found.is_some(), lives);
        let user_code = mac(&format!("d{n} user code"));
        let found = store.find_device(&user_code, at(9)).await.unwrap();
        assert_eq!(found.is_some(), lives);
        let found = store.find_access(&of("a")).await.unwrap();
        assert_eq!(found.is_some(), lives);
    }
}

/// A signed id would else come back.
pub async fn a046_a_retired_id_is_remembered(store: &dyn IssuerStore) {
    assert!(!store.is_client_retired("c1").await.unwrap());
    store.retire_client("c1", at(0)).await.unwrap();
    store.retire_client("c1", at(1)).await.unwrap();
    assert!(store.is_client_retired("c1").await.unwrap());
    assert!(!store.is_client_retired("c2").await.unwrap());
}
