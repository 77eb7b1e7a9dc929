//! Callbacks: whose they are, and that nothing is sent before that is proven.

use claviger_broker::{Begin, Completed};
use claviger_crypto::Secret;
use claviger_model::{Outcome, Server, ServerId, Slug, UserId};
use futures_util::FutureExt as _;

use crate::support::{ISSUER, Installation, Node, begin, ended, linear};

async fn started() -> (Installation, Node, Server, String) {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let started = node.start(&server, &UserId::owner(), begin()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    (installation, node, server, query)
}

fn tokens_asked(installation: &Installation) -> usize {
    let url = installation.issuer.token_url();
    installation.world.requests_to(&url).len()
}

#[tokio::test]
async fn a074_a084_an_unknown_absent_or_doubled_state_sends_nothing() {
    let (installation, node, server, query) = started().await;
    let state = query
        .split('&')
        .find(|one| one.starts_with("state="))
        .unwrap();
    for foreign in [
        "code=abc&state=unknown".to_owned(),
        "code=abc".to_owned(),
        String::new(),
        query.replace(state, "state="),
        format!("{query}&{state}"),
        format!("{query}&code=another"),
        format!("{query}&error=access_denied"),
    ] {
        let completed = node.complete(&server, &foreign).await;
        assert!(matches!(completed, Completed::NotOurs), "{foreign}");
    }
    assert_eq!(tokens_asked(&installation), 0);
    let done = ended(node.complete(&server, &query).await);
    assert_eq!(done.outcome, Outcome::Success);
}

#[tokio::test]
async fn a074_m2_a_used_state_sends_nothing() {
    let (installation, node, server, query) = started().await;
    ended(node.complete(&server, &query).await);
    for _ in 0..3 {
        let again = node.complete(&server, &query).await;
        assert!(matches!(again, Completed::NotOurs));
    }
    assert_eq!(tokens_asked(&installation), 1);
    assert!(node.credential(&server).await.is_some());
}

#[tokio::test]
async fn a074_one_state_at_once_in_two_processes_is_redeemed_once() {
    let (installation, node, server, query) = started().await;
    let other = installation.node(2).await;
    let (one, two) = tokio::join!(
        node.complete(&server, &query),
        other.complete(&server, &query)
    );
    let ours = [one, two]
        .into_iter()
        .filter(|one| matches!(one, Completed::Ended { .. }));
    assert_eq!(ours.count(), 1);
    assert_eq!(tokens_asked(&installation), 1);
}

#[tokio::test]
async fn a074_a091_an_expired_state_sends_nothing() {
    let (installation, node, server, query) = started().await;
    installation.clock.advance_secs(601);
    let late = node.complete(&server, &query).await;
    assert!(matches!(late, Completed::NotOurs));
    assert_eq!(tokens_asked(&installation), 0);
}

#[tokio::test]
async fn n14_begun_in_one_process_and_finished_in_another() {
    let (installation, _node, server, query) = started().await;
    let other = installation.node(2).await;
    let done = ended(other.complete(&server, &query).await);
    assert_eq!(done.outcome, Outcome::Success);
    other.bearer(&server).await;
}

#[tokio::test]
async fn a079_a082_an_answer_at_another_servers_address_ends_the_sign_in() {
    let (installation, node, server, query) = started().await;
    let other = node
        .add(Server {
            id: ServerId::parse("other").unwrap(),
            slug: Slug::parse("other").unwrap(),
            ..linear()
        })
        .await;
    let end = ended(node.complete(&other, &query).await);
    assert_eq!(end.outcome, Outcome::Failed);
    assert_eq!(tokens_asked(&installation), 0);
    // The code never leaves us, not even where it belongs.
    let again = node.complete(&server, &query).await;
    assert!(matches!(again, Completed::NotOurs));
    assert!(node.credential(&server).await.is_none());
    assert!(node.credential(&other).await.is_none());
}

#[tokio::test]
async fn a056_a075_a080_another_browser_gets_nothing() {
    for given in [None, Some("another-browser")] {
        let installation = Installation::new();
        let node = installation.node(1).await;
        let server = node.add(linear()).await;
        let bound = Begin {
            binding: Some(Secret::new("this-browser")),
            ..begin()
        };
        let started = node.start(&server, &UserId::owner(), bound).await;
        let query = installation.issuer.agree(&started.authorization_url);
        let cookie = given.map(Secret::new);
        let completed = node.broker.complete(&server.id, &query, cookie.as_ref());
        assert_eq!(ended(completed.await).outcome, Outcome::Failed);
        assert_eq!(tokens_asked(&installation), 0);
        assert!(node.credential(&server).await.is_none());
    }
}

#[tokio::test]
async fn a075_the_browser_that_began_it_may_finish_it() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let cookie = Secret::new("this-browser");
    let bound = Begin {
        binding: Some(cookie.clone()),
        ..begin()
    };
    let started = node.start(&server, &UserId::owner(), bound).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let completed = node.broker.complete(&server.id, &query, Some(&cookie));
    assert_eq!(ended(completed.await).outcome, Outcome::Success);
}

