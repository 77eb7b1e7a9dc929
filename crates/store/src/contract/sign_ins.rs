//! What sign-ins in flight promise.

use claviger_model::{Credential, Outcome, SignIn, Standing};
use futures_util::future::join_all;

use super::fixtures::{
    at, connection, credential, insert_servers, key, key_of, revocation, rows, sign_in, tenant,
};
use crate::{Store, StoreError};

/// M3: a second sign-in for one key is refused, taken or not, until the first has ended.
pub async fn m3_one_is_open_per_key(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    rows.insert_sign_in(&sign_in(&key, "i1")).await.unwrap();
    let mut second = sign_in(&key, "i2");
    second.created_at = at(299);
    second.expires_at = at(599);
    let refused = rows.insert_sign_in(&second).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let taken = rows.take_sign_in(b"i1", at(290)).await.unwrap();
    assert_eq!(taken, Some(sign_in(&key, "i1")));
    let refused = rows.insert_sign_in(&second).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    for other in [
        key_of("t1", "u2", "linear", "default"),
        key_of("t1", "u1", "linear", "work"),
        key_of("t1", "u1", "notion", "default"),
    ] {
        let id = format!("{}-{}-{}", other.user, other.server, other.account);
        rows.insert_sign_in(&sign_in(&other, &id)).await.unwrap();
    }
    let first = sign_in(&key, "i1").id;
    assert!(rows.end_sign_in(&first, Outcome::Cancelled).await.unwrap());
    rows.insert_sign_in(&second).await.unwrap();
    let racing: Vec<SignIn> = ["a", "b", "c", "d"]
        .map(|id| sign_in(&key_of("t1", "u3", "linear", "default"), id))
        .into();
    let inserted = join_all(racing.iter().map(|row| rows.insert_sign_in(row))).await;
    assert_eq!(inserted.iter().filter(|done| done.is_ok()).count(), 1);
}

/// An open one whose time is over by the start of the next is ended as timed out.
pub async fn an_expired_one_makes_room(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let first = sign_in(&key, "i1");
    rows.insert_sign_in(&first).await.unwrap();
    let mut second = sign_in(&key, "i2");
    second.created_at = at(300);
    second.expires_at = at(600);
    rows.insert_sign_in(&second).await.unwrap();
    let ended = rows.find_sign_in(&first.id).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::TimedOut));
    assert_eq!(ended.sealed, b"");
    let open = rows.find_open_sign_in(&key, at(300)).await.unwrap();
    assert_eq!(open, Some(second));
}

/// F04: an exchange whose process died stands in nobody's way for long, and one that only was slow
/// stores nothing once another sign-in has taken its place.
pub async fn f04_an_exchange_that_died_makes_way(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let first = sign_in(&key, "i1");
    rows.insert_sign_in(&first).await.unwrap();
    rows.take_sign_in(b"i1", at(1)).await.unwrap().unwrap();
    let open = rows.find_open_sign_in(&key, at(45)).await.unwrap();
    assert_eq!(open.as_ref(), Some(&first));
    assert_eq!(rows.find_open_sign_in(&key, at(46)).await.unwrap(), None);
    let mut second = sign_in(&key, "i2");
    second.created_at = at(46);
    second.expires_at = at(346);
    rows.insert_sign_in(&second).await.unwrap();
    let (held, standing) = (
        credential(&key, b"a"),
        connection(&key, Standing::Connected),
    );
    let late = rows.complete_sign_in(&first.id, &held, &standing, None);
    assert!(!late.await.unwrap());
    let ended = rows.find_sign_in(&first.id).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::TimedOut));
    let open = rows.find_open_sign_in(&key, at(46)).await.unwrap();
    assert_eq!(open, Some(second));
}

/// A074: a `state` works once.
pub async fn a074_is_taken_once(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let row = sign_in(&key("linear"), "i1");
    rows.insert_sign_in(&row).await.unwrap();
    let taken = rows.take_sign_in(b"i1", at(299)).await.unwrap();
    assert_eq!(taken.as_ref(), Some(&row));
    assert_eq!(rows.take_sign_in(b"i1", at(299)).await.unwrap(), None);
    // Taken is not ended: it can still be asked about.
    assert_eq!(rows.find_sign_in(&row.id).await.unwrap(), Some(row));
}

/// A074: of many callbacks with one `state` at once, one goes on.
pub async fn a074_one_of_many_takes_it(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let row = sign_in(&key("linear"), "i1");
    rows.insert_sign_in(&row).await.unwrap();
    let taken = join_all((0..16).map(|_| rows.take_sign_in(b"i1", at(1)))).await;
    let taken: Vec<SignIn> = taken.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [row]);
}

