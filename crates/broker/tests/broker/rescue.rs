//! What an issuer gave outlives the process that asked for it (F11, F13, F14).

use core::pin::pin;

use claviger_broker::Missing;
use claviger_model::{Outcome, Reason, Server, Standing, UserId};
use claviger_testkit::Gate;

use crate::support::{Installation, Node, linear};

/// What is left of a refresh whose process dies before it asks the database: the entry, the
/// intent, and the old credential.
async fn died_refreshing() -> (Installation, Node, Server, Vec<Vec<u8>>) {
    let (installation, dead, server) = Installation::signed_in().await;
    let node = installation.node(9).await;
    dead.expire();
    let before = dead.credential(&server).await.unwrap();
    let mut connection = dead.connection(&server).await.unwrap();
    dead.bearer(&server).await;
    let entry = dead.journal.entries().pop().unwrap();
    // The database is what it was when the answer arrived.
    let rows = node.rows();
    let after = node.credential(&server).await.unwrap();
    let ended = rows.end_credential(&after.key, &after.fingerprint, &connection);
    ended.await.unwrap();
    connection.reason = Some(Reason::AmbiguousRotation);
    rows.replace_credential(&before, &connection).await.unwrap();
    (installation, node, server, vec![entry])
}

#[tokio::test]
async fn f14_a_refresh_whose_process_died_is_stored_at_the_next_start() {
    let (installation, node, server, left) = died_refreshing().await;
    node.journal.leave(left);
    assert_eq!(node.broker.rescue().await, 1);
    assert_eq!(node.journal.unsettled().len(), 0);
    // Nothing was sent again, and the next refresh goes on from there.
    assert_eq!(installation.issuer.redeemed(), 1);
    let connection = node.connection(&server).await.unwrap();
    assert_eq!(
        (connection.standing, connection.reason),
        (Standing::Connected, None)
    );
    let first = node.bearer(&server).await;
    node.expire();
    assert_ne!(node.bearer(&server).await, first);
    let (redeemed, reused) = installation.issuer.set(|one| (one.redeemed, one.reused));
    assert_eq!((redeemed, reused), (2, 0));
}

#[tokio::test]
async fn f14_whoever_finds_the_intent_looks_into_the_journals_before_it_sends() {
    let (installation, node, server, left) = died_refreshing().await;
    node.journal.leave(left);
    node.bearer(&server).await;
    let (redeemed, reused) = installation.issuer.set(|one| (one.redeemed, one.reused));
    assert_eq!((redeemed, reused), (1, 0));
}

/// Another node sends the same token while the journal of the dead process waits to be replayed.
async fn replayed_beside_a_flight(is_tolerant: bool) -> (Installation, Node, Node, Server) {
    let (installation, node, server, left) = died_refreshing().await;
    let other = installation.node(10).await;
    let gate = Gate::closed();
    installation.issuer.set(|issuer| {
        issuer.tolerant = is_tolerant;
        issuer.gate = Some(gate.clone());
    });
    installation.end_leases().await;
    {
        let mut flying = pin!(other.attach(&server));
        tokio::select! {
            answer = &mut flying => panic!("the gate is closed: {answer:?}"),
            () = gate.arrived(1) => {}
        }
        node.journal.leave(left);
        // It is that flight's turn.
        assert_eq!(node.broker.rescue().await, 0);
        gate.open();
        assert_eq!(flying.await.is_ok(), is_tolerant);
    }
    installation.issuer.set(|issuer| issuer.gate = None);
    assert_eq!(node.broker.rescue().await, 1);
    assert_eq!(node.journal.unsettled().len(), 0);
    node.expire();
    (installation, node, other, server)
}

#[tokio::test]
async fn f01_a_replay_waits_for_the_flight_that_sent_the_token_again() {
    let (installation, node, other, server) = replayed_beside_a_flight(true).await;
    for node in [&node, &other] {
        node.broker.invalidate();
        node.bearer(&server).await;
    }
    assert_eq!(installation.issuer.set(|issuer| issuer.reused), 0);
}

