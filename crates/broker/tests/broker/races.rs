//! One redemption however many ask, in one process or in several, and nobody loses by it.

use claviger_broker::{Attach as _, Begin, Missing};
use claviger_model::{Outcome, Reason, Server, Standing, UserId};
use claviger_testkit::{Gate, json_answer};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Installation, Node, bearer, begin, ended, forced, linear};

#[tokio::test]
async fn q01_a120_a_hundred_callers_redeem_once() {
    let (installation, node, server) = Installation::signed_in().await;
    let old = node.bearer(&server).await;
    node.expire();
    let all = join_all((0..100).map(|_| node.bearer(&server))).await;
    assert!(all.iter().all(|one| *one == all[0] && *one != old));
    assert_eq!(installation.issuer.redeemed(), 1);
    assert_eq!(node.credential(&server).await.unwrap().version, 2);
}

#[tokio::test]
async fn q01_a120_three_processes_redeem_once() {
    let (installation, one, server) = Installation::signed_in().await;
    let (two, three) = (installation.node(2).await, installation.node(3).await);
    let nodes = [&one, &two, &three];
    for round in 1..=5 {
        // Everybody has the old one in memory.
        let old = join_all(nodes.map(|node| node.bearer(&server))).await;
        one.expire();
        let calls = (0..60).map(|n| nodes[n % 3].bearer(&server));
        let all = installation.driven(join_all(calls)).await;
        assert!(all.iter().all(|one| *one == all[0] && *one != old[0]));
        let (redeemed, reused) = installation.issuer.set(|one| (one.redeemed, one.reused));
        assert_eq!((redeemed, reused), (round, 0));
        for node in nodes {
            node.broker.invalidate();
        }
    }
}

#[tokio::test]
async fn a121_a_loser_that_is_refused_uses_the_winners_and_deletes_nothing() {
    let (installation, one, server) = Installation::signed_in().await;
    let two = installation.node(2).await;
    let owner = UserId::owner();
    one.expire();
    let gate = Gate::closed();
    installation.issuer.set(|issuer| {
        issuer.gate = Some(gate.clone());
        let dead = json_answer(400, &json!({"error": "invalid_grant"}));
        issuer.next.push_back(dead);
    });
    let losing = one.attach(&server);
    let winning = async {
        gate.arrived(1).await;
        installation.issuer.set(|issuer| issuer.gate = None);
        let ended = two.sign_in_with(&server, &owner, forced()).await;
        assert_eq!(ended.outcome, Outcome::Success);
        gate.open();
    };
    let (lost, ()) = tokio::join!(losing, winning);
    assert_eq!(bearer(&lost.unwrap()), two.bearer(&server).await);
    let connection = one.connection(&server).await.unwrap();
    assert_eq!(connection.standing, Standing::Connected);
    assert_eq!(one.credential(&server).await.unwrap().version, 2);
}

#[tokio::test]
async fn a_refresh_that_comes_home_after_a_sign_in_leaves_the_sign_in() {
    let (installation, one, server) = Installation::signed_in().await;
    let two = installation.node(2).await;
    one.expire();
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let refreshing = one.attach(&server);
    let signing_in = async {
        gate.arrived(1).await;
        installation.issuer.set(|issuer| issuer.gate = None);
        two.sign_in_with(&server, &UserId::owner(), forced()).await;
        gate.open();
    };
    let (refreshed, _ended) = tokio::join!(refreshing, signing_in);
    let stored = two.bearer(&server).await;
    assert_eq!(bearer(&refreshed.unwrap()), stored);
    // It opens: what is stored is what was sealed for its version.
    assert_eq!(installation.node(3).await.bearer(&server).await, stored);
}

#[tokio::test]
async fn a122_i30_a_row_written_meanwhile_does_not_cost_the_rotated_token() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let refreshing = node.attach(&server);
    let writing = async {
        gate.arrived(1).await;
        // The same token under a later version, as a rewrite of the row has it.
        let mut row = node.credential(&server).await.unwrap();
        row.version += 5;
        let connection = node.connection(&server).await.unwrap();
        let rows = node.rows();
        rows.replace_credential(&row, &connection).await.unwrap();
        gate.open();
    };
    let (refreshed, ()) = tokio::join!(refreshing, writing);
    let refreshed = bearer(&refreshed.unwrap());
    assert_eq!(node.credential(&server).await.unwrap().version, 7);
    let other = installation.node(2).await;
    assert_eq!(other.bearer(&server).await, refreshed);
    node.expire();
    assert_ne!(other.bearer(&server).await, refreshed);
    assert_eq!(installation.issuer.set(|issuer| issuer.reused), 0);
}

