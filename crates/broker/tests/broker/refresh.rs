//! Refreshing: what is kept, what ends a credential, and what never does.

use claviger_broker::Missing;
use claviger_model::{Reason, Standing, Timestamp, UserId};
use claviger_ports::FetchError;
use claviger_testkit::{json_answer, text_answer};
use serde_json::json;

use crate::support::{Installation, NOW, bearer, begin, refusal};

fn retry_after(missing: &Missing) -> u32 {
    match missing {
        Missing::Unreachable { retry_after_s, .. } => *retry_after_s,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn q02_a127_an_answer_without_a_refresh_token_keeps_the_old_one() {
    let (installation, node, server) = Installation::signed_in().await;
    installation.issuer.set(|issuer| issuer.rotates = false);
    let mut seen = vec![node.bearer(&server).await];
    for _ in 0..3 {
        node.expire();
        seen.push(node.bearer(&server).await);
    }
    seen.dedup();
    assert_eq!(seen.len(), 4);
    assert_eq!(installation.issuer.redeemed(), 3);
    let url = installation.issuer.token_url();
    let asked = installation.world.requests_to(&url);
    let sent: Vec<_> = asked[1..]
        .iter()
        .map(|one| one.field("refresh_token"))
        .collect();
    assert!(sent.iter().all(|one| one.is_some() && *one == sent[0]));
}

#[tokio::test]
async fn q04_a_restart_knows_when_the_token_ends() {
    let (installation, node, server) = Installation::signed_in().await;
    let old = node.bearer(&server).await;
    drop(node);
    installation.clock.advance_secs(100);
    let again = installation.node(2).await;
    assert_eq!(again.bearer(&server).await, old);
    let stored = again.credential(&server).await.unwrap();
    assert_eq!(stored.expires_at, Some(Timestamp::from_secs(NOW + 3_600)));
    again.expire();
    assert_ne!(again.bearer(&server).await, old);
    assert_eq!(installation.issuer.redeemed(), 1);
}

#[tokio::test]
async fn q03_a_token_of_unknown_life_is_used_until_it_is_refused() {
    let installation = Installation::new();
    installation.issuer.set(|issuer| issuer.expires_in = None);
    let node = installation.node(1).await;
    let server = node.add(crate::support::linear()).await;
    node.sign_in(&server, &UserId::owner()).await;
    installation.clock.advance_secs(1_000_000);
    let used = node.attach(&server).await.unwrap();
    assert_eq!(installation.issuer.redeemed(), 0);
    let better = node.refused(&server, &used, &refusal(401, "Bearer")).await;
    assert_ne!(bearer(&better.unwrap()), bearer(&used));
    assert_eq!(installation.issuer.redeemed(), 1);
}

#[tokio::test]
async fn q06_the_resource_is_sent_on_every_leg() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    node.bearer(&server).await;
    let asked = installation
        .world
        .requests_to(&installation.issuer.token_url());
    assert_eq!(asked.len(), 2);
    for request in asked {
        assert_eq!(
            request.field("resource").as_deref(),
            Some(server.url.as_str())
        );
    }
}

#[tokio::test]
async fn q07_a126_nothing_transient_ends_a_credential() {
    let (installation, node, server) = Installation::signed_in().await;
    let before = node.credential(&server).await;
    node.expire();
    let troubles = [
        Err(FetchError::Timeout),
        Err(FetchError::Broken),
        Err(FetchError::Connect { reason: "refused" }),
        text_answer(
            502,
            &[("content-type", "text/html")],
            "<h1>Bad gateway</h1>",
        ),
        text_answer(200, &[("content-type", "text/html")], "<h1>Sign in</h1>"),
        text_answer(200, &[], ""),
        text_answer(
            200,
            &[("content-type", "application/json")],
            "{\"access_tok",
        ),
        json_answer(500, &json!({"error": "invalid_grant"})),
        text_answer(429, &[("retry-after", "2")], ""),
    ];
    for trouble in troubles {
        installation
            .issuer
            .set(|issuer| issuer.next.push_back(trouble));
        let missing = node.attach(&server).await.unwrap_err();
        let wait = retry_after(&missing);
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(node.credential(&server).await, before);
        let status = node.broker.status(&server, &UserId::owner()).await.unwrap();
        assert_eq!(status.standing, Standing::Unreachable);
        installation.clock.advance_secs(u64::from(wait));
    }
    node.bearer(&server).await;
    assert_eq!(installation.issuer.redeemed(), 1);
    let status = node.broker.status(&server, &UserId::owner()).await.unwrap();
    assert_eq!(
        (status.standing, status.reason),
        (Standing::Connected, None)
    );
}

#[tokio::test]
async fn a126_waits_as_long_as_a_busy_issuer_asks() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    let busy = text_answer(429, &[("retry-after", "90")], "");
    installation
        .issuer
        .set(|issuer| issuer.next.push_back(busy));
    let url = installation.issuer.token_url();
    installation.world.forget();
    let wait = retry_after(&node.attach(&server).await.unwrap_err());
    assert!((90..=95).contains(&wait), "{wait}");
    installation.clock.advance_secs(30);
    for _ in 0..20 {
        let left = retry_after(&node.attach(&server).await.unwrap_err());
        assert_eq!(left, wait - 30);
    }
    assert_eq!(installation.world.requests_to(&url).len(), 1);
    installation.clock.advance_secs(65);
    node.bearer(&server).await;
}