#[tokio::test]
async fn f02_what_a_strict_issuer_ends_beside_a_replay_is_marked() {
    let (_installation, node, _other, server) = replayed_beside_a_flight(false).await;
    let answer = node.attach(&server).await;
    let Err(Missing::NeedsSignIn { reason, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(reason, Some(Reason::AmbiguousRotation));
}

/// The other flight sent the token, and heard nothing: which answer the issuer knows is not known.
#[tokio::test]
async fn f02_what_is_put_back_after_another_flight_is_in_doubt() {
    let (installation, node, server, left) = died_refreshing().await;
    let other = installation.node(10).await;
    installation.end_leases().await;
    installation.issuer.set(|issuer| issuer.loses = 1);
    installation.issuer.set(|issuer| issuer.tolerant = true);
    assert!(other.attach(&server).await.is_err());
    installation.end_leases().await;
    node.journal.leave(left);
    assert_eq!(node.broker.rescue().await, 1);
    let connection = node.connection(&server).await.unwrap();
    assert_eq!(
        (connection.standing, connection.reason),
        (Standing::Connected, Some(Reason::AmbiguousRotation))
    );
}

#[tokio::test]
async fn f01_f14_what_another_process_is_about_to_store_is_not_asked_for_again() {
    let (installation, node, server, left) = died_refreshing().await;
    node.journal.hold_elsewhere(left);
    node.bearer(&server).await;
    let (redeemed, reused) = installation.issuer.set(|one| (one.redeemed, one.reused));
    assert_eq!((redeemed, reused), (1, 0));
}

#[tokio::test]
async fn f01_f14_an_answer_is_not_stored_while_another_flight_may_have_a_later_one() {
    let (installation, node, _server, left) = died_refreshing().await;
    installation
        .sql("UPDATE leases SET owner = 'another', expires_at_ms = 9999999999999")
        .await;
    node.journal.leave(left);
    assert_eq!(node.broker.rescue().await, 0);
    assert_eq!(node.journal.unsettled().len(), 1);
    installation.end_leases().await;
    assert_eq!(node.broker.rescue().await, 1);
}

#[tokio::test]
async fn f14_what_was_stored_before_its_process_died_is_dropped() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    node.bearer(&server).await;
    let first = node.journal.entries();
    node.expire();
    let now = node.bearer(&server).await;
    let version = node.credential(&server).await.unwrap().version;
    let next = installation.node(2).await;
    // The oldest, the one that is stored, and both once more.
    next.journal.leave(node.journal.entries());
    next.journal.leave(first);
    next.broker.rescue().await;
    assert!(next.journal.unsettled().is_empty());
    assert!(next.journal.refused().is_empty());
    assert_eq!(next.bearer(&server).await, now);
    assert_eq!(next.credential(&server).await.unwrap().version, version);
}

#[tokio::test]
async fn f14_k10_what_a_person_ended_does_not_come_back() {
    let (installation, node, server, left) = died_refreshing().await;
    let owner = UserId::owner();
    node.broker.disconnect(&server, &owner).await.unwrap();
    let revoked = installation.issuer.set(|issuer| issuer.revoked.len());
    node.journal.leave(left);
    node.broker.rescue().await;
    assert!(node.credential(&server).await.is_none());
    assert!(node.journal.unsettled().is_empty());
    // And does not live on at the issuer.
    assert!(installation.issuer.set(|issuer| issuer.revoked.len()) > revoked);
}

/// What nobody wants stays in the journal until its revocation is queued.
#[tokio::test]
async fn f14_a139_what_a_person_ended_is_kept_until_it_is_owed() {
    let (installation, node, server, left) = died_refreshing().await;
    let owner = UserId::owner();
    node.broker.disconnect(&server, &owner).await.unwrap();
    let revoked = installation.issuer.set(|issuer| issuer.revoked.len());
    installation.sql(NO_QUEUE).await;
    node.journal.leave(left);
    assert_eq!(node.broker.rescue().await, 0);
    assert_eq!(node.journal.unsettled().len(), 1);
    installation.sql("DROP TRIGGER no_queue").await;
    assert_eq!(node.broker.rescue().await, 1);
    assert!(node.credential(&server).await.is_none());
    assert!(node.journal.unsettled().is_empty());
    assert!(installation.issuer.set(|issuer| issuer.revoked.len()) > revoked);
}

#[tokio::test]
async fn a139_what_a_cancelled_sign_in_brought_is_kept_until_it_is_owed() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let owner = UserId::owner();
    let signing_in = node.sign_in(&server, &owner);
    let cancelling = async {
        gate.arrived(1).await;
        installation.sql(NO_QUEUE).await;
        installation
            .sql("UPDATE sign_ins SET outcome = 'cancelled', sealed = x''")
            .await;
        gate.open();
    };
    let (ended, ()) = futures_util::future::join(signing_in, cancelling).await;
    assert_ne!(ended.outcome, Outcome::Success);
    assert!(node.credential(&server).await.is_none());
    assert_eq!(node.journal.unsettled().len(), 1);
    assert!(installation.issuer.revoked().is_empty());
    installation.sql("DROP TRIGGER no_queue").await;
    assert_eq!(node.broker.rescue().await, 1);
    assert!(node.journal.unsettled().is_empty());
    assert_eq!(installation.issuer.revoked(), ["refresh", "access"]);
}