#[tokio::test]
async fn sign_ins_that_end_at_once_leave_a_credential_that_opens() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let nodes = join_all((2..=7).map(|seed| installation.node(seed))).await;
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let mut coming: Vec<_> = Vec::new();
    for (at, other) in nodes.iter().enumerate() {
        // Its code is on the way to the issuer when the next one is begun in its place.
        let over = Begin {
            start_over: true,
            ..forced()
        };
        let started = other.start(&server, &owner, over).await;
        let query = installation.issuer.agree(&started.authorization_url);
        let server = &server;
        let mut one = Box::pin(async move { ended(other.complete(server, &query).await) });
        while gate.arrivals() <= at {
            assert!(one.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        coming.push(one);
    }
    gate.open();
    let all = join_all(coming).await;
    // One end each: those begun over had theirs.
    let done = all.iter().filter(|one| one.outcome == Outcome::Success);
    assert_eq!(done.count(), 1);
    let stored = node.credential(&server).await.unwrap();
    assert_eq!(stored.version, 2);
    // What the others brought lives on nowhere.
    let revoked = installation.issuer.set(|issuer| issuer.revoked.clone());
    let refresh = revoked.iter().filter(|one| one.contains("refresh"));
    assert_eq!(refresh.count(), 5, "{revoked:?}");
    let fresh = installation.node(9).await.bearer(&server).await;
    node.broker.invalidate();
    assert_eq!(node.bearer(&server).await, fresh);
}

#[tokio::test]
async fn a123_f20_k7_a_caller_that_goes_away_costs_nothing() {
    let (installation, node, server) = Installation::signed_in().await;
    let old = node.bearer(&server).await;
    node.expire();
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    {
        let mut calling = Box::pin(node.attach(&server));
        while gate.arrivals() == 0 {
            assert!(calling.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    }
    gate.open();
    node.tasks.finished().await;
    assert_ne!(node.bearer(&server).await, old);
    assert_eq!(installation.issuer.redeemed(), 1);
    assert_eq!(node.credential(&server).await.unwrap().version, 2);
}

#[tokio::test]
async fn a128_two_users_with_equal_tokens_never_share_a_result() {
    let (installation, node, server) = Installation::signed_in().await;
    let (owner, other) = (UserId::owner(), UserId::parse("other").unwrap());
    node.sign_in_with(&server, &other, begin()).await;
    let askers = [owner.into(), other.clone().into()];
    let [ours, theirs] = askers
        .each_ref()
        .map(|user| node.broker.attach(&server, user));
    let (ours, theirs) = tokio::join!(ours, theirs);
    assert_ne!(bearer(&ours.unwrap()), bearer(&theirs.unwrap()));
    node.expire();
    let calls = [0, 1, 0, 1].map(|at: usize| node.broker.attach(&server, &askers[at]));
    let all: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!((all[0].mark, all[1].mark), (all[2].mark, all[3].mark));
    assert_ne!(all[0].mark, all[1].mark);
    assert_eq!(installation.issuer.redeemed(), 2);
    // Nor does one see the other's end.
    node.broker.disconnect(&server, &other).await.unwrap();
    assert_eq!(
        bearer(&node.attach(&server).await.unwrap()),
        bearer(&all[0])
    );
}

#[tokio::test]
async fn a_disconnect_during_a_refresh_ends_the_refreshed_token_too() {
    let (installation, one, server) = Installation::signed_in().await;
    let two = installation.node(2).await;
    one.expire();
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let refreshing = one.attach(&server);
    let disconnecting = async {
        gate.arrived(1).await;
        two.broker
            .disconnect(&server, &UserId::owner())
            .await
            .unwrap();
        gate.open();
    };
    let (refreshed, ()) = tokio::join!(refreshing, disconnecting);
    assert!(refreshed.is_err());
    assert!(one.credential(&server).await.is_none());
    let (revoked, redeemed) = installation
        .issuer
        .set(|one| (one.revoked.clone(), one.redeemed));
    assert_eq!(redeemed, 1);
    // The token that was given meanwhile went the same way.
    assert!(
        revoked.iter().filter(|one| one.contains("refresh")).count() >= 2,
        "{revoked:?}"
    );
}

#[tokio::test]
async fn q12_a_sign_in_elsewhere_is_seen_at_the_first_refusal() {
    let (installation, running, server) = Installation::signed_in().await;
    let used = running.attach(&server).await.unwrap();
    let terminal = installation.node(2).await;
    terminal
        .sign_in_with(&server, &UserId::owner(), forced())
        .await;
    let refusal = crate::support::refusal(401, "Bearer error=\"invalid_token\"");
    let better = running.refused(&server, &used, &refusal).await.unwrap();
    assert_eq!(bearer(&better), terminal.bearer(&server).await);
    assert_eq!(installation.issuer.redeemed(), 0);
}

#[tokio::test]
async fn a122_a_connection_written_meanwhile_does_not_cost_the_rotated_token() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let noted = node.connection(&server).await.unwrap();
    let refreshing = node.attach(&server);
    let noting = async {
        gate.arrived(1).await;
        node.rows().update_connection(&noted).await.unwrap();
        gate.open();
    };
    let (refreshed, ()) = tokio::join!(refreshing, noting);
    refreshed.unwrap();
    assert_eq!(installation.issuer.redeemed(), 1);
}

#[tokio::test]
async fn a121_a_refused_token_ends_nothing_once_another_flight_holds_the_lease() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    node.expire();
    let gate = Gate::closed();
    installation.issuer.set(|issuer| {
        issuer.gate = Some(gate.clone());
        let dead = json_answer(400, &json!({"error": "invalid_grant"}));
        issuer.next.push_back(dead);
    });
    let losing = node.attach(&server);
    let outlasting = async {
        gate.arrived(1).await;
        // No beat came through, and by the database's clock its time was over.
        installation.give_leases_away().await;
        installation.clock.advance_secs(16);
        gate.open();
    };
    let (lost, ()) = tokio::join!(losing, outlasting);
    assert!(matches!(lost, Err(Missing::Unreachable { .. })), "{lost:?}");
    assert!(node.credential(&server).await.is_some());
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::Unreachable);
}

