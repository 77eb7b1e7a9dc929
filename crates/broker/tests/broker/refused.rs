//! The upstream said no: one better try, or a diagnosis.

use claviger_broker::Missing;
use claviger_model::{Reason, Standing, UserId};

use crate::support::{Installation, bearer, begin, linear, refusal};

#[tokio::test]
async fn g7_a_401_on_an_old_token_is_answered_by_one_refresh() {
    let (installation, node, server) = Installation::signed_in().await;
    installation.clock.advance_secs(600);
    let used = node.attach(&server).await.unwrap();
    let better = node.refused(&server, &used, &refusal(401, "Bearer")).await;
    let better = better.unwrap();
    assert_ne!(bearer(&better), bearer(&used));
    assert_eq!(node.bearer(&server).await, bearer(&better));
    assert_eq!(installation.issuer.redeemed(), 1);
}

#[tokio::test]
async fn q13_n6_a131_a_fresh_token_that_is_refused_is_diagnosed_and_not_refreshed() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    installation.clock.advance_secs(600);
    let mut used = node.attach(&server).await.unwrap();
    let no = refusal(401, "Bearer error=\"invalid_token\"");
    used = node.refused(&server, &used, &no).await.unwrap();
    for _ in 0..20 {
        match node.refused(&server, &used, &no).await.unwrap_err() {
            Missing::NeedsSignIn { reason, .. } => {
                assert_eq!(reason, Some(Reason::FreshTokenRefused));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(installation.issuer.redeemed(), 1);
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(
        (status.standing, status.reason),
        (Standing::NeedsSignIn, Some(Reason::FreshTokenRefused))
    );
    // The grant is kept; a sign-in is possible although something usable is held.
    assert!(status.credential.is_some());
    node.start(&server, &owner, begin()).await;
}

#[tokio::test]
async fn a_refused_bare_request_says_what_to_sign_in_for() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let bare = node.attach(&server).await.unwrap();
    assert!(bare.mark.is_none() && bare.headers.is_empty());
    let no = refusal(401, "Bearer scope=\"mcp:read\"");
    let mut links = Vec::new();
    for _ in 0..3 {
        match node.refused(&server, &bare, &no).await.unwrap_err() {
            Missing::NeedsSignIn { reason, link, .. } => {
                assert_eq!(reason, None);
                links.push(link);
            }
            other => panic!("{other:?}"),
        }
    }
    // One link, however often it is asked for, and it names whose sign-in it begins.
    links.dedup();
    assert_eq!(links.len(), 1);
    let name = links[0].rsplit('/').next().unwrap();
    let of = node.broker.ticket(name).unwrap();
    assert_eq!((of.user, of.server), (UserId::owner(), server.id.clone()));
    assert!(node.broker.ticket("guess").is_none());
    // C-47: the sign-in asks for what the challenge named.
    let started = node.start(&server, &UserId::owner(), begin()).await;
    assert!(started.authorization_url.contains("scope=mcp%3Aread"));
    assert!(installation.world.requests_to(&server.url).is_empty());
}

#[tokio::test]
async fn a_refused_bare_request_gets_what_was_signed_in_meanwhile() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let bare = node.attach(&server).await.unwrap();
    node.sign_in(&server, &UserId::owner()).await;
    let better = node.refused(&server, &bare, &refusal(401, "Bearer")).await;
    assert_eq!(bearer(&better.unwrap()), node.bearer(&server).await);
}

#[tokio::test]
async fn a_token_that_cannot_be_refreshed_needs_a_sign_in_when_it_ends() {
    let installation = Installation::new();
    installation.issuer.set(|issuer| issuer.refreshable = false);
    let node = installation.node(1).await;
    let (server, owner) = (node.add(linear()).await, UserId::owner());
    node.sign_in(&server, &owner).await;
    node.bearer(&server).await;
    node.expire();
    let missing = node.attach(&server).await.unwrap_err();
    assert!(
        matches!(
            missing,
            Missing::NeedsSignIn {
                reason: Some(Reason::Expired),
                ..
            }
        ),
        "{missing:?}"
    );
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(
        (status.standing, status.reason),
        (Standing::NeedsSignIn, Some(Reason::Expired))
    );
    node.start(&server, &owner, begin()).await;
}

#[tokio::test]
async fn n6_a131_a_client_that_asks_every_two_minutes_is_not_refreshed_for_each() {
    let (installation, node, server) = Installation::signed_in().await;
    let no = refusal(401, "Bearer error=\"invalid_token\"");
    for turn in 0..20 {
        installation.clock.advance_secs(120);
        let used = node.attach(&server).await.unwrap();
        let answer = node.refused(&server, &used, &no).await;
        assert_eq!(answer.is_ok(), turn == 0, "{turn}: {answer:?}");
    }
    assert_eq!(installation.issuer.redeemed(), 1);
    // Its own end is another matter, and so is a sign-in.
    node.expire();
    node.bearer(&server).await;
    assert_eq!(installation.issuer.redeemed(), 2);
    let status = node.broker.status(&server, &UserId::owner()).await.unwrap();
    assert_eq!(status.standing, Standing::Connected);
}