/// A074: an unknown, expired or ended `state` is worth nothing.
pub async fn a074_takes_nothing_expired_ended_or_unknown(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let row = sign_in(&key("linear"), "i1");
    rows.insert_sign_in(&row).await.unwrap();
    for (mac, now) in [
        (&b"i2"[..], at(1)),
        (b"", at(1)),
        (b"i", at(1)),
        (b"i1", at(300)),
    ] {
        assert_eq!(rows.take_sign_in(mac, now).await.unwrap(), None);
    }
    assert!(rows.end_sign_in(&row.id, Outcome::Denied).await.unwrap());
    assert_eq!(rows.take_sign_in(b"i1", at(1)).await.unwrap(), None);
}

/// M4: there is one end; the verifier and the rest of the sealed part are gone with it.
pub async fn m4_ends_once_and_erases(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let outcomes = [
        Outcome::Cancelled,
        Outcome::Denied,
        Outcome::Failed,
        Outcome::Success,
        Outcome::TimedOut,
    ];
    let key = key("linear");
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let row = sign_in(&key, &format!("i{index}"));
        rows.insert_sign_in(&row).await.unwrap();
        assert!(rows.end_sign_in(&row.id, outcome).await.unwrap());
        assert!(!rows.end_sign_in(&row.id, Outcome::Failed).await.unwrap());
        let ended = SignIn {
            outcome: Some(outcome),
            sealed: Vec::new(),
            ..row
        };
        assert_eq!(rows.find_sign_in(&ended.id).await.unwrap(), Some(ended));
    }
    let absent = sign_in(&key, "absent").id;
    assert!(!rows.end_sign_in(&absent, Outcome::Failed).await.unwrap());
    assert_eq!(rows.find_sign_in(&absent).await.unwrap(), None);
}

/// An expired or ended one is not open.
pub async fn finds_the_open_one_only(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    assert_eq!(rows.find_open_sign_in(&key, at(0)).await.unwrap(), None);
    let row = sign_in(&key, "i1");
    rows.insert_sign_in(&row).await.unwrap();
    let open = rows.find_open_sign_in(&key, at(299)).await.unwrap();
    assert_eq!(open.as_ref(), Some(&row));
    assert_eq!(rows.find_open_sign_in(&key, at(300)).await.unwrap(), None);
    assert!(rows.end_sign_in(&row.id, Outcome::Success).await.unwrap());
    assert_eq!(rows.find_open_sign_in(&key, at(1)).await.unwrap(), None);
}

/// M4: the end of a sign-in and its credential stand in one transaction, and it ends once.
pub async fn completes_once_with_its_credential(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let (row, held) = (sign_in(&key, "i1"), credential(&key, b"a"));
    let standing = connection(&key, Standing::Connected);
    let unknown = rows.complete_sign_in(&row.id, &held, &standing, None).await;
    assert!(!unknown.unwrap());
    rows.insert_sign_in(&row).await.unwrap();
    // It was begun for another account.
    let work = key_of("t1", "u1", "linear", "work");
    let (other, theirs) = (
        credential(&work, b"b"),
        connection(&work, Standing::Connected),
    );
    let foreign = rows.complete_sign_in(&row.id, &other, &theirs, None).await;
    assert!(!foreign.unwrap());
    assert_eq!(rows.find_credential(&work).await.unwrap(), None);
    let elsewhere = store.tenant(&tenant("t2"));
    let foreign = elsewhere
        .complete_sign_in(&row.id, &held, &standing, None)
        .await;
    assert!(foreign.is_err());

    let done = rows.complete_sign_in(&row.id, &held, &standing, None).await;
    assert!(done.unwrap());
    let ended = rows.find_sign_in(&row.id).await.unwrap().unwrap();
    assert_eq!(
        (ended.outcome, &*ended.sealed),
        (Some(Outcome::Success), &b""[..])
    );
    assert_eq!(
        rows.find_credential(&key).await.unwrap(),
        Some(held.clone())
    );
    assert_eq!(rows.find_connection(&key).await.unwrap(), Some(standing));
    let mut again = held.clone();
    again.version = 2;
    let standing = connection(&key, Standing::Expiring);
    let twice = rows
        .complete_sign_in(&row.id, &again, &standing, None)
        .await;
    assert!(!twice.unwrap());
    assert_eq!(rows.find_credential(&key).await.unwrap(), Some(held));
}