#[tokio::test]
async fn a121_what_was_ended_for_a_refused_token_is_put_back_by_its_successor() {
    for (reason, is_kept) in [
        (Reason::RefreshRefused, true),
        (Reason::AmbiguousRotation, true),
        (Reason::Disconnected, false),
    ] {
        let (installation, node, server) = Installation::signed_in().await;
        node.expire();
        let gate = Gate::closed();
        installation
            .issuer
            .set(|issuer| issuer.gate = Some(gate.clone()));
        let refreshing = node.attach(&server);
        let ending = async {
            gate.arrived(1).await;
            let row = node.credential(&server).await.unwrap();
            let mut connection = node.connection(&server).await.unwrap();
            connection.standing = Standing::NeedsSignIn;
            connection.reason = Some(reason);
            let ended = node
                .rows()
                .end_credential(&row.key, &row.fingerprint, &connection)
                .await;
            ended.unwrap();
            gate.open();
        };
        let (refreshed, ()) = tokio::join!(refreshing, ending);
        let revoked = installation.issuer.set(|issuer| issuer.revoked.len());
        assert_eq!(refreshed.is_ok(), is_kept, "{reason:?}");
        assert_eq!(revoked == 0, is_kept, "{reason:?}");
        if let Ok(refreshed) = refreshed {
            let other = installation.node(2).await;
            assert_eq!(other.bearer(&server).await, bearer(&refreshed));
        }
    }
}

/// A sign-in whose code is at the issuer while `act` happens.
async fn sign_in_during(act: impl AsyncFnOnce(&Node, &Server)) -> (Installation, Node, Server) {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let started = node.start(&server, &UserId::owner(), begin()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let completing = node.complete(&server, &query);
    let acting = async {
        gate.arrived(1).await;
        act(&node, &server).await;
        gate.open();
    };
    let (completed, ()) = tokio::join!(completing, acting);
    assert_eq!(ended(completed).outcome, Outcome::Cancelled);
    (installation, node, server)
}

#[tokio::test]
async fn m3_k10_a_sign_in_that_was_cancelled_or_logged_out_meanwhile_stores_nothing() {
    let cancelled = sign_in_during(async |node: &Node, server: &Server| {
        let was_open = node.broker.cancel(server, &UserId::owner()).await;
        assert!(was_open.unwrap());
    })
    .await;
    let logged_out = sign_in_during(async |node: &Node, server: &Server| {
        let done = node.broker.disconnect(server, &UserId::owner()).await;
        assert!(!done.unwrap().ended_here);
    })
    .await;
    for (installation, node, server) in [cancelled, logged_out] {
        assert!(node.credential(&server).await.is_none());
        let revoked = installation.issuer.set(|issuer| issuer.revoked.clone());
        assert!(
            revoked.iter().any(|one| one.contains("refresh")),
            "{revoked:?}"
        );
    }
}
