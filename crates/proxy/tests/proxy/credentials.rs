//! A refused credential: once more with a better one, never twice.

use claviger_broker::{Missing, TokenMark};
use claviger_wire::ScopeSet;

use crate::support::*;

const INVALID: (&str, &str) = (
    "www-authenticate",
    r#"Bearer error="invalid_token", resource_metadata="https://up.example/prm""#,
);
const SCOPE: (&str, &str) = (
    "www-authenticate",
    r#"Bearer error="insufficient_scope", scope="files:write""#,
);

#[tokio::test]
async fn g07_n6_a_refused_credential_is_replaced_once_and_the_bytes_stay_the_same() {
    for (status, challenge) in [(401, INVALID), (403, INVALID), (403, SCOPE)] {
        let gateway = Gateway::new();
        gateway
            .forward
            .text(status, &[challenge], "no")
            .text(200, &[JSON], RESULT);
        gateway.attach.after_refusal(Ok(bearer(2)));
        let answer = gateway.send(post(CALL)).await;
        assert_eq!(answer.body, RESULT);
        assert_eq!(answer.header("www-authenticate"), None);
        let [first, second] = &gateway.forward.requests()[..] else {
            panic!("expected two requests");
        };
        assert_eq!(first.header("authorization"), Some("Bearer vault-token-1"));
        assert_eq!(second.header("authorization"), Some("Bearer vault-token-2"));
        assert_eq!((&first.body, &first.uri), (&second.body, &second.uri));
        let (mark, refusal) = gateway.attach.refusals().remove(0);
        assert_eq!(mark, Some(TokenMark([1; 32])));
        assert_eq!(refusal.status.as_u16(), status);
        assert_eq!(refusal.www_authenticate, [challenge.1]);
        assert_eq!(refusal.operation, "tools/call echo");
    }
}

#[tokio::test]
async fn n6_a_second_refusal_is_reported_and_answered() {
    let gateway = Gateway::new();
    gateway
        .forward
        .text(401, &[INVALID], "")
        .text(401, &[INVALID], "");
    gateway.attach.after_refusal(Ok(bearer(2)));
    gateway.attach.after_refusal(Err(needs_sign_in()));
    let answer = gateway.send(post(LIST)).await;
    let body = answer.assert_error(200, -31001);
    assert_eq!(body["id"], 7);
    let marks: Vec<_> = gateway.attach.refusals().iter().map(|one| one.0).collect();
    assert_eq!(marks, [Some(TokenMark([1; 32])), Some(TokenMark([2; 32]))]);
}

#[tokio::test]
async fn n6_q40_there_is_no_third_attempt() {
    let gateway = Gateway::new();
    gateway
        .forward
        .text(401, &[INVALID], "")
        .text(401, &[INVALID], "");
    gateway.attach.after_refusal(Ok(bearer(2)));
    gateway.attach.after_refusal(Ok(bearer(3)));
    let answer = gateway.send(post(LIST)).await;
    answer.assert_error(502, -31003);
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(gateway.forward.requests().len(), 2);
}

#[tokio::test]
async fn a_403_that_is_not_about_the_token_passes() {
    let gateway = Gateway::new();
    let body = r#"{"jsonrpc":"2.0","id":"c1","error":{"code":1,"message":"no"}}"#;
    gateway
        .forward
        .text(403, &[JSON, ("www-authenticate", "Bearer")], body);
    let answer = gateway.send(post(CALL)).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (403, body.as_bytes())
    );
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(gateway.attach.refusals().is_empty());
}

#[tokio::test]
async fn streams_are_opened_with_a_better_credential_too() {
    let gateway = Gateway::new();
    gateway
        .forward
        .text(401, &[INVALID], "")
        .text(200, &[EVENTS], "");
    gateway.attach.after_refusal(Ok(bearer(2)));
    let answer = gateway
        .send(without_body(request("GET", "/notes/mcp")))
        .await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(gateway.attach.refusals()[0].1.operation, "GET");
}

#[tokio::test]
async fn a_step_up_that_did_not_help_says_which_scopes_are_missing() {
    let gateway = Gateway::new();
    gateway.forward.text(403, &[SCOPE], "");
    gateway.attach.after_refusal(Err(Missing::NeedsScopes {
        server: "notes".to_owned(),
        scopes: ScopeSet::parse_lossy("files:write"),
        link: None,
    }));
    let answer = gateway.send(modern_call()).await;
    assert_eq!(answer.status.as_u16(), 200);
    let body = answer.json();
    assert_eq!(body["result"]["isError"], true);
    assert_eq!(body["result"]["resultType"], "complete");
    let standing = &body["result"]["_meta"]["claviger"]["standing"];
    assert_eq!(standing, "needs_scopes");
    assert!(body.to_string().contains("files:write"));
}

#[tokio::test]
async fn n11_whoever_asks_is_named_with_client_and_token() {
    let gateway = Gateway::new();
    gateway.forward.text(200, &[JSON], RESULT);
    gateway.send(post(CALL)).await;
    let [asker] = &gateway.attach.askers()[..] else {
        panic!("expected one");
    };
    assert_eq!(asker.user.as_str(), "owner");
    assert_eq!(asker.client.as_deref(), Some("client-1"));
    assert_eq!(asker.token.as_deref(), Some("owner-1"));
}
