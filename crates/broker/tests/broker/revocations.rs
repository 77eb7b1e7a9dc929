//! What is owed to an issuer is tried until the issuer confirms it.

use claviger_broker::AtIssuer;
use claviger_model::{Outcome, Revocation, TenantId, UserId};
use claviger_ports::FetchError;
use claviger_testkit::{Gate, json_answer, text_answer};
use serde_json::json;

use crate::support::{ISSUER, Installation, Node, forced};

async fn owed(node: &Node) -> Vec<Revocation> {
    let tenant = TenantId::default_tenant();
    node.broker.revocations(&tenant).await.unwrap()
}

async fn disconnect(node: &Node, server: &claviger_model::Server) -> AtIssuer {
    let done = node.broker.disconnect(server, &UserId::owner()).await;
    let done = done.unwrap();
    assert!(done.ended_here);
    done.at_issuer
}

#[tokio::test]
async fn a139_i22_an_issuer_that_is_away_is_asked_again_until_it_confirms() {
    let (installation, node, server) = Installation::signed_in().await;
    let (clock, issuer) = (&installation.clock, &installation.issuer);
    issuer.set(|issuer| {
        let wait = [("retry-after", "600")];
        issuer.next_revocations.extend([
            Err(FetchError::Timeout),
            text_answer(503, &wait, ""),
            text_answer(500, &[], ""),
            text_answer(500, &[], ""),
        ]);
    });
    let said = disconnect(&node, &server).await;
    assert_eq!(said, AtIssuer::Pending("no answer in time".to_owned()));
    assert!(node.attach(&server).await.unwrap().mark.is_none());
    let first = owed(&node).await.remove(0);
    assert_eq!((first.attempts, first.issuer.as_str()), (1, ISSUER));
    assert_eq!(first.last_failure.as_deref(), Some("no answer in time"));
    // Not before it is due.
    assert_eq!(node.broker.try_revocations().await, 0);
    clock.advance_secs(13);
    assert_eq!(node.broker.try_revocations().await, 1);
    // The issuer asked for ten minutes.
    clock.advance_secs(598);
    assert_eq!(node.broker.try_revocations().await, 0);
    clock.advance_secs(3);
    assert_eq!(node.broker.try_revocations().await, 1);
    assert_eq!(owed(&node).await[0].attempts, 3);
    assert!(issuer.revoked().is_empty());
    clock.advance_secs(60);
    assert_eq!(node.broker.try_revocations().await, 1);
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
    assert!(owed(&node).await.is_empty());
    assert_eq!(issuer.live(), 0);
}

#[tokio::test]
async fn a_server_that_is_long_gone_is_still_revoked_at() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    issuer.set(|issuer| issuer.next_revocations.push_back(Err(FetchError::Broken)));
    disconnect(&node, &server).await;
    node.rows().delete_server(&server.id).await.unwrap();
    let other = installation.node(2).await;
    installation.clock.advance_secs(4_000);
    assert_eq!(other.broker.try_revocations().await, 1);
    // RFC 7009 §2.1: the access token has ended by itself meanwhile.
    assert_eq!(issuer.revoked(), ["refresh"]);
    assert!(owed(&node).await.is_empty());
}

#[tokio::test]
async fn f06_what_one_process_hangs_on_is_taken_up_by_another() {
    let (installation, node, server) = Installation::signed_in().await;
    let gate = Gate::closed();
    let issuer = &installation.issuer;
    issuer.set(|issuer| issuer.revocation_gate = Some(gate.clone()));
    let dying = async {
        // The request left, and nobody hears the answer.
        tokio::select! {
            _never = disconnect(&node, &server) => panic!("it was not answered"),
            () = gate.arrived(1) => {}
        }
    };
    dying.await;
    assert!(node.credential(&server).await.is_none());
    issuer.set(|issuer| issuer.revocation_gate = None);
    let other = installation.node(2).await;
    assert_eq!(other.broker.try_revocations().await, 0);
    // The first one gives up on it, and nobody has to wait for the first one.
    installation.clock.advance_secs(26);
    node.tasks.finished().await;
    gate.open();
    installation.clock.advance_secs(30);
    assert_eq!(other.broker.try_revocations().await, 1);
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
    assert!(owed(&other).await.is_empty());
}

#[tokio::test]
async fn of_several_processes_one_tries() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    issuer.set(|issuer| issuer.next_revocations.push_back(Err(FetchError::Broken)));
    disconnect(&node, &server).await;
    let (two, three) = (installation.node(2).await, installation.node(3).await);
    installation.clock.advance_secs(60);
    let (one, two, three) = tokio::join!(
        node.broker.try_revocations(),
        two.broker.try_revocations(),
        three.broker.try_revocations(),
    );
    assert_eq!(one + two + three, 1);
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
}

#[tokio::test]
async fn q09_n2_a_client_refused_at_a_revocation_is_registered_anew_and_the_debt_stays() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    let first = node.registrations(&server).await.remove(0);
    let refused = json_answer(401, &json!({"error": "invalid_client"}));
    issuer.set(|issuer| issuer.next_revocations.push_back(refused));
    let said = disconnect(&node, &server).await;
    assert!(matches!(said, AtIssuer::Pending(_)), "{said:?}");
    let current = node.rows().find_registration(&server.id, ISSUER).await;
    assert_eq!(current.unwrap(), None);
    // One sign-in, with another client.
    let ended = node.sign_in(&server, &UserId::owner()).await;
    assert_eq!(ended.outcome, Outcome::Success, "{ended:?}");
    let current = node.rows().find_registration(&server.id, ISSUER).await;
    assert_ne!(current.unwrap().unwrap().client_id, first.client_id);
    // The debt is still owed as the old client, and sent once that is known again.
    assert_eq!(owed(&node).await.len(), 1);
    installation.clock.advance_secs(60);
    assert_eq!(node.broker.try_revocations().await, 1);
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
    assert_eq!(issuer.live(), 1);
    node.bearer(&server).await;
}

