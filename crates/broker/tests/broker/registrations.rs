//! Client information: kept, used again, made anew, and never taken to another issuer.

use std::sync::Arc;

use claviger_broker::Begin;
use claviger_model::{Outcome, UserId};
use claviger_testkit::json_answer;
use serde_json::json;

use crate::support::{ISSUER, Installation, Issuer, OTHER_ISSUER, begin, ended, forced, linear};

#[tokio::test]
async fn m6_c31_a_registration_is_used_again_until_the_redirect_changes() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(node.registrations(&server).await.len(), 1);
    let moved = Begin {
        redirect_uri: "http://127.0.0.1:9999/callback/linear".to_owned(),
        ..forced()
    };
    node.sign_in_with(&server, &owner, moved).await;
    let all = node.registrations(&server).await;
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].client_id, all[1].client_id);
    let register = format!("{ISSUER}/register");
    assert_eq!(installation.world.requests_to(&register).len(), 2);
}

#[tokio::test]
async fn q11_a_dynamic_secret_survives_a_restart() {
    let installation = Installation::new();
    installation.issuer.set(|issuer| issuer.confidential = true);
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let end = node.sign_in(&server, &UserId::owner()).await;
    assert_eq!(end.outcome, Outcome::Success);
    node.expire();
    drop(node);
    let again = installation.node(2).await;
    again.bearer(&server).await;
    assert_eq!(installation.issuer.redeemed(), 1);
    let asked = installation
        .world
        .requests_to(&installation.issuer.token_url());
    assert!(asked.iter().all(|one| one.field("client_secret").is_some()));
}

#[tokio::test]
async fn c31_c32_b29_a019_another_issuer_gets_nothing_of_the_first() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let first = node.registrations(&server).await[0].clone();
    let other = Arc::new(Issuer::at(OTHER_ISSUER));
    installation.world.add(&other);
    installation.world.protect(&server.url, OTHER_ISSUER);
    let old = installation.issuer.set(|issuer| issuer.secrets.clone());
    // A refresh still goes to the issuer that gave the token, and nowhere else (Q39).
    node.expire();
    node.bearer(&server).await;
    assert_eq!(installation.issuer.redeemed(), 1);

    let started = node.start(&server, &owner, forced()).await;
    let query = other.agree(&started.authorization_url);
    let end = ended(node.complete(&server, &query).await);
    assert_eq!(end.outcome, Outcome::Success);
    let all = node.registrations(&server).await;
    assert_eq!((all.len(), all[1].issuer.as_str()), (2, OTHER_ISSUER));
    let later = installation.issuer.set(|issuer| issuer.secrets.clone());
    for request in installation.world.requests_to(OTHER_ISSUER) {
        let text = format!("{} {:?} {}", request.url, request.headers, request.text());
        assert!(!text.contains(&first.client_id), "{text}");
        for secret in old.union(&later) {
            assert!(!text.contains(secret.as_str()));
        }
    }
    node.expire();
    node.bearer(&server).await;
    assert_eq!((installation.issuer.redeemed(), other.redeemed()), (1, 1));
}

#[tokio::test]
async fn q09_a_client_the_issuer_lost_is_registered_anew_by_the_next_sign_in() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let before = node.credential(&server).await;
    let lost = json_answer(401, &json!({"error": "invalid_client"}));
    installation
        .issuer
        .set(|issuer| issuer.next.push_back(lost));
    let end = node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(end.hint.unwrap().contains("registers anew"));
    assert_eq!(node.credential(&server).await, before);
    let end = node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(end.outcome, Outcome::Success);
    assert_eq!(node.registrations(&server).await.len(), 2);
    assert!(matches!(
        node.begin(&server, &owner, begin()).await.unwrap(),
        claviger_broker::Begun::Connected
    ));
}