#[tokio::test]
async fn an_aging_token_is_served_while_its_issuer_is_down_and_asked_for_seldom() {
    let (installation, node, server) = Installation::signed_in().await;
    let old = node.bearer(&server).await;
    installation.clock.advance_secs(3_550);
    installation.issuer.set(|issuer| {
        issuer.next.extend((0..9).map(|_| Err(FetchError::Timeout)));
    });
    installation.world.forget();
    for _ in 0..50 {
        assert_eq!(node.bearer(&server).await, old);
        node.tasks.finished().await;
    }
    let url = installation.issuer.token_url();
    assert_eq!(installation.world.requests_to(&url).len(), 1);
    installation.clock.advance_secs(5);
    for _ in 0..50 {
        assert_eq!(node.bearer(&server).await, old);
        node.tasks.finished().await;
    }
    assert_eq!(installation.world.requests_to(&url).len(), 2);
}

#[tokio::test]
async fn an_aging_token_is_refreshed_while_it_is_served() {
    let (installation, node, server) = Installation::signed_in().await;
    let old = node.bearer(&server).await;
    installation.clock.advance_secs(3_550);
    assert_eq!(node.bearer(&server).await, old);
    node.tasks.finished().await;
    assert_ne!(node.bearer(&server).await, old);
    assert_eq!(installation.issuer.redeemed(), 1);
}

/// Q08: an issuer that will not say that the token is dead.
#[tokio::test]
async fn q08_two_strikes_half_a_minute_apart_ask_for_a_sign_in_and_end_nothing() {
    let (installation, node, server) = Installation::signed_in().await;
    let before = node.credential(&server).await;
    node.expire();
    let noes = || {
        [
            json_answer(400, &json!({"error": "invalid_request"})),
            text_answer(401, &[("content-type", "text/html")], "<h1>Sign in</h1>"),
            json_answer(422, &json!({"message": "unprocessable"})),
        ]
    };
    installation.issuer.set(|issuer| issuer.next.extend(noes()));
    let mut waited = 0;
    let mut strikes = 0;
    loop {
        let wait = match node.attach(&server).await.unwrap_err() {
            Missing::Unreachable { retry_after_s, .. } => u64::from(retry_after_s),
            Missing::NeedsSignIn { reason, .. } => {
                assert_eq!(reason, Some(Reason::RefreshStuck));
                break;
            }
            other => panic!("{other:?}"),
        };
        strikes += 1;
        assert!(strikes < 10);
        installation.issuer.set(|issuer| {
            if issuer.next.is_empty() {
                issuer.next.extend(noes());
            }
        });
        installation.clock.advance_secs(wait);
        waited += wait;
    }
    assert!(
        strikes >= 1 && waited >= 30,
        "{strikes} strikes in {waited} s"
    );
    assert_eq!(node.credential(&server).await, before);
    let owner = UserId::owner();
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(
        (status.standing, status.reason),
        (Standing::NeedsSignIn, Some(Reason::RefreshStuck))
    );
    // It may be well again, and then nobody has to sign in.
    installation.issuer.set(|issuer| issuer.next.clear());
    installation.clock.advance_secs(60);
    node.bearer(&server).await;
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::Connected);
}

#[tokio::test]
async fn a_refused_refresh_token_ends_the_credential_with_a_link() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    let dead = json_answer(400, &json!({"error": "invalid_grant"}));
    installation
        .issuer
        .set(|issuer| issuer.next.push_back(dead));
    match node.attach(&server).await.unwrap_err() {
        Missing::NeedsSignIn { reason, link, .. } => {
            assert_eq!(reason, Some(Reason::RefreshRefused));
            assert!(link.starts_with("http://127.0.0.1:7447/login/"));
        }
        other => panic!("{other:?}"),
    }
    assert!(node.credential(&server).await.is_none());
    let connection = node.connection(&server).await.unwrap();
    assert_eq!(connection.standing, Standing::NeedsSignIn);
    // Bare from now on: the upstream decides.
    assert!(node.attach(&server).await.unwrap().mark.is_none());
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_said_to_be_ambiguous() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    let url = installation.issuer.token_url();
    installation.issuer.set(|issuer| {
        issuer.next.push_back(Err(FetchError::Broken));
        let dead = json_answer(400, &json!({"error": "invalid_grant"}));
        issuer.next.push_back(dead);
    });
    retry_after(&node.attach(&server).await.unwrap_err());
    installation.clock.advance_secs(5);
    let missing = node.attach(&server).await.unwrap_err();
    assert!(
        matches!(
            missing,
            Missing::NeedsSignIn {
                reason: Some(Reason::AmbiguousRotation),
                ..
            }
        ),
        "{missing:?}"
    );
    assert_eq!(installation.world.requests_to(&url).len(), 3);
}

