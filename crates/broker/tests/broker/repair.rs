//! N2: registrations that were lost, or whose secret ends, are repaired and nothing is destroyed.

use claviger_broker::{Begun, Missing};
use claviger_model::{Outcome, Reason, Server, Standing, UserId};
use claviger_testkit::{Recorded, json_answer};
use http::Method;
use serde_json::json;

use crate::support::{ISSUER, Installation, NOW, Node, begin, ended, forced, linear};

const DAY: u64 = 86_400;

fn in_days(days: i64) -> i64 {
    NOW + days * 86_400
}

/// Signed in with a client whose secret ends in ten days.
async fn with_ending_secret(manages: bool) -> (Installation, Node, Server) {
    let installation = Installation::new();
    installation.issuer.set(|issuer| {
        issuer.confidential = true;
        issuer.manages = manages;
        issuer.secret_ends = in_days(10);
    });
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let end = node.sign_in(&server, &UserId::owner()).await;
    assert_eq!(end.outcome, Outcome::Success, "{end:?}");
    (installation, node, server)
}

fn registered(installation: &Installation) -> usize {
    let all = installation
        .world
        .requests_to(&format!("{ISSUER}/register"));
    all.iter().filter(|one| one.method == Method::POST).count()
}

fn probes(installation: &Installation) -> Vec<Recorded> {
    installation
        .world
        .requests_to(&format!("{ISSUER}/authorize"))
}

fn methods(installation: &Installation) -> Vec<Method> {
    let managed = installation
        .world
        .requests_to(&format!("{ISSUER}/register/"));
    managed.into_iter().map(|one| one.method).collect()
}

#[tokio::test]
async fn q10_n2_a_secret_that_ends_soon_is_not_what_a_new_grant_is_bound_to() {
    let (installation, node, server) = with_ending_secret(false).await;
    let owner = UserId::owner();
    installation.clock.advance_secs(8 * DAY);
    node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(registered(&installation), 1);
    installation
        .issuer
        .set(|issuer| issuer.secret_ends = in_days(30));
    installation.clock.advance_secs(DAY);
    node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(registered(&installation), 2);
    let all = node.registrations(&server).await;
    let held = node.credential(&server).await.unwrap();
    assert_eq!(held.registration.as_ref(), Some(&all[1].id));
}

#[tokio::test]
async fn q10_a_secret_that_never_ends_is_never_renewed() {
    let (installation, node, server) = with_ending_secret(true).await;
    installation.issuer.set(|issuer| issuer.secret_ends = 0);
    let owner = UserId::owner();
    installation.clock.advance_secs(9 * DAY);
    node.sign_in_with(&server, &owner, forced()).await;
    let all = node.registrations(&server).await;
    assert_eq!(all.last().unwrap().secret_expires_at, None);
    installation.world.forget();
    installation.clock.advance_secs(5_000 * DAY);
    node.sign_in_with(&server, &owner, forced()).await;
    node.expire();
    node.bearer(&server).await;
    assert_eq!(
        (registered(&installation), methods(&installation)),
        (0, vec![])
    );
}

#[tokio::test]
async fn q10_a_secret_is_renewed_before_a_sign_in_where_the_issuer_offers_it() {
    let (installation, node, server) = with_ending_secret(true).await;
    let owner = UserId::owner();
    installation
        .issuer
        .set(|issuer| issuer.secret_ends = in_days(30));
    installation.clock.advance_secs(9 * DAY);
    let end = node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(end.outcome, Outcome::Success, "{end:?}");
    assert_eq!(methods(&installation), [Method::GET, Method::PUT]);
    assert_eq!(registered(&installation), 1);
    let all = node.registrations(&server).await;
    assert!(all.iter().all(|one| one.client_id == all[0].client_id));
    // Nobody renews again what lasts.
    node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(methods(&installation).len(), 2);
    // Another process goes on with the last management token.
    installation.clock.advance_secs(20 * DAY);
    installation
        .issuer
        .set(|issuer| issuer.secret_ends = in_days(60));
    let other = installation.node(2).await;
    let end = other.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(end.outcome, Outcome::Success, "{end:?}");
    assert_eq!(methods(&installation).len(), 4);
    assert_eq!(registered(&installation), 1);
}

