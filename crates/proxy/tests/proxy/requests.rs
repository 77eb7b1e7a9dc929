//! What the upstream sees.

use crate::support::*;

#[tokio::test]
async fn p07_a142_b08_the_callers_token_never_goes_upstream() {
    let gateway = Gateway::new();
    gateway.forward.text(200, &[JSON], RESULT);
    let headers = [
        ("cookie", "session=owner-token"),
        ("proxy-authorization", "Bearer owner-token"),
        ("x-forwarded-access-token", "owner-token"),
        ("connection", "authorization, x-forwarded-user"),
    ];
    let mut request = post_with(CALL, &headers);
    *request.uri_mut() = "/notes/mcp?access_token=owner-token".parse().unwrap();
    assert_eq!(gateway.send(request).await.status.as_u16(), 200);
    let seen = gateway.forward.only_request();
    assert_eq!(seen.header("authorization"), Some("Bearer vault-token-1"));
    assert!(!seen.uri.to_string().contains("owner-token"));
    for (name, value) in &seen.headers {
        assert!(!value.to_str().unwrap().contains("owner-token"), "{name}");
    }
}

#[tokio::test]
async fn b08_a_body_with_the_callers_token_is_not_forwarded() {
    let gateway = Gateway::new();
    let body = CALL.replace(r#"{"n":1}"#, r#"{"header":"Bearer owner-token"}"#);
    gateway.send(post(&body)).await.assert_error(400, -31006);
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn i13_the_upstream_gets_the_very_same_bytes() {
    let gateway = Gateway::new();
    gateway.forward.text(200, &[JSON], RESULT);
    let odd = "\r\n {\"params\" : {\"arguments\":{\"b\":1,\"a\":1e0,\"a\":2},\"name\":\"ech\\u006f\"},\n\"method\":\"tools/call\", \"id\":\"c1\",\"jsonrpc\":\"2.0\", \"extra\":[]}\t";
    gateway.send(post(odd)).await;
    let seen = gateway.forward.only_request();
    assert_eq!(seen.body, odd);
    assert_eq!(
        seen.header("content-length"),
        Some(odd.len().to_string().as_str())
    );
    assert_eq!(seen.method, "POST");
}

#[tokio::test]
async fn a159_the_address_is_the_servers_and_nothing_of_the_callers() {
    let gateway = Gateway::new();
    for path in [
        "/notes/mcp?workspace=8&x=//evil.example",
        "/notes/mcp?@evil.example",
        "/notes/mcp?..%2f..%2fadmin",
    ] {
        gateway.forward.text(200, &[JSON], RESULT);
        let mut request = post(CALL);
        *request.uri_mut() = path.parse().unwrap();
        gateway.send(request).await;
    }
    for seen in gateway.forward.requests() {
        assert_eq!(seen.uri, "https://up.example/mcp?workspace=7");
        assert!(!seen.reach.allows_private("up.example"));
    }
}

#[tokio::test]
async fn private_addresses_are_allowed_for_the_servers_own_host_alone() {
    let gateway = Gateway::new();
    gateway.forward.text(200, &[JSON], RESULT);
    let mut request = post(CALL);
    *request.uri_mut() = "/other/mcp".parse().unwrap();
    gateway.send(request).await;
    let seen = gateway.forward.only_request();
    assert!(seen.reach.allows_private("127.0.0.1"));
    assert!(!seen.reach.allows_private("localhost"));
}

#[tokio::test]
async fn g05_p16_headers_of_mcp_go_on_and_others_do_not() {
    let gateway = Gateway::new();
    gateway.forward.text(200, &[JSON], RESULT);
    let mut request = modern_call();
    for (name, value) in [
        ("mcp-param-user_id", "=?base64?w6k=?="),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("mcp-session-id", "ignored"),
        ("last-event-id", "ignored"),
        ("x_forwarded_user", "root"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("x-internal-user", "root"),
        ("router-key", "k"),
        ("te", "trailers"),
        ("upgrade", "websocket"),
        ("accept-encoding", "gzip"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    gateway.send(request).await;
    let seen = gateway.forward.only_request();
    let mut names: Vec<_> = seen.headers.keys().map(ToString::to_string).collect();
    names.sort();
    // T-02: session headers mean nothing in the modern era.
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "mcp-method",
            "mcp-name",
            "mcp-param-user_id",
            "mcp-protocol-version",
            "traceparent"
        ]
    );
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("mcp-param-user_id"), Some("=?base64?w6k=?="));
}

#[tokio::test]
async fn streams_and_ends_of_sessions_go_on_without_a_body() {
    let gateway = Gateway::new();
    let session = gateway.session("{}").await;
    gateway
        .forward
        .text(200, &[EVENTS], "data: {}\n\n")
        .text(204, &[], "");
    for method in ["GET", "DELETE"] {
        let request = request(method, "/notes/mcp")
            .header("mcp-session-id", &session)
            .header("last-event-id", "e7")
            .header("content-type", "application/json")
            .body(axum::body::Body::from("ignored"))
            .unwrap();
        assert!(gateway.send(request).await.status.is_success());
        let seen = gateway.forward.requests().pop().unwrap();
        assert_eq!(seen.method, method);
        assert_eq!(seen.header("mcp-session-id"), Some("raw-upstream-id"));
        assert_eq!(seen.header("last-event-id"), Some("e7"));
        assert_eq!(seen.header("content-type"), None);
        assert!(seen.body.is_empty());
    }
}