#[tokio::test]
async fn a081_c52_an_answer_of_another_issuer_ends_it_without_a_token_request() {
    let iss = "iss=https%3A%2F%2Fissuer.example";
    for (other, shows) in [
        ("iss=https%3A%2F%2Fissuer.example%2F", false),
        ("iss=https%3A%2F%2FISSUER.example", false),
        ("iss=https%3A%2F%2Fevil.example", false),
        ("ignored=1", false),
        (
            "iss=https%3A%2F%2Fevil.example&error=server_error&error_description=hello",
            true,
        ),
    ] {
        let (installation, node, server, query) = started().await;
        assert!(query.contains(iss));
        let mut forged = query.replace(iss, other);
        if shows {
            forged = forged.replace("code=", "ignored=");
        }
        let end = ended(node.complete(&server, &forged).await);
        assert_eq!(end.outcome, Outcome::Failed, "{other}");
        let said = format!("{end:?}");
        assert!(!said.contains("hello") && !said.contains("server_error"));
        assert_eq!(tokens_asked(&installation), 0, "{other}");
        let again = node.complete(&server, &query).await;
        assert!(matches!(again, Completed::NotOurs));
    }
}

#[tokio::test]
async fn a085_two_sign_ins_have_verifiers_of_their_own_and_leave_one_grant() {
    let (installation, node, server, first) = started().await;
    let over = Begin {
        start_over: true,
        ..begin()
    };
    let second = node.start(&server, &UserId::owner(), over).await;
    let second = installation.issuer.agree(&second.authorization_url);
    // The first tab comes back last.
    let done = ended(node.complete(&server, &second).await);
    assert_eq!(done.outcome, Outcome::Success);
    let late = node.complete(&server, &first).await;
    assert!(matches!(late, Completed::NotOurs));
    assert_eq!(tokens_asked(&installation), 1);
    let asked = installation.world.requests_to(&format!("{ISSUER}/token"));
    assert!(asked[0].field("code_verifier").is_some());
}

#[tokio::test]
async fn a_server_that_was_switched_off_meanwhile_gets_no_credential() {
    let (installation, node, mut server, query) = started().await;
    let seen = server.clone();
    server.enabled = false;
    node.rows().update_server(&seen, &server).await.unwrap();
    let end = ended(node.complete(&server, &query).await);
    assert_eq!(end.outcome, Outcome::Failed);
    assert_eq!(tokens_asked(&installation), 0);
}

#[tokio::test]
async fn m2_the_browser_going_away_does_not_stop_the_redemption() {
    let (_installation, node, server, query) = started().await;
    {
        let mut coming = Box::pin(node.complete(&server, &query));
        while node.tasks.spawned() == 0 {
            assert!(coming.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    }
    node.tasks.finished().await;
    assert!(node.credential(&server).await.is_some());
}