#[tokio::test]
async fn q10_a_grant_goes_on_with_the_renewed_secret_without_a_person() {
    let (installation, node, server) = with_ending_secret(true).await;
    installation.issuer.set(|issuer| {
        issuer.secret_ends = in_days(30);
        issuer.renews_on_read = true;
    });
    installation.clock.advance_secs(9 * DAY);
    node.bearer(&server).await;
    assert_eq!(methods(&installation), [Method::GET]);
    for _ in 0..3 {
        node.expire();
        node.bearer(&server).await;
    }
    assert_eq!(methods(&installation).len(), 1);
    assert_eq!(installation.issuer.redeemed(), 4);
    // The old row is what the credential names, and the new secret is what it is used with.
    let held = node.credential(&server).await.unwrap();
    let all = node.registrations(&server).await;
    assert_eq!(held.registration.as_ref(), Some(&all[0].id));
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn q10_an_answer_is_stored_before_the_next_request() {
    let (installation, node, server) = with_ending_secret(true).await;
    let owner = UserId::owner();
    installation.clock.advance_secs(9 * DAY);
    // It gives a new management token with every answer, and no longer life to the secret.
    node.start(&server, &owner, forced()).await;
    let seen = methods(&installation);
    assert_eq!(seen, [Method::GET, Method::PUT]);
    assert_eq!(registered(&installation), 2);
    let all = node.registrations(&server).await;
    assert_eq!(
        all.iter()
            .filter(|one| one.client_id == all[0].client_id)
            .count(),
        3
    );
    // The grant of the first client still works, with the secret it was given last.
    node.expire();
    node.bearer(&server).await;
}

#[tokio::test]
async fn a205_the_management_token_goes_where_it_was_sealed_for() {
    let (installation, node, server) = with_ending_secret(true).await;
    let mut row = node.registrations(&server).await[0].clone();
    row.id = claviger_model::RegistrationId::parse("forged").unwrap();
    row.registration_client_uri = Some("https://evil.example/register/x".to_owned());
    node.rows().insert_registration(&row).await.unwrap();
    installation.clock.advance_secs(9 * DAY);
    drop(node.begin(&server, &UserId::owner(), forced()).await);
    assert!(
        installation
            .world
            .requests_to("https://evil.example")
            .is_empty()
    );
}

#[tokio::test]
async fn q10_what_ends_soon_is_used_where_nothing_else_can_be_had() {
    let (installation, node, server) = with_ending_secret(false).await;
    installation.issuer.set(|issuer| issuer.is_full = true);
    installation.clock.advance_secs(9 * DAY);
    let end = node.sign_in_with(&server, &UserId::owner(), forced()).await;
    assert_eq!(end.outcome, Outcome::Success, "{end:?}");
}

#[tokio::test]
async fn q09_a_client_from_the_database_is_asked_about_once_before_a_person_is_sent_there() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    node.sign_in_with(&server, &owner, forced()).await;
    assert!(probes(&installation).is_empty(), "this process made it");
    let other = installation.node(2).await;
    let started = other.start(&server, &owner, forced()).await;
    let asked = probes(&installation);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, Method::GET);
    // What was asked is of no use to whoever reads it.
    let state = |url: &str| {
        let (_, rest) = url.split_once("&state=").unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    assert_ne!(state(&asked[0].url), state(&started.authorization_url));
    let query = installation.issuer.agree(&started.authorization_url);
    assert_eq!(
        ended(other.complete(&server, &query).await).outcome,
        Outcome::Success
    );
    other.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(probes(&installation).len(), 1);
    assert_eq!(node.registrations(&server).await.len(), 1);
}

#[tokio::test]
async fn q09_n2_a_client_that_was_lost_is_registered_anew_before_a_person_is_sent_there() {
    let (installation, node, server) = Installation::signed_in().await;
    let held = node.credential(&server).await;
    installation
        .issuer
        .set(|issuer| issuer.forgot_clients = true);
    let other = installation.node(2).await;
    // While nobody can be registered, nothing is thrown away, and the question stays open.
    installation.issuer.set(|issuer| issuer.is_full = true);
    let failed = other.begin(&server, &UserId::owner(), forced()).await;
    assert!(failed.is_err());
    assert_eq!(node.registrations(&server).await.len(), 1);
    installation.issuer.set(|issuer| issuer.is_full = false);
    installation.clock.advance_secs(1);
    let started = other.start(&server, &UserId::owner(), forced()).await;
    let all = node.registrations(&server).await;
    assert_eq!((all.len(), probes(&installation).len()), (2, 2));
    assert!(started.authorization_url.contains(&all[1].client_id));
    assert_eq!(node.credential(&server).await, held);
}

#[tokio::test]
async fn q09_nobody_asks_about_the_operators_client() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let mut server = crate::support::own(&node).await;
    let claviger_model::Auth::Oauth(settings) = &mut server.auth else {
        panic!("it signs in");
    };
    settings.grant = claviger_model::Grant::AuthorizationCode;
    let server = node.add(server).await;
    node.sign_in(&server, &UserId::owner()).await;
    let other = installation.node(2).await;
    other.start(&server, &UserId::owner(), forced()).await;
    assert!(probes(&installation).is_empty());
    assert_eq!(registered(&installation), 0);
}

#[tokio::test]
async fn n2_a125_a_client_refused_at_a_refresh_costs_one_sign_in_and_destroys_nothing() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let held = node.credential(&server).await.unwrap();
    installation
        .issuer
        .set(|issuer| issuer.forgot_clients = true);
    node.expire();
    let missing = node.attach(&server).await.unwrap_err();
    assert!(
        matches!(
            missing,
            Missing::NeedsSignIn {
                reason: Some(Reason::ClientRefused),
                ..
            }
        ),
        "{missing:?}"
    );
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::NeedsSignIn);
    assert_eq!(node.credential(&server).await.as_ref(), Some(&held));

    // The old client comes back: so does the grant.
    installation
        .issuer
        .set(|issuer| issuer.forgot_clients = false);
    installation.clock.advance_secs(120);
    node.bearer(&server).await;
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::Connected);
    assert!(matches!(
        node.begin(&server, &owner, begin()).await.unwrap(),
        Begun::Connected
    ));
}