#[tokio::test]
async fn q09_the_operators_client_is_not_registered_anew_when_a_revocation_is_refused() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let mut server = crate::support::own(&node).await;
    let claviger_model::Auth::Oauth(settings) = &mut server.auth else {
        panic!("it signs in");
    };
    settings.grant = claviger_model::Grant::AuthorizationCode;
    let server = node.add(server).await;
    node.sign_in(&server, &UserId::owner()).await;
    let before = node.rows().find_registration(&server.id, ISSUER).await;
    let refused = json_answer(401, &json!({"error": "invalid_client"}));
    let issuer = &installation.issuer;
    issuer.set(|issuer| issuer.next_revocations.push_back(refused));
    disconnect(&node, &server).await;
    let after = node.rows().find_registration(&server.id, ISSUER).await;
    let (before, after) = (before.unwrap(), after.unwrap());
    assert!(before.is_some());
    assert_eq!(before, after);
    assert_eq!(owed(&node).await.len(), 1);
}

#[tokio::test]
async fn an_issuer_that_forgot_our_client_is_shown_and_never_dropped() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    let refused = || json_answer(401, &json!({"error": "invalid_client"}));
    issuer.set(|issuer| issuer.next_revocations.extend((0..20).map(|_| refused())));
    let said = disconnect(&node, &server).await;
    assert!(
        matches!(&said, AtIssuer::Pending(why) if why.contains("invalid_client")),
        "{said:?}"
    );
    for _ in 0..19 {
        installation.clock.advance_secs(4_600);
        assert_eq!(node.broker.try_revocations().await, 1);
    }
    let row = owed(&node).await.remove(0);
    assert_eq!(row.attempts, 20);
    assert!(
        row.last_failure
            .unwrap()
            .contains("no longer knows our client")
    );
}

#[tokio::test]
async fn an_issuer_that_says_it_does_no_such_thing_is_not_asked_again() {
    let (installation, node, server) = Installation::signed_in().await;
    let unsupported = || json_answer(400, &json!({"error": "unsupported_token_type"}));
    let issuer = &installation.issuer;
    issuer.set(|issuer| {
        issuer
            .next_revocations
            .extend([unsupported(), unsupported()]);
    });
    assert_eq!(disconnect(&node, &server).await, AtIssuer::NotOffered);
    assert!(owed(&node).await.is_empty());
}

#[tokio::test]
async fn a203_a_revocation_that_was_repointed_is_not_sent() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    issuer.set(|issuer| issuer.next_revocations.push_back(Err(FetchError::Broken)));
    disconnect(&node, &server).await;
    let row = owed(&node).await.remove(0);
    assert!(row.sealed.windows(6).all(|bytes| bytes != b"canary"));
    node.rows().delete_revocation(&row.id).await.unwrap();
    let repointed = Revocation {
        issuer: "https://evil.example".to_owned(),
        ..row
    };
    node.rows().insert_revocation(&repointed).await.unwrap();
    installation.world.forget();
    installation.clock.advance_secs(60);
    assert_eq!(node.broker.try_revocations().await, 1);
    assert!(installation.world.requests().is_empty());
    let row = owed(&node).await.remove(0);
    assert!(row.last_failure.unwrap().contains("cannot be opened"));
}

#[tokio::test]
async fn a_grant_of_another_client_that_was_replaced_is_revoked() {
    let (installation, node, server) = Installation::signed_in().await;
    let first = node.registrations(&server).await.remove(0);
    node.rows().retire_registration(&first.id).await.unwrap();
    let ended = node.sign_in_with(&server, &UserId::owner(), forced()).await;
    assert_eq!(ended.outcome, Outcome::Success);
    node.tasks.finished().await;
    let issuer = &installation.issuer;
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
    assert_eq!(issuer.live(), 1);
    assert!(owed(&node).await.is_empty());
}

/// A crash in the next moment loses neither the new credential nor what is owed for the old one.
#[tokio::test]
async fn a139_a_replaced_grant_is_owed_from_the_moment_it_is_replaced() {
    let (installation, node, server) = Installation::signed_in().await;
    let first = node.registrations(&server).await.remove(0);
    node.rows().retire_registration(&first.id).await.unwrap();
    let gate = Gate::closed();
    let issuer = &installation.issuer;
    issuer.set(|issuer| issuer.revocation_gate = Some(gate.clone()));
    // Nothing is owed while the old one is stored.
    assert!(owed(&node).await.is_empty());
    node.sign_in_with(&server, &UserId::owner(), forced()).await;
    let row = owed(&node).await.remove(0);
    assert_eq!((row.issuer.as_str(), row.attempts), (ISSUER, 1));
    // Whoever wrote it hears nothing, and another process takes it up.
    issuer.set(|issuer| issuer.revocation_gate = None);
    let other = installation.node(2).await;
    installation.clock.advance_secs(26);
    node.tasks.finished().await;
    installation.clock.advance_secs(30);
    assert_eq!(other.broker.try_revocations().await, 1);
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
    assert_eq!(issuer.live(), 1);
    gate.open();
}

#[tokio::test]
async fn rule_3_a_new_grant_is_not_put_at_risk_for_the_old_one_of_the_same_client() {
    // RFC 7009 §2.1: many issuers end everything that a client holds for the user.
    let (installation, node, server) = Installation::signed_in().await;
    node.sign_in_with(&server, &UserId::owner(), forced()).await;
    node.tasks.finished().await;
    assert!(installation.issuer.revoked().is_empty());
}