const NO_QUEUE: &str = "CREATE TRIGGER no_queue BEFORE INSERT ON revocations
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";

#[tokio::test]
async fn f04_f14_a_sign_in_whose_process_died_is_completed_once() {
    let (installation, dead, server) = Installation::signed_in().await;
    let entry = dead.journal.entries().pop().unwrap();
    for undone in [
        "DELETE FROM credentials",
        "DELETE FROM connections",
        "UPDATE sign_ins SET outcome = NULL",
    ] {
        installation.sql(undone).await;
    }
    let next = installation.node(2).await;
    next.journal.leave([entry.clone()]);
    assert_eq!(next.broker.rescue().await, 1);
    let connection = next.connection(&server).await.unwrap();
    assert_eq!(connection.standing, Standing::Connected);
    next.bearer(&server).await;
    // After a logout it is a thing of the past.
    let owner = UserId::owner();
    next.broker.disconnect(&server, &owner).await.unwrap();
    next.journal.leave([entry]);
    next.broker.rescue().await;
    assert!(next.credential(&server).await.is_none());
    assert!(next.journal.unsettled().is_empty());
}

#[tokio::test]
async fn f04_m3_a_sign_in_that_was_given_up_is_not_completed_but_revoked() {
    let (installation, dead, server) = Installation::signed_in().await;
    let entry = dead.journal.entries().pop().unwrap();
    for undone in [
        "DELETE FROM credentials",
        "UPDATE sign_ins SET outcome = 'cancelled'",
    ] {
        installation.sql(undone).await;
    }
    let next = installation.node(2).await;
    next.journal.leave([entry]);
    next.broker.rescue().await;
    assert!(next.credential(&server).await.is_none());
    assert!(!installation.issuer.set(|issuer| issuer.revoked.is_empty()));
}

#[tokio::test]
async fn f11_a_full_disk_costs_nothing_while_the_database_takes_it() {
    let (installation, node, server) = Installation::signed_in().await;
    node.journal.set_full(true);
    for _ in 0..3 {
        node.expire();
        node.bearer(&server).await;
    }
    assert_eq!(installation.issuer.redeemed(), 3);
    node.journal.set_full(false);
    node.expire();
    node.bearer(&server).await;
    assert!(node.journal.unsettled().is_empty());
}

#[tokio::test]
async fn an_entry_that_does_not_open_is_set_aside() {
    let (_installation, node, server) = Installation::signed_in().await;
    node.expire();
    node.bearer(&server).await;
    let mut flipped = node.journal.entries().pop().unwrap();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    node.journal
        .leave([flipped, b"garbage".to_vec(), Vec::new()]);
    assert_eq!(node.broker.rescue().await, 0);
    assert_eq!(node.journal.refused().len(), 3);
    node.bearer(&server).await;
}
