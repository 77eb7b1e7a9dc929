//! Sessions of the older era: sealed, and good for one caller.

use crate::support::*;

#[tokio::test]
async fn g03_the_raw_id_stays_between_us_and_the_upstream() {
    let gateway = Gateway::new();
    let session = gateway.session("{}").await;
    assert!(!session.contains("raw-upstream-id"));
    let echo = [JSON, ("mcp-session-id", "raw-upstream-id")];
    gateway.forward.text(200, &echo, RESULT);
    let answer = gateway
        .send(post_with(CALL, &[("mcp-session-id", &session)]))
        .await;
    assert_eq!(answer.header("mcp-session-id"), Some(session.as_str()));
    let seen = gateway.forward.requests().pop().unwrap();
    assert_eq!(seen.header("mcp-session-id"), Some("raw-upstream-id"));
}

#[tokio::test]
async fn a153_a155_b18_b20_another_callers_session_is_unknown() {
    let gateway = Gateway::new();
    let session = gateway.session("{}").await;
    let before = gateway.forward.requests().len();
    let broken = format!("{session}A");
    for (token, session) in [
        ("visitor-token", session.as_str()),
        ("owner-token", broken.as_str()),
        ("owner-token", "raw-upstream-id"),
        ("owner-token", ""),
    ] {
        let headers = [("mcp-session-id", session)];
        let answer = gateway.send(post_as(token, CALL, &headers)).await;
        let body = answer.assert_error(404, -31006);
        assert_eq!(body["id"], "c1");
        for method in ["GET", "DELETE"] {
            let mut request = without_body(
                request(method, "/notes/mcp")
                    .header("mcp-session-id", session)
                    .header("last-event-id", "1"),
            );
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
            assert_eq!(gateway.send(request).await.status.as_u16(), 404);
        }
    }
    let mut nobody = post_with(CALL, &[("mcp-session-id", &session)]);
    nobody.headers_mut().remove("authorization");
    assert_eq!(gateway.send(nobody).await.status.as_u16(), 401);
    let mut elsewhere = post_with(CALL, &[("mcp-session-id", &session)]);
    *elsewhere.uri_mut() = "/other/mcp".parse().unwrap();
    assert_eq!(gateway.send(elsewhere).await.status.as_u16(), 404);
    assert_eq!(gateway.forward.requests().len(), before);
}

#[tokio::test]
async fn a_session_header_that_stands_twice_is_refused() {
    let gateway = Gateway::new();
    let session = gateway.session("{}").await;
    let headers = [
        ("mcp-session-id", session.as_str()),
        ("mcp-session-id", "x"),
    ];
    let answer = gateway.send(post_with(CALL, &headers)).await;
    answer.assert_error(400, -32600);
}

#[tokio::test]
async fn t02_the_modern_era_has_no_sessions() {
    let gateway = Gateway::new();
    gateway
        .forward
        .text(200, &[JSON, ("mcp-session-id", "raw")], RESULT);
    let mut request = modern_call();
    request
        .headers_mut()
        .insert("mcp-session-id", "whatever".parse().unwrap());
    let answer = gateway.send(request).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.header("mcp-session-id"), None);
    assert_eq!(
        gateway.forward.only_request().header("mcp-session-id"),
        None
    );
}

#[tokio::test]
async fn an_ended_session_of_the_upstream_is_told_as_it_was_said() {
    let gateway = Gateway::new();
    let session = gateway.session("{}").await;
    gateway.forward.text(404, &[JSON], r#"{"error":"gone"}"#);
    let answer = gateway
        .send(post_with(CALL, &[("mcp-session-id", &session)]))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (404, &br#"{"error":"gone"}"#[..])
    );
}

#[tokio::test]
async fn a155_an_event_id_counts_within_the_callers_own_session_only() {
    let gateway = Gateway::new();
    gateway.forward.text(200, &[EVENTS], "");
    let request = request("GET", "/notes/mcp").header("last-event-id", "somebodys-7");
    gateway.send(without_body(request)).await;
    assert_eq!(gateway.forward.only_request().header("last-event-id"), None);
}