/// A version that is not above the stored one: the sign-in is still open, and can be tried again
/// with the next.
pub async fn a_completion_that_fails_leaves_it_open(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let standing = connection(&key, Standing::Connected);
    let held = credential(&key, b"a");
    rows.replace_credential(&held, &standing).await.unwrap();
    let row = sign_in(&key, "i1");
    rows.insert_sign_in(&row).await.unwrap();
    let changed = connection(&key, Standing::Expiring);
    let mut fresh = credential(&key, b"b");
    let refused = rows.complete_sign_in(&row.id, &fresh, &changed, None).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(rows.find_sign_in(&row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(rows.find_credential(&key).await.unwrap(), Some(held));
    assert_eq!(rows.find_connection(&key).await.unwrap(), Some(standing));
    fresh.version = 2;
    let done = rows.complete_sign_in(&row.id, &fresh, &changed, None).await;
    assert!(done.unwrap());
    assert_eq!(rows.find_credential(&key).await.unwrap(), Some(fresh));
}

/// A139: what is owed for the grant that is replaced is queued with what replaces it, or neither is
/// written.
pub async fn a139_queues_what_is_owed_with_what_replaces_it(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let standing = connection(&key, Standing::Connected);
    let held = credential(&key, b"a");
    rows.replace_credential(&held, &standing).await.unwrap();
    let row = sign_in(&key, "i1");
    rows.insert_sign_in(&row).await.unwrap();
    let owed = revocation(&key, "o1");
    let mut fresh = credential(&key, b"b");
    // A version that is not above the stored one undoes all of it.
    let refused = rows
        .complete_sign_in(&row.id, &fresh, &standing, Some(&owed))
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(rows.list_revocations().await.unwrap(), []);
    fresh.version = 2;
    // So does a revocation that cannot be queued.
    rows.insert_revocation(&owed).await.unwrap();
    let taken = rows
        .complete_sign_in(&row.id, &fresh, &standing, Some(&owed))
        .await;
    assert!(taken.is_err());
    assert_eq!(rows.find_sign_in(&row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(rows.find_credential(&key).await.unwrap(), Some(held));
    assert!(rows.delete_revocation(&owed.id).await.unwrap());
    let foreign = revocation(&key_of("t2", "u1", "linear", "default"), "o2");
    let refused = rows
        .complete_sign_in(&row.id, &fresh, &standing, Some(&foreign))
        .await;
    assert!(refused.is_err());
    let done = rows
        .complete_sign_in(&row.id, &fresh, &standing, Some(&owed))
        .await;
    assert!(done.unwrap());
    assert_eq!(
        rows.find_credential(&key).await.unwrap(),
        Some(fresh.clone())
    );
    assert_eq!(rows.list_revocations().await.unwrap(), [owed]);
    // One that ended queues nothing.
    let late = revocation(&key, "o3");
    fresh.version = 3;
    let again = rows
        .complete_sign_in(&row.id, &fresh, &standing, Some(&late))
        .await;
    assert!(!again.unwrap());
    assert_eq!(rows.list_revocations().await.unwrap().len(), 1);
}

/// Of a completion and a cancellation, and of many completions at once, one wins.
pub async fn one_of_many_completions_wins(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let row = sign_in(&key, "i1");
    rows.insert_sign_in(&row).await.unwrap();
    let standing = connection(&key, Standing::Connected);
    let candidates: Vec<_> = (1..=6_u8)
        .map(|n| {
            let mut candidate = credential(&key, &[n]);
            candidate.version = u64::from(n);
            candidate
        })
        .collect();
    let completions = candidates
        .iter()
        .map(|candidate| rows.complete_sign_in(&row.id, candidate, &standing, None));
    let cancelling = rows.end_sign_in(&row.id, Outcome::Cancelled);
    let (completed, cancelled) =
        futures_util::future::join(join_all(completions), cancelling).await;
    let mut winners = Vec::new();
    for (done, candidate) in completed.into_iter().zip(&candidates) {
        if done.unwrap() {
            winners.push(candidate.clone());
        }
    }
    assert_eq!(winners.len() + usize::from(cancelled.unwrap()), 1);
    let stored = rows.find_credential(&key).await.unwrap();
    assert_eq!(winners, Vec::from_iter(stored));
}

/// F04: the end of a sign-in and what it brought are written together, or neither is.
pub async fn f04_an_end_and_what_it_brought_are_one(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    let row = sign_in(&key, "i1");
    rows.insert_sign_in(&row).await.unwrap();
    let held = credential(&key, b"one");
    let stands = connection(&key, Standing::Connected);
    let first = rows.complete_sign_in(&row.id, &held, &stands, None).await;
    assert!(first.unwrap());
    let ended = rows.find_sign_in(&row.id).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::Success));
    assert_eq!(ended.sealed, b"");
    let stored = rows.find_credential(&key).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&held));
    assert_eq!(
        rows.find_connection(&key).await.unwrap(),
        Some(stands.clone())
    );

    // One that ended stores nothing.
    let late = Credential {
        version: 2,
        ..credential(&key, b"two")
    };
    let again = rows.complete_sign_in(&row.id, &late, &stands, None).await;
    assert!(!again.unwrap());
    assert_eq!(rows.find_credential(&key).await.unwrap(), stored);
    // A version that is not above the one stored ends nothing.
    let second = sign_in(&key, "i2");
    rows.insert_sign_in(&second).await.unwrap();
    let refused = rows
        .complete_sign_in(&second.id, &held, &stands, None)
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let open = rows.find_sign_in(&second.id).await.unwrap();
    assert_eq!(open, Some(second.clone()));
    // Of many that end it one does.
    let tries = (0..4).map(|_| rows.complete_sign_in(&second.id, &late, &stands, None));
    let ended = join_all(tries).await;
    let first = ended.iter().filter(|done| matches!(done, Ok(true))).count();
    assert_eq!(first, 1, "{ended:?}");
    assert_eq!(rows.find_credential(&key).await.unwrap(), Some(late));
}
