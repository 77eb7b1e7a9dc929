//! What rows of grants promise.

use futures_util::future::{join, join_all};

use super::fixtures::{GRANT, access, at, client, code, family, mac, pending, rotate, user};
use crate::{FamilyMatch, IssuerStore};

/// Nothing of a row gets lost.
pub async fn finds_every_field(store: &dyn IssuerStore) {
    begin(store).await;
    let Some(FamilyMatch::Current(found)) = store.find_family(&mac("r1")).await.unwrap() else {
        panic!("not found");
    };
    assert_eq!(format!("{found:?}"), format!("{:?}", family(GRANT, "r1")));
    let found = store.find_access(&mac("a1")).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", access("a1", GRANT)));
    assert!(store.find_family(&mac("r2")).await.unwrap().is_none());
    assert!(store.find_access(&mac("r1")).await.unwrap().is_none());

    assert!(store.rotate(rotate("r1", "r2", 7)).await.unwrap());
    let Some(FamilyMatch::Current(found)) = store.find_family(&mac("r2")).await.unwrap() else {
        panic!("not found");
    };
    let replay = found.replay.unwrap();
    assert_eq!(replay.previous_mac, mac("r1"));
    assert_eq!(replay.sealed, b"answer r2");
    assert_eq!((replay.rotated_at, replay.uses), (at(7), 0));
    assert_eq!(found.idle_expires_at, at(1_007));
    assert_eq!(found.expires_at, at(9_000));
}

/// However long ago a token was spent, its family is known.
pub async fn a109_knows_spent_tokens_again(store: &dyn IssuerStore) {
    begin(store).await;
    for (from, to) in [("r1", "r2"), ("r2", "r3"), ("r3", "r4")] {
        assert!(store.rotate(rotate(from, to, 1)).await.unwrap());
    }
    for spent in ["r1", "r2", "r3"] {
        let found = store.find_family(&mac(spent)).await.unwrap();
        assert!(matches!(found, Some(FamilyMatch::Spent(_))), "{spent}");
        assert!(!store.rotate(rotate(spent, "fork", 1)).await.unwrap());
    }
    assert!(store.find_family(&mac("fork")).await.unwrap().is_none());
    let fork = store.find_access(&mac("access fork")).await.unwrap();
    assert!(fork.is_none());
}

/// Of many rotations of one token one happens.
pub async fn a113_one_of_many_rotates(store: &dyn IssuerStore) {
    begin(store).await;
    let names: Vec<String> = (0..24).map(|n| format!("next {n}")).collect();
    let attempts = names.iter().map(|next| store.rotate(rotate("r1", next, 1)));
    let won: Vec<bool> = join_all(attempts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    for (next, won) in names.iter().zip(won) {
        assert_eq!(store.find_family(&mac(next)).await.unwrap().is_some(), won);
        let access = store.find_access(&mac(&format!("access {next}"))).await;
        assert_eq!(access.unwrap().is_some(), won);
    }
}

/// Whatever order they come in, nothing lives after the revocation answered.
pub async fn a114_a_revoked_family_does_not_rotate(store: &dyn IssuerStore) {
    begin(store).await;
    let revoke = async {
        store.revoke_grant(GRANT, at(1)).await.unwrap();
        true
    };
    let rotated = async { store.rotate(rotate("r1", "r2", 1)).await.unwrap() };
    join(rotated, revoke).await;
    for name in ["a1", "access r2"] {
        assert!(store.find_access(&mac(name)).await.unwrap().is_none());
    }
    for current in ["r1", "r2"] {
        assert!(!store.rotate(rotate(current, "r3", 2)).await.unwrap());
    }
    assert!(
        store
            .find_access(&mac("access r3"))
            .await
            .unwrap()
            .is_none()
    );
}

/// Neither after its end nor after it was idle too long.
pub async fn a117_a_family_that_is_over_does_not_rotate(store: &dyn IssuerStore) {
    begin(store).await;
    assert!(!store.rotate(rotate("r1", "r2", 1_000)).await.unwrap());
    assert!(store.rotate(rotate("r1", "r2", 999)).await.unwrap());
    let mut late = rotate("r2", "r3", 1_998);
    late.idle_expires_at = at(20_000);
    assert!(store.rotate(late).await.unwrap());
    assert!(!store.rotate(rotate("r3", "r4", 9_000)).await.unwrap());
    assert!(store.rotate(rotate("r3", "r4", 8_999)).await.unwrap());
}

/// The grant, its refresh tokens and its access tokens; nothing of another.
pub async fn a138_revoking_a_grant_ends_its_tokens(store: &dyn IssuerStore) {
    begin(store).await;
    let other = (family("g2", "q1"), access("b1", "g2"));
    store.insert_family(other.0, other.1).await.unwrap();
    assert!(store.rotate(rotate("r1", "r2", 1)).await.unwrap());
    store.revoke_grant(GRANT, at(5)).await.unwrap();
    store.revoke_grant(GRANT, at(6)).await.unwrap();
    for name in ["a1", "access r2"] {
        assert!(store.find_access(&mac(name)).await.unwrap().is_none());
    }
    let Some(FamilyMatch::Current(found)) = store.find_family(&mac("r2")).await.unwrap() else {
        panic!("not found");
    };
    assert_eq!(found.revoked_at, Some(at(5)));
    // What nobody may have again is not kept.
    assert_eq!(found.replay, None);
    assert!(store.find_access(&mac("b1")).await.unwrap().is_some());
    let other = store.find_family(&mac("q1")).await.unwrap();
    assert!(matches!(other, Some(FamilyMatch::Current(row)) if row.revoked_at.is_none()));
}

/// Every grant of the user, with what would begin another; nobody else's.
pub async fn a118_revoking_a_user_ends_all_of_one(store: &dyn IssuerStore) {
    begin(store).await;
    store.insert_client(client("c1")).await.unwrap();
    let mut other = (family("g2", "q1"), access("b1", "g2"));
    other.0.user = user("u2");
    other.1.user = user("u2");
    store.insert_family(other.0, other.1).await.unwrap();
    store.insert_code(code("k1", "g3")).await.unwrap();
    store.insert_pending(pending("p1")).await.unwrap();
    store.revoke_user(&user("u1"), at(5)).await.unwrap();
    assert!(store.find_access(&mac("a1")).await.unwrap().is_none());
    assert!(!store.rotate(rotate("r1", "r2", 6)).await.unwrap());
    assert!(store.find_code(&mac("k1")).await.unwrap().is_none());
    assert!(store.find_pending("p1").await.unwrap().is_none());
    assert!(store.find_access(&mac("b1")).await.unwrap().is_some());
}

/// One access token is not the grant.
pub async fn revoking_an_access_token_leaves_the_grant(store: &dyn IssuerStore) {
    begin(store).await;
    assert!(store.rotate(rotate("r1", "r2", 1)).await.unwrap());
    store.revoke_access(&mac("a1")).await.unwrap();
    assert!(store.find_access(&mac("a1")).await.unwrap().is_none());
    assert!(
        store
            .find_access(&mac("access r2"))
            .await
            .unwrap()
            .is_some()
    );
    assert!(store.rotate(rotate("r2", "r3", 2)).await.unwrap());
}

async fn begin(store: &dyn IssuerStore) {
    store
        .insert_family(family(GRANT, "r1"), access("a1", GRANT))
        .await
        .unwrap();
}
