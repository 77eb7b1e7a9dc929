//! What our own API tokens promise.

use claviger_model::ApiTokenId;

use super::fixtures::{api_token, rows};
use crate::{Store, StoreError};

/// A token is found by its MAC until it is deleted; lists go by name.
pub async fn finds_lists_and_deletes(store: &dyn Store) {
    let rows = rows(store);
    let (first, mut second) = (api_token("t1", "a"), api_token("t1", "b"));
    second.servers = None;
    second.expires_at = None;
    assert_eq!(rows.list_api_tokens().await.unwrap(), []);
    rows.insert_api_token(&second).await.unwrap();
    rows.insert_api_token(&first).await.unwrap();
    assert_eq!(
        rows.find_api_token(b"a").await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(
        rows.find_api_token(b"b").await.unwrap(),
        Some(second.clone())
    );
    assert_eq!(rows.find_api_token(b"").await.unwrap(), None);
    let listed = rows.list_api_tokens().await.unwrap();
    assert_eq!(listed, [first.clone(), second.clone()]);
    assert!(rows.delete_api_token(&first.id).await.unwrap());
    assert!(!rows.delete_api_token(&first.id).await.unwrap());
    assert_eq!(rows.find_api_token(b"a").await.unwrap(), None);
    assert_eq!(rows.list_api_tokens().await.unwrap(), [second]);
}

/// A second token with one id or one MAC is a conflict.
pub async fn refuses_a_taken_id_or_mac(store: &dyn Store) {
    let rows = rows(store);
    let first = api_token("t1", "a");
    rows.insert_api_token(&first).await.unwrap();
    let mut same_id = api_token("t1", "b");
    same_id.id = first.id.clone();
    let mut same_mac = api_token("t1", "b");
    same_mac.mac = first.mac.clone();
    for token in [&same_id, &same_mac] {
        let refused = rows.insert_api_token(token).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    assert_eq!(rows.list_api_tokens().await.unwrap(), [first]);
    let absent = ApiTokenId::parse("absent").unwrap();
    assert!(!rows.delete_api_token(&absent).await.unwrap());
}
