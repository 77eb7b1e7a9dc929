//! What the caller sees of the upstream.

use claviger_ports::ForwardError;

use crate::support::*;

#[tokio::test]
async fn a143_g06_only_known_headers_come_back() {
    let gateway = Gateway::new();
    let headers = [
        JSON,
        ("set-cookie", "a=b"),
        ("www-authenticate", "Bearer realm=\"up\""),
        ("location", "https://evil.example"),
        ("access-control-allow-origin", "*"),
        ("x-debug", "Bearer vault-token-1"),
        ("authorization", "Bearer vault-token-1"),
        ("traceparent", "vault-token-1"),
        ("connection", "x"),
        ("alt-svc", "h3=\":443\""),
        ("mcp-protocol-version", "2025-11-25"),
        ("x-content-type-options", "sniff"),
    ];
    gateway.forward.text(200, &headers, RESULT);
    let answer = gateway.send(post(CALL)).await;
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "cache-control",
            "content-length",
            "content-security-policy",
            "content-type",
            "mcp-protocol-version",
            "x-content-type-options"
        ]
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.body, RESULT);
}

#[tokio::test]
async fn a160_only_json_and_events_come_back() {
    let gateway = Gateway::new();
    for headers in [
        &[("content-type", "text/html")][..],
        &[("content-type", "application/javascript")],
        &[("content-type", "image/svg+xml")],
        &[],
        &[JSON, ("content-type", "text/html")],
    ] {
        gateway
            .forward
            .text(200, headers, "<script>alert(1)</script>");
        let answer = gateway.send(post(CALL)).await;
        let body = answer.assert_error(502, -31005);
        assert_eq!(body["id"], "c1");
        assert!(!body.to_string().contains("script"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let typed = [("content-type", "Application/JSON; charset=utf-8")];
    gateway.forward.text(200, &typed, RESULT);
    assert_eq!(gateway.send(post(CALL)).await.body, RESULT);
}

#[tokio::test]
async fn a144_redirects_are_neither_followed_nor_shown() {
    let gateway = Gateway::new();
    for status in [301, 302, 303, 307, 308] {
        let headers = [JSON, ("location", "https://evil.example/mcp")];
        gateway.forward.text(status, &headers, "{}");
        let answer = gateway.send(post(CALL)).await;
        answer.assert_error(502, -31005);
        assert_eq!(answer.header("location"), None);
    }
    assert_eq!(gateway.forward.requests().len(), 5);
}

#[tokio::test]
async fn g04_json_of_4xx_comes_back_unchanged() {
    let gateway = Gateway::new();
    let body = r#"{ "jsonrpc":"2.0","id":"c1","error":{"code":-32022,"message":"m","data":{"supported":["x"]}} }"#;
    for status in [400, 403, 404, 405, 409, 429] {
        gateway
            .forward
            .text(status, &[JSON, ("retry-after", "3")], body);
        let answer = gateway.send(post(CALL)).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.body, body);
        assert_eq!(answer.header("retry-after"), Some("3"));
    }
    for status in [400, 404, 405] {
        let page = [("content-type", "text/html"), ("allow", "POST")];
        gateway.forward.text(status, &page, "<html>");
        let answer = gateway
            .send(without_body(request("GET", "/notes/mcp")))
            .await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("allow"), Some("POST"));
        assert_eq!(answer.header("content-type"), None);
        assert!(answer.body.is_empty());
        // Who waits for an answer is told the status in words of ours, outside the modern codes.
        gateway.forward.text(status, &page, "<html>");
        let answer = gateway.send(modern_call()).await;
        assert_eq!(answer.header("allow"), Some("POST"));
        assert_eq!(answer.assert_error(status, -31005)["id"], 9);
    }
}

#[tokio::test]
async fn g23_q40_upstream_trouble_is_a_502_and_never_our_challenge() {
    let gateway = Gateway::new();
    for (status, expected) in [(500, 502), (503, 503), (504, 504), (520, 502)] {
        gateway
            .forward
            .text(status, &[("retry-after", "9")], "<html>");
        let answer = gateway.send(post(CALL)).await;
        let body = answer.assert_error(expected, -31003);
        assert_eq!(body["id"], "c1");
        assert_eq!(answer.header("retry-after"), Some("9"));
    }
    for status in [403, 407] {
        gateway
            .forward
            .text(status, &[("content-type", "text/html")], "no");
        gateway.send(post(CALL)).await.assert_error(502, -31005);
    }
    gateway.forward.text(500, &[JSON], r#"{"error":1}"#);
    assert_eq!(gateway.send(post(CALL)).await.body, r#"{"error":1}"#);
}

#[tokio::test]
async fn g23_p20_t22_an_upstream_that_cannot_be_reached_is_named_with_the_id() {
    let gateway = Gateway::new();
    let connect = ForwardError::Connect { reason: "refused" };
    let blocked = ForwardError::Blocked { reason: "private" };
    for (error, status) in [
        (connect, 502),
        (blocked, 502),
        (ForwardError::Broken, 502),
        (ForwardError::Timeout, 504),
    ] {
        gateway.forward.fail(error);
        let answer = gateway.send(modern_call()).await;
        let body = answer.assert_error(status, -31003);
        assert_eq!(body["id"], 9);
        assert_eq!(body["error"]["data"]["claviger"]["server"], "notes");
        assert!(!body.to_string().contains("up.example"));
    }
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_given_up() {
    let gateway = Gateway::new();
    let gate = claviger_testkit::Gate::closed();
    gateway.forward.text_behind(&gate, 200, RESULT);
    let (answer, ()) = tokio::join!(gateway.send(modern_call()), async {
        gate.arrived(1).await;
        gateway.clock.advance_secs(301);
    });
    answer.assert_error(504, -31003);
}

#[tokio::test]
async fn empty_answers_pass() {
    let gateway = Gateway::new();
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let people = [("content-type", "text/plain")];
    for (headers, status, text) in [
        (&people[..], 202, "Accepted"),
        (&[], 202, ""),
        (&[], 204, ""),
        (&[], 200, ""),
    ] {
        gateway.forward.text(status, headers, text);
        let answer = gateway.send(post(note)).await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(answer.body.is_empty());
    }
    gateway.forward.text(200, &people, "ok");
    assert_eq!(gateway.send(post(note)).await.status.as_u16(), 202);
    gateway.forward.text(200, &people, "bye");
    let end = without_body(request("DELETE", "/notes/mcp"));
    let answer = gateway.send(end).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}
