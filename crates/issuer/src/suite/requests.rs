//! What rows of authorization requests promise.

use futures_util::future::join_all;

use super::fixtures::{access, at, code, family, mac, pending, pushed};
use crate::{AnswerTo, IssuerStore, MAX_CODE_FAILURES};

/// Nothing of a row gets lost.
pub async fn finds_every_field(store: &dyn IssuerStore) {
    store.insert_pending(pending("p1")).await.unwrap();
    let mut device = pending("p2");
    device.answer_to = AnswerTo::Device { mac: mac("d1") };
    store.insert_pending(device.clone()).await.unwrap();
    for expected in [pending("p1"), device] {
        let found = store.find_pending(&expected.id).await.unwrap().unwrap();
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        if let AnswerTo::Redirect { state, .. } = found.answer_to {
            assert_eq!(state.unwrap().expose(), "s t&=");
        }
    }
    store.insert_code(code("k1", "g1")).await.unwrap();
    let found = store.find_code(&mac("k1")).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", code("k1", "g1")));
    store.insert_pushed(pushed("x1")).await.unwrap();
    let found = store.take_pushed(&mac("x1"), "c1").await.unwrap().unwrap();
    assert_eq!(found.parameters.expose(), "a=1&b=%20");
    assert_eq!(format!("{found:?}"), format!("{:?}", pushed("x1")));
}

/// Of many one gets it.
pub async fn pending_is_taken_once(store: &dyn IssuerStore) {
    store.insert_pending(pending("p1")).await.unwrap();
    store.insert_pending(pending("p2")).await.unwrap();
    let taken = join_all((0..16).map(|_| store.take_pending("p1"))).await;
    assert_eq!(taken.into_iter().filter_map(Result::unwrap).count(), 1);
    assert!(store.find_pending("p1").await.unwrap().is_none());
    assert!(store.find_pending("p2").await.unwrap().is_some());
}

/// Another client's attempt removes nothing.
pub async fn a070_pushed_is_taken_once_by_its_client(store: &dyn IssuerStore) {
    store.insert_pushed(pushed("x1")).await.unwrap();
    let stranger = store.take_pushed(&mac("x1"), "c2").await.unwrap();
    assert!(stranger.is_none());
    let one = mac("x1");
    let taken = join_all((0..16).map(|_| store.take_pushed(&one, "c1"))).await;
    assert_eq!(taken.into_iter().filter_map(Result::unwrap).count(), 1);
}

/// Of many redemptions one begins a family.
pub async fn a094_one_of_many_redeems_a_code(store: &dyn IssuerStore) {
    store.insert_code(code("k1", "g1")).await.unwrap();
    let names: Vec<String> = (0..24).map(|n| format!("n{n}")).collect();
    let one = mac("k1");
    let attempts = names.iter().map(|name| {
        let access = access(&format!("access {name}"), "g1");
        store.redeem_code(&one, family("g1", name), access)
    });
    let won: Vec<bool> = join_all(attempts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    for (name, won) in names.iter().zip(won) {
        assert_eq!(store.find_family(&mac(name)).await.unwrap().is_some(), won);
        let access = store.find_access(&mac(&format!("access {name}"))).await;
        assert_eq!(access.unwrap().is_some(), won);
    }
}

/// The third wrong verifier burns it, before and after its redemption.
pub async fn a096_three_failures_burn_a_code(store: &dyn IssuerStore) {
    store.insert_code(code("k1", "g1")).await.unwrap();
    for n in 1..=MAX_CODE_FAILURES {
        store.count_code_failure(&mac("k1")).await.unwrap();
        let found = store.find_code(&mac("k1")).await.unwrap().unwrap();
        assert_eq!(found.failures, n);
    }
    let redeemed = store
        .redeem_code(&mac("k1"), family("g1", "r1"), access("a1", "g1"))
        .await;
    assert!(!redeemed.unwrap());
    assert!(store.find_access(&mac("a1")).await.unwrap().is_none());
    store.count_code_failure(&mac("unknown")).await.unwrap();
}

/// A second redemption has to be seen.
pub async fn keeps_redeemed_codes(store: &dyn IssuerStore) {
    store.insert_code(code("k1", "g1")).await.unwrap();
    let redeemed = store
        .redeem_code(&mac("k1"), family("g1", "r1"), access("a1", "g1"))
        .await;
    assert!(redeemed.unwrap());
    store.sweep(at(600)).await.unwrap();
    let found = store.find_code(&mac("k1")).await.unwrap().unwrap();
    assert!(found.is_redeemed);
}
