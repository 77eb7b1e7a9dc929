//! An issuer in trouble: who is served, who is sent away, and who asks (A130, F23).

use std::sync::Arc;

use claviger_broker::{Attach as _, Missing};
use claviger_model::{Server, ServerId, Slug, Standing, UserId};
use claviger_ports::FetchError;
use claviger_testkit::{Gate, json_answer, text_answer};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Installation, Issuer, Node, OTHER_ISSUER, begin, ended, linear};

fn user(n: u32) -> UserId {
    UserId::parse(&format!("u{n}")).unwrap()
}

/// One server, and so many users who are signed in.
async fn crowd(users: u32) -> (Installation, Node, Server) {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    for n in 0..users {
        node.sign_in(&server, &user(n)).await;
    }
    installation.world.forget();
    (installation, node, server)
}

fn sent_away(missing: &Missing) -> u32 {
    match missing {
        Missing::Unreachable { retry_after_s, .. } => *retry_after_s,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a130_a_dead_issuer_is_asked_by_one_and_everybody_else_is_told_when() {
    let (installation, node, server) = crowd(9).await;
    let url = installation.issuer.token_url();
    let asked = || installation.world.requests_to(&url).len();
    node.expire();
    node.sign_in(&server, &user(9)).await;
    installation.world.forget();
    installation.issuer.set(|issuer| {
        let refused = || Err(FetchError::Connect { reason: "refused" });
        issuer.next.extend((0..6).map(|_| refused()));
    });
    for n in 0..8 {
        let missing = node
            .broker
            .attach(&server, &user(n).into())
            .await
            .unwrap_err();
        assert!(sent_away(&missing) >= 1);
        assert_eq!(asked(), usize::try_from(n.min(4)).unwrap() + 1);
    }
    let missing = node
        .broker
        .attach(&server, &user(8).into())
        .await
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the issuer of `linear` is unavailable; try again in 1 s"
    );
    let status = node.broker.status(&server, &user(8)).await.unwrap();
    assert_eq!(status.standing, Standing::Unreachable);
    assert_eq!(status.retry_after_s, Some(1));
    // What is valid is served, as if nothing were.
    let served = node.broker.attach(&server, &user(9).into()).await.unwrap();
    assert!(served.mark.is_some());
    let status = node.broker.status(&server, &user(9)).await.unwrap();
    assert_eq!(status.standing, Standing::Connected);
    // One probe, in vain; then one that is answered, and all are through.
    installation.clock.advance_secs(1);
    for n in [7, 8] {
        node.broker
            .attach(&server, &user(n).into())
            .await
            .unwrap_err();
        assert_eq!(asked(), 6);
    }
    installation.clock.advance_secs(60);
    for n in 0..9 {
        let asker = user(n).into();
        let attached = node.broker.attach(&server, &asker);
        installation.driven(attached).await.unwrap();
    }
    assert_eq!(installation.issuer.redeemed(), 9);
}

#[tokio::test]
async fn a130_a_clear_no_is_no_trouble_of_the_issuer() {
    let (installation, node, server) = crowd(24).await;
    node.expire();
    installation.issuer.set(|issuer| {
        for _ in 0..7 {
            let dead = json_answer(400, &json!({"error": "invalid_grant"}));
            let unknown = json_answer(400, &json!({"error": "invalid_request"}));
            issuer
                .next
                .extend([dead, unknown, text_answer(429, &[], "")]);
        }
    });
    for n in 0..21 {
        node.broker
            .attach(&server, &user(n).into())
            .await
            .unwrap_err();
    }
    for n in 21..24 {
        node.broker.attach(&server, &user(n).into()).await.unwrap();
    }
}

#[tokio::test]
async fn f22_a_busy_issuer_that_asks_one_for_patience_is_left_alone_by_all() {
    let (installation, node, server) = crowd(3).await;
    node.expire();
    let busy = text_answer(503, &[("retry-after", "90")], "");
    installation
        .issuer
        .set(|issuer| issuer.next.push_back(busy));
    for n in 0..3 {
        let missing = node
            .broker
            .attach(&server, &user(n).into())
            .await
            .unwrap_err();
        assert!((90..=95).contains(&sent_away(&missing)));
    }
    let url = installation.issuer.token_url();
    assert_eq!(installation.world.requests_to(&url).len(), 1);
    installation.clock.advance_secs(95);
    for n in 0..3 {
        node.broker.attach(&server, &user(n).into()).await.unwrap();
    }
}

#[tokio::test]
async fn f23_an_issuer_that_hangs_for_ever_holds_up_nobody_elsewhere() {
    let (installation, node, server) = crowd(80).await;
    let other = Arc::new(Issuer::at(OTHER_ISSUER));
    installation.world.add(&other);
    let notion = Server {
        id: ServerId::parse("notion").unwrap(),
        slug: Slug::parse("notion").unwrap(),
        url: "https://notion.example/mcp".to_owned(),
        ..linear()
    };
    installation.world.protect(&notion.url, OTHER_ISSUER);
    let notion = node.add(notion).await;
    let started = node.start(&notion, &user(0), begin()).await;
    let query = other.agree(&started.authorization_url);
    ended(node.complete(&notion, &query).await);
    node.expire();
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let stuck = join_all((0..80).map(async |n| node.broker.attach(&server, &user(n).into()).await));
    let elsewhere = async {
        // As many as may are at it, and the others stand in the line.
        gate.arrived(64).await;
        node.broker.attach(&notion, &user(0).into()).await.unwrap();
        assert_eq!(other.redeemed(), 1);
        gate.open();
    };
    let (stuck, ()) = installation
        .driven(futures_util::future::join(stuck, elsewhere))
        .await;
    assert!(stuck.iter().all(Result::is_ok));
}
