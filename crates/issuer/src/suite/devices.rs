//! What rows of devices promise.

use futures_util::future::join_all;

use super::fixtures::{access, at, device, family, mac, user};
use crate::{DeviceDecision, IssuerStore, Poll, PollRefused};
use claviger_wire::ScopeSet;

/// Nothing of a row gets lost.
pub async fn finds_every_field(store: &dyn IssuerStore) {
    assert!(store.insert_device(device("d1", "g1")).await.unwrap());
    let found = store.find_device(&mac("d1 user code"), at(1)).await;
    let found = found.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", device("d1", "g1")));
    let late = store.find_device(&mac("d1 user code"), at(600)).await;
    assert!(late.unwrap().is_none());
    assert!(store.decide_device(&mac("d1"), yes(), at(2)).await.unwrap());
    let found = poll(store, "c1", 3).await.unwrap();
    assert_eq!(found.decision, Some(yes()));
    assert_eq!(found.polled_at, Some(at(3)));
}

/// Two devices never show one code.
pub async fn refuses_a_taken_user_code(store: &dyn IssuerStore) {
    assert!(store.insert_device(device("d1", "g1")).await.unwrap());
    let mut twin = device("d2", "g2");
    twin.user_code_mac = mac("d1 user code");
    assert!(!store.insert_device(twin).await.unwrap());
    let found = store
        .find_device(&mac("d1 user code"), at(1))
        .await
        .unwrap();
    assert_eq!(found.unwrap().grant, "g1");
}

/// What was said first stands, and what is decided is not asked about again.
pub async fn decides_once(store: &dyn IssuerStore) {
    assert!(store.insert_device(device("d1", "g1")).await.unwrap());
    assert!(
        !store
            .decide_device(&mac("d1"), yes(), at(600))
            .await
            .unwrap()
    );
    let no = DeviceDecision::Denied;
    assert!(
        store
            .decide_device(&mac("d1"), no.clone(), at(1))
            .await
            .unwrap()
    );
    assert!(!store.decide_device(&mac("d1"), yes(), at(2)).await.unwrap());
    assert_eq!(poll(store, "c1", 3).await.unwrap().decision, Some(no));
    let found = store.find_device(&mac("d1 user code"), at(3)).await;
    assert!(found.unwrap().is_none());
    assert!(
        !store
            .decide_device(&mac("unknown"), yes(), at(1))
            .await
            .unwrap()
    );
}

/// RFC 8628 §3.5: five seconds more each time.
pub async fn tells_who_asks_too_often(store: &dyn IssuerStore) {
    assert!(store.insert_device(device("d1", "g1")).await.unwrap());
    assert_eq!(
        poll(store, "c2", 0).await.unwrap_err(),
        PollRefused::Unknown
    );
    assert_eq!(poll(store, "c1", 0).await.unwrap().interval_s, 5);
    assert_eq!(
        poll(store, "c1", 4).await.unwrap_err(),
        PollRefused::TooFast
    );
    assert_eq!(
        poll(store, "c1", 13).await.unwrap_err(),
        PollRefused::TooFast
    );
    assert_eq!(poll(store, "c1", 28).await.unwrap().interval_s, 15);
}

/// Of many redemptions one begins a family, and then the device is gone.
pub async fn one_of_many_redeems_it(store: &dyn IssuerStore) {
    assert!(store.insert_device(device("d1", "g1")).await.unwrap());
    assert!(store.decide_device(&mac("d1"), yes(), at(1)).await.unwrap());
    let one = mac("d1");
    let attempts = (0..16).map(|n| {
        let name = format!("r{n}");
        store.redeem_device(&one, family("g1", &name), access(&format!("a{n}"), "g1"))
    });
    let won = join_all(attempts).await.into_iter().map(Result::unwrap);
    assert_eq!(won.filter(|won| *won).count(), 1);
    assert_eq!(
        poll(store, "c1", 9).await.unwrap_err(),
        PollRefused::Unknown
    );
}

/// Neither an undecided nor a refused one.
pub async fn redeems_only_what_is_approved(store: &dyn IssuerStore) {
    for (name, decision) in [("d1", None), ("d2", Some(DeviceDecision::Denied))] {
        assert!(store.insert_device(device(name, "g1")).await.unwrap());
        if let Some(decision) = decision {
            assert!(
                store
                    .decide_device(&mac(name), decision, at(1))
                    .await
                    .unwrap()
            );
        }
        let redeemed = store
            .redeem_device(&mac(name), family("g1", "r1"), access("a1", "g1"))
            .await;
        assert!(!redeemed.unwrap(), "{name}");
    }
    assert!(store.find_access(&mac("a1")).await.unwrap().is_none());
}

fn yes() -> DeviceDecision {
    DeviceDecision::Approved {
        user: user("u1"),
        scopes: ScopeSet::parse_lossy("read"),
    }
}

async fn poll(
    store: &dyn IssuerStore,
    client_id: &str,
    secs: i64,
) -> Result<crate::DeviceRow, PollRefused> {
    let poll = Poll {
        mac: &mac("d1"),
        client_id,
        now: at(secs),
    };
    store.poll_device(&poll).await.unwrap()
}
