//! What the grace of a refresh token promises.

use futures_util::future::join_all;

use super::fixtures::{GRANT, access, at, family, mac, rotate};
use crate::{IssuerStore, RefreshGrace, ReplayClaim};

/// For the first seconds as often as asked.
pub async fn a110_gives_the_last_answer_freely_at_first(store: &dyn IssuerStore) {
    rotated(store).await;
    for n in 0..12 {
        assert_eq!(
            claim(store, "r1", 10 + n % 6).await.as_deref(),
            Some("answer r2")
        );
    }
    // None of these counted.
    for _ in 0..3 {
        assert!(claim(store, "r1", 40).await.is_some());
    }
}

/// Then three times until it is over, and nothing to a token that was never answered.
pub async fn a112_gives_it_three_times_later(store: &dyn IssuerStore) {
    rotated(store).await;
    assert!(claim(store, "r2", 11).await.is_none());
    assert!(claim(store, "unknown", 11).await.is_none());
    assert!(claim(store, "r1", 41).await.is_none());
    for secs in [16, 30, 40] {
        assert!(claim(store, "r1", secs).await.is_some(), "{secs}");
    }
    assert!(claim(store, "r1", 17).await.is_none());
    // A clock that went back is no reason to refuse.
    assert!(claim(store, "r1", 8).await.is_some());
}

/// Who has the successor has the answer.
pub async fn a111_gives_nothing_once_the_successor_was_used(store: &dyn IssuerStore) {
    rotated(store).await;
    assert!(store.rotate(rotate("r2", "r3", 11)).await.unwrap());
    assert!(claim(store, "r1", 11).await.is_none());
    assert_eq!(claim(store, "r2", 12).await.as_deref(), Some("answer r3"));
    let mut strict = rotate("r3", "r4", 13);
    strict.sealed = None;
    assert!(store.rotate(strict).await.unwrap());
    for spent in ["r1", "r2", "r3"] {
        assert!(claim(store, spent, 13).await.is_none(), "{spent}");
    }
}

/// Neither of a revoked one nor of one that is over.
pub async fn gives_nothing_of_a_revoked_family(store: &dyn IssuerStore) {
    let mut short = family(GRANT, "r1");
    short.expires_at = at(12);
    store
        .insert_family(short, access("a1", GRANT))
        .await
        .unwrap();
    assert!(store.rotate(rotate("r1", "r2", 10)).await.unwrap());
    assert!(claim(store, "r1", 11).await.is_some());
    assert!(claim(store, "r1", 12).await.is_none());
    store.revoke_grant(GRANT, at(11)).await.unwrap();
    assert!(claim(store, "r1", 11).await.is_none());
}

/// However many ask at once.
pub async fn many_at_once_get_three(store: &dyn IssuerStore) {
    rotated(store).await;
    let attempts = (0..24).map(|_| claim(store, "r1", 20));
    let given = join_all(attempts).await;
    assert_eq!(given.iter().flatten().count(), 3);
}

/// A family that was rotated once, at second 10.
async fn rotated(store: &dyn IssuerStore) {
    store
        .insert_family(family(GRANT, "r1"), access("a1", GRANT))
        .await
        .unwrap();
    assert!(store.rotate(rotate("r1", "r2", 10)).await.unwrap());
}

async fn claim(store: &dyn IssuerStore, previous: &str, secs: i64) -> Option<String> {
    let claim = ReplayClaim {
        previous: mac(previous),
        grace: RefreshGrace::default(),
        now: at(secs),
    };
    let family = store.claim_replay(&claim).await.unwrap()?;
    String::from_utf8(family.replay.unwrap().sealed).ok()
}
