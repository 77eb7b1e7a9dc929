//! A missing credential: who is told, and how, by era and by what the client can show.

use claviger_broker::{Attachment, Missing};
use serde_json::json;

use crate::support::*;

const V11: (&str, &str) = ("mcp-protocol-version", "2025-11-25");
const V06: (&str, &str) = ("mcp-protocol-version", "2025-06-18");

async fn asked(gateway: &Gateway, request: http::Request<axum::body::Body>) -> Answer {
    gateway.attach.attached(Err(needs_sign_in()));
    gateway.send(request).await
}

#[tokio::test]
async fn g07_t14_a_modern_client_that_shows_urls_is_asked_for_input() {
    let gateway = Gateway::new();
    let answer = asked(&gateway, modern_call()).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(
        answer.json(),
        json!({"jsonrpc": "2.0", "id": 9, "result": {
            "resultType": "input_required",
            "inputRequests": {"claviger_sign_in": {
                "method": "elicitation/create",
                "params": {"mode": "url", "url": LINK, "message": "the server `notes` needs a sign-in"}
            }},
            "_meta": {"claviger": {
                "standing": "needs_sign_in", "reason": null, "url": LINK, "server": "notes",
            }},
        }})
    );
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn g07_t14_nothing_is_asked_that_was_not_declared_or_may_not_ask() {
    let gateway = Gateway::new();
    let version = ("mcp-protocol-version", "2026-07-28");
    let plain = MODERN_CALL.replace(r#"{"elicitation":{"url":{}}}"#, r#"{"elicitation":{}}"#);
    let headers = [version, ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    let answer = asked(&gateway, post_with(&plain, &headers)).await.json();
    assert_eq!(answer["result"]["isError"], true);
    assert!(
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains(LINK)
    );

    let list = MODERN_CALL.replace("tools/call", "tools/list");
    let headers = [version, ("mcp-method", "tools/list")];
    let answer = asked(&gateway, post_with(&list, &headers)).await;
    let body = answer.assert_error(200, -31001);
    let said = &body["error"]["data"]["claviger"];
    assert_eq!(
        *said,
        json!({"standing": "needs_sign_in", "reason": null, "url": LINK, "server": "notes"})
    );
}

fn answered(action: &str) -> http::Request<axum::body::Body> {
    let responses =
        format!(r#""name":"echo","inputResponses":{{"claviger_sign_in":{{"action":"{action}"}}}}"#);
    let body = MODERN_CALL.replace(r#""name":"echo""#, &responses);
    let mut request = modern_call();
    *request.body_mut() = axum::body::Body::from(body);
    request
}

#[tokio::test]
async fn t14_an_accepted_sign_in_is_waited_for_and_our_question_stays_here() {
    let gateway = Gateway::new();
    gateway.forward.text(200, &[JSON], RESULT);
    for _ in 0..3 {
        gateway.attach.attached(Err(needs_sign_in()));
    }
    let (answer, ()) = tokio::join!(gateway.send(answered("accept")), async {
        for _ in 0..3 {
            while gateway.clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            assert!(gateway.forward.requests().is_empty());
            gateway.clock.advance_secs(1);
        }
    });
    assert_eq!(answer.body, RESULT);
    let seen = gateway.forward.only_request();
    assert_eq!(seen.header("authorization"), Some("Bearer vault-token-1"));
    let seen: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    let sent: serde_json::Value = serde_json::from_str(MODERN_CALL).unwrap();
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn t14_a_challenge_after_the_acceptance_is_waited_for_too() {
    let gateway = Gateway::new();
    gateway
        .forward
        .text(401, &[], "")
        .text(200, &[JSON], RESULT);
    gateway.attach.attached(Ok(Attachment::default()));
    gateway.attach.after_refusal(Err(needs_sign_in()));
    // Still bare: not what is waited for.
    gateway.attach.attached(Ok(Attachment::default()));
    let (answer, ()) = tokio::join!(gateway.send(answered("accept")), async {
        for _ in 0..2 {
            while gateway.clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            gateway.clock.advance_secs(1);
        }
    });
    assert_eq!(answer.body, RESULT);
    assert_eq!(gateway.forward.requests().len(), 2);
}

#[tokio::test]
async fn t14_nobody_is_asked_twice_in_one_call() {
    let gateway = Gateway::new();
    for action in ["decline", "cancel"] {
        let body = asked(&gateway, answered(action)).await.json();
        assert_eq!(body["result"]["isError"], true, "{body}");
    }
    for _ in 0..60 {
        gateway.attach.attached(Err(needs_sign_in()));
    }
    let (answer, ()) = tokio::join!(gateway.send(answered("accept")), async {
        while gateway.clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        gateway.clock.advance_secs(46);
    });
    assert_eq!(answer.json()["result"]["isError"], true);
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn g07_a_client_of_2025_11_25_gets_url_elicitation() {
    let gateway = Gateway::new();
    let session = gateway.session(r#"{"elicitation":{"url":{}}}"#).await;
    let headers = [V11, ("mcp-session-id", session.as_str())];
    for body in [CALL, LIST] {
        let answer = asked(&gateway, post_with(body, &headers)).await;
        let body = answer.assert_error(200, -32042);
        let elicitation = &body["error"]["data"]["elicitations"][0];
        assert_eq!(elicitation["mode"], "url");
        assert_eq!(elicitation["url"], LINK);
        assert_eq!(elicitation["elicitationId"].as_str().unwrap().len(), 32);
        // C-73: so that it is not taken for a request of the server behind, nor one for it.
        assert_eq!(body["error"]["data"]["claviger"]["url"], LINK);
    }
}

#[tokio::test]
async fn g07_what_initialize_said_is_remembered_in_the_session() {
    let gateway = Gateway::new();
    let session = gateway.session(r#"{"elicitation":{}}"#).await;
    let headers = [V11, ("mcp-session-id", session.as_str())];
    let body = asked(&gateway, post_with(CALL, &headers)).await.json();
    assert_eq!(body["result"]["isError"], true);
    asked(&gateway, post_with(LIST, &headers))
        .await
        .assert_error(200, -31001);
}

#[tokio::test]
async fn g07_older_and_unknown_clients_get_what_their_revision_has() {
    let gateway = Gateway::new();
    asked(&gateway, post_with(CALL, &[V11]))
        .await
        .assert_error(200, -32042);
    for headers in [&[V06][..], &[]] {
        let body = asked(&gateway, post_with(CALL, headers)).await.json();
        assert_eq!(body["result"]["isError"], true);
        assert_eq!(body["result"].get("resultType"), None);
        assert!(
            body["result"]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains(LINK)
        );
        let answer = asked(&gateway, post_with(LIST, headers)).await;
        let body = answer.assert_error(200, -31001);
        assert!(body["error"]["message"].as_str().unwrap().contains(LINK));
    }
}

#[tokio::test]
async fn a_batch_is_answered_message_by_message() {
    let gateway = Gateway::new();
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let answer = asked(&gateway, post(&format!("[{LIST},{note},{CALL}]"))).await;
    let body = answer.json();
    assert_eq!(body.as_array().unwrap().len(), 2);
    assert_eq!(body[0]["id"], 7);
    assert_eq!(body[1]["result"]["isError"], true);
}

#[tokio::test]
async fn q40_what_waits_for_no_answer_gets_a_502() {
    let gateway = Gateway::new();
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for request in [
        post(note),
        without_body(request("GET", "/notes/mcp")),
        without_body(request("DELETE", "/notes/mcp")),
    ] {
        let answer = asked(&gateway, request).await;
        let body = answer.assert_error(502, -31001);
        assert_eq!(body["id"], json!(null));
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn trouble_at_the_issuer_is_told_with_a_time() {
    let gateway = Gateway::new();
    gateway.attach.attached(Err(Missing::Unreachable {
        server: "notes".to_owned(),
        retry_after_s: 12,
    }));
    let answer = gateway.send(post(CALL)).await;
    let body = answer.assert_error(503, -31003);
    assert_eq!(body["id"], "c1");
    assert_eq!(answer.header("retry-after"), Some("12"));
}

#[tokio::test]
async fn a_wrong_setting_is_told_with_a_hint_and_without_a_link() {
    let gateway = Gateway::new();
    gateway.attach.attached(Err(Missing::Misconfigured {
        server: "notes".to_owned(),
        hint: "give a client id".to_owned(),
    }));
    let body = gateway.send(post(LIST)).await.assert_error(200, -31004);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("give a client id")
    );
    assert_eq!(body["error"]["data"]["claviger"]["url"], json!(null));
}