#[tokio::test]
async fn n2_after_a_refused_client_one_sign_in_repairs_it() {
    let (installation, node, server) = Installation::signed_in().await;
    let lost = || json_answer(401, &json!({"error": "invalid_client"}));
    installation
        .issuer
        .set(|issuer| issuer.next.push_back(lost()));
    node.expire();
    node.attach(&server).await.unwrap_err();
    let end = node.sign_in(&server, &UserId::owner()).await;
    assert_eq!(end.outcome, Outcome::Success);
    assert_eq!(registered(&installation), 2);
    node.expire();
    node.bearer(&server).await;
}

#[tokio::test]
async fn n2_q10_a_secret_that_has_ended_costs_one_sign_in_and_destroys_nothing() {
    let (installation, node, server) = with_ending_secret(false).await;
    let owner = UserId::owner();
    let held = node.credential(&server).await.unwrap();
    installation.clock.advance_secs(11 * DAY);
    installation.issuer.set(|issuer| {
        issuer.secret_ends = in_days(60);
        let lost = json_answer(401, &json!({"error": "invalid_client"}));
        issuer.next.push_back(lost);
    });
    let missing = node.attach(&server).await.unwrap_err();
    assert!(
        matches!(
            missing,
            Missing::NeedsSignIn {
                reason: Some(Reason::ClientRefused),
                ..
            }
        ),
        "{missing:?}"
    );
    assert_eq!(node.credential(&server).await.as_ref(), Some(&held));
    let end = node.sign_in(&server, &owner).await;
    assert_eq!(end.outcome, Outcome::Success, "{end:?}");
    assert_eq!(registered(&installation), 2);
    assert_eq!(node.registrations(&server).await.len(), 2);
    for _ in 0..2 {
        node.expire();
        node.bearer(&server).await;
    }
    assert_eq!(registered(&installation), 2);
}

#[tokio::test]
async fn a_failed_sign_in_is_why_nothing_is_held_until_the_next_one() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let owner = UserId::owner();
    let no = json_answer(400, &json!({"error": "invalid_grant"}));
    installation.issuer.set(|issuer| issuer.next.push_back(no));
    assert_eq!(node.sign_in(&server, &owner).await.outcome, Outcome::Failed);
    let said = async || {
        let status = node.broker.status(&server, &owner).await.unwrap();
        (status.standing, status.reason)
    };
    let failed = (Standing::NeedsSignIn, Some(Reason::SignInFailed));
    assert_eq!(said().await, failed);
    assert_eq!(
        node.sign_in(&server, &owner).await.outcome,
        Outcome::Success
    );
    assert_eq!(said().await, (Standing::Connected, None));
    // One that fails later takes nothing away and says nothing.
    let no = json_answer(400, &json!({"error": "invalid_grant"}));
    installation.issuer.set(|issuer| issuer.next.push_back(no));
    node.sign_in_with(&server, &owner, forced()).await;
    assert_eq!(said().await, (Standing::Connected, None));
}

#[tokio::test]
async fn a_sweep_takes_back_what_nothing_hangs_on_and_nothing_else() {
    let (installation, node, server) = with_ending_secret(true).await;
    let owner = UserId::owner();
    let first = node.registrations(&server).await[0].client_id.clone();
    let moved = claviger_broker::Begin {
        redirect_uri: "http://127.0.0.1:9999/callback/linear".to_owned(),
        ..forced()
    };
    installation.clock.advance_secs(10);
    let started = node.start(&server, &owner, moved).await;
    // The credential hangs on the first client still.
    installation.clock.advance_secs(4_000);
    assert_eq!(node.broker.sweep().await.unwrap().registrations, 0);
    drop(started);
    let moved = claviger_broker::Begin {
        redirect_uri: "http://127.0.0.1:9999/callback/linear".to_owned(),
        ..forced()
    };
    let end = node.sign_in_with(&server, &owner, moved).await;
    assert_eq!(end.outcome, Outcome::Success, "{end:?}");
    let swept = node.broker.sweep().await.unwrap();
    assert_eq!(swept.registrations, 1);
    assert_eq!(
        installation
            .issuer
            .set(|issuer| issuer.deregistered.clone()),
        [first]
    );
    installation.clock.advance_secs(2 * DAY);
    // What ended yesterday is gone, and what is held is not.
    assert!(node.broker.sweep().await.unwrap().rows > 0);
    assert!(node.credential(&server).await.is_some());
    node.bearer(&server).await;
    assert_eq!(node.broker.sweep().await.unwrap().registrations, 0);
}
