//! What is good once.

use futures_util::future::join_all;

use super::fixtures::{at, mac};
use crate::IssuerStore;

/// The second time is one too many.
pub async fn is_good_once(store: &dyn IssuerStore) {
    assert!(store.claim_once(&mac("j1"), at(60), at(0)).await.unwrap());
    assert!(!store.claim_once(&mac("j1"), at(60), at(59)).await.unwrap());
    assert!(store.claim_once(&mac("j2"), at(60), at(0)).await.unwrap());
    store.sweep(at(59)).await.unwrap();
    assert!(!store.claim_once(&mac("j1"), at(90), at(59)).await.unwrap());
}

/// By then what it stood for is refused for its age.
pub async fn is_good_again_when_it_is_over(store: &dyn IssuerStore) {
    assert!(store.claim_once(&mac("j1"), at(60), at(0)).await.unwrap());
    assert!(store.claim_once(&mac("j1"), at(120), at(60)).await.unwrap());
    assert!(
        !store
            .claim_once(&mac("j1"), at(180), at(119))
            .await
            .unwrap()
    );
}

/// Of many one hears yes.
pub async fn one_of_many_claims_it(store: &dyn IssuerStore) {
    let one = mac("j1");
    let claims = join_all((0..24).map(|_| store.claim_once(&one, at(60), at(0)))).await;
    assert_eq!(
        claims
            .into_iter()
            .filter(|won| *won.as_ref().unwrap())
            .count(),
        1
    );
}