/// F02 in small: who sent the token is gone, and only the database remembers that it was sent.
#[tokio::test]
async fn a_lost_answer_is_remembered_by_the_next_process() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    installation.issuer.set(|issuer| {
        issuer.next.push_back(Err(FetchError::Broken));
        let dead = json_answer(400, &json!({"error": "invalid_grant"}));
        issuer.next.push_back(dead);
    });
    retry_after(&node.attach(&server).await.unwrap_err());
    let status = node.broker.status(&server, &UserId::owner()).await.unwrap();
    assert_eq!(status.reason, None, "an intent is nobody's business yet");
    drop(node);
    let next = installation.node(77).await;
    let missing = next.attach(&server).await.unwrap_err();
    assert!(
        matches!(
            missing,
            Missing::NeedsSignIn {
                reason: Some(Reason::AmbiguousRotation),
                ..
            }
        ),
        "{missing:?}"
    );
}

/// What never left is not in doubt.
#[tokio::test]
async fn a_request_that_was_never_sent_leaves_no_doubt() {
    let (installation, node, server) = Installation::signed_in().await;
    node.expire();
    installation.issuer.set(|issuer| {
        issuer
            .next
            .push_back(Err(FetchError::Connect { reason: "no route" }));
        let dead = json_answer(400, &json!({"error": "invalid_grant"}));
        issuer.next.push_back(dead);
    });
    retry_after(&node.attach(&server).await.unwrap_err());
    drop(node);
    let next = installation.node(78).await;
    let missing = next.attach(&server).await.unwrap_err();
    assert!(
        matches!(
            missing,
            Missing::NeedsSignIn {
                reason: Some(Reason::RefreshRefused),
                ..
            }
        ),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a125_a_refused_client_keeps_the_grant_and_q09_registers_anew() {
    let (installation, node, server) = Installation::signed_in().await;
    let before = node.credential(&server).await;
    let owner = UserId::owner();
    node.expire();
    installation
        .issuer
        .set(|issuer| issuer.forgot_clients = true);
    installation.world.forget();
    for _ in 0..5 {
        match node.attach(&server).await.unwrap_err() {
            Missing::NeedsSignIn { reason, link, .. } => {
                assert_eq!(reason, Some(Reason::ClientRefused));
                assert!(!link.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    let url = installation.issuer.token_url();
    assert_eq!(installation.world.requests_to(&url).len(), 1);
    assert_eq!(node.credential(&server).await, before);
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(
        (status.standing, status.reason),
        (Standing::NeedsSignIn, Some(Reason::ClientRefused))
    );
    installation
        .issuer
        .set(|issuer| issuer.forgot_clients = false);
    let old = node.registrations(&server).await;
    node.sign_in_with(&server, &owner, begin()).await;
    let all = node.registrations(&server).await;
    assert_eq!((old.len(), all.len()), (1, 2));
    assert_ne!(all[0].client_id, all[1].client_id);
    node.bearer(&server).await;
}

#[tokio::test]
async fn a132_a_clock_that_jumps_neither_storms_nor_ends_anything() {
    let (installation, node, server) = Installation::signed_in().await;
    let old = node.bearer(&server).await;
    // Ten minutes back: nothing is due, and a 401 is answered by one refresh.
    installation.clock.set(Timestamp::from_secs(NOW - 600));
    for _ in 0..10 {
        assert_eq!(node.bearer(&server).await, old);
    }
    let used = node.attach(&server).await.unwrap();
    let better = node.refused(&server, &used, &refusal(401, "Bearer")).await;
    let better = bearer(&better.unwrap());
    assert_ne!(better, old);
    assert_eq!(installation.issuer.redeemed(), 1);
    // Ten minutes ahead: the token is younger than it looks, and still served.
    installation.clock.set(Timestamp::from_secs(NOW + 600));
    for _ in 0..10 {
        assert_eq!(node.bearer(&server).await, better);
    }
    assert_eq!(installation.issuer.redeemed(), 1);
}
