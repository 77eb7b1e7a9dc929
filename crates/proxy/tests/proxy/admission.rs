//! Who comes in, and what is refused before anything is forwarded.

use claviger_proxy::Settings;

use crate::support::*;

#[tokio::test]
async fn a140_g01_b09_without_our_token_the_answer_is_a_bare_challenge() {
    let gateway = Gateway::new();
    for (path, token) in [
        ("/notes/mcp", None),
        ("/notes/mcp", Some("Basic b3duZXI6b3duZXI=")),
        ("/notes/mcp?access_token=owner-token", None),
        ("/unknown/mcp", None),
        ("/callback/mcp", None),
    ] {
        let mut request = without_body(request("POST", path));
        request.headers_mut().remove("authorization");
        if let Some(token) = token {
            request
                .headers_mut()
                .insert("authorization", token.parse().unwrap());
        }
        let answer = gateway.send(request).await;
        assert_eq!(answer.status.as_u16(), 401, "{path}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert!(!challenge.contains("resource_metadata"), "{challenge}");
    }
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn a162_who_cannot_be_checked_is_not_let_in() {
    let gateway = Gateway::new();
    let answer = gateway.send(post_as("unchecked-token", LIST, &[])).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.header("www-authenticate"), None);
}

#[tokio::test]
async fn a141_other_servers_other_tenants_and_other_spellings_are_not_found() {
    let gateway = Gateway::new();
    for path in [
        "/off/mcp",
        "/missing/mcp",
        "/Notes/mcp",
        "/notes;x/mcp",
        "/callback/mcp",
        "/notes%2f/mcp",
        "/%ff/mcp",
        "/notes/mcp-evil",
        "/notes//mcp",
        "/notes/../notes/mcp",
        "/healthz/../mcp",
    ] {
        let answer = gateway.send(without_body(request("GET", path))).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
    }
    for token in ["narrow-token", "foreign-token"] {
        let answer = gateway.send(post_as(token, LIST, &[])).await;
        assert_eq!(answer.status.as_u16(), 404, "{token}");
    }
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn a149_b22_a_foreign_host_or_origin_is_turned_away_before_the_guard() {
    let gateway = Gateway::new();
    let mut rebound = post(LIST);
    rebound
        .headers_mut()
        .insert("host", "evil.example".parse().unwrap());
    assert_eq!(gateway.send(rebound).await.status.as_u16(), 421);
    for origin in ["null", "https://evil.example"] {
        let answer = gateway.send(post_with(LIST, &[("origin", origin)])).await;
        assert_eq!(answer.status.as_u16(), 403, "{origin}");
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn a161_other_methods_are_refused() {
    let gateway = Gateway::new();
    for method in [
        "TRACE", "CONNECT", "PUT", "PATCH", "OPTIONS", "HEAD", "PROPFIND",
    ] {
        let override_header =
            request(method, "/notes/mcp").header("x-http-method-override", "POST");
        let answer = gateway.send(without_body(override_header)).await;
        assert_eq!(answer.status.as_u16(), 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, POST, DELETE"));
    }
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn g23_bodies_and_headers_have_limits() {
    let gateway = Gateway::with(Settings {
        max_body_bytes: 1024,
        ..Settings::default()
    });
    let large = format!("{LIST}{}", " ".repeat(1024));
    gateway.send(post(&large)).await.assert_error(413, -31006);
    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(large)]);
    let chunked = request("POST", "/notes/mcp")
        .header("content-type", "application/json")
        .body(axum::body::Body::from_stream(chunks))
        .unwrap();
    gateway.send(chunked).await.assert_error(413, -31006);
    let long = "x".repeat(40_000);
    let answer = gateway
        .send(post_with(LIST, &[("mcp-param-a", &long)]))
        .await;
    answer.assert_error(431, -31006);
    let many: Vec<String> = (0..120).map(|at| format!("mcp-param-{at}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    gateway
        .send(post_with(LIST, &many))
        .await
        .assert_error(431, -31006);
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let gateway = Gateway::new();
    let silent = futures_util::stream::pending::<Result<String, std::io::Error>>();
    let request = request("POST", "/notes/mcp")
        .header("content-type", "application/json")
        .body(axum::body::Body::from_stream(silent))
        .unwrap();
    let (answer, ()) = tokio::join!(gateway.send(request), async {
        while gateway.clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        gateway.clock.advance_secs(31);
    });
    answer.assert_error(408, -31006);
}

#[tokio::test]
async fn only_json_is_taken_and_only_plain() {
    let gateway = Gateway::new();
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "application/json-seq"),
        ("content-encoding", "gzip"),
    ] {
        let mut request = post(LIST);
        let name = http::HeaderName::from_static(name);
        request.headers_mut().insert(name, value.parse().unwrap());
        let answer = gateway.send(request).await;
        assert_eq!(answer.status.as_u16(), 415, "{value}");
    }
}

#[tokio::test]
async fn a151_what_can_be_read_in_two_ways_is_not_forwarded() {
    let gateway = Gateway::new();
    for (body, code) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#,
            -32600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","Method":"b"}"#,
            -32600,
        ),
        ("\u{feff}{}", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a"} x"#, -32700),
        (r#"{"jsonrpc":"2.0","id":1e99,"method":"a"}"#, -32600),
        ("", -32700),
    ] {
        let answer = gateway.send(post(body)).await;
        answer.assert_error(400, code);
    }
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn a150_b27_t04_p13_mirrored_headers_must_say_what_the_body_says() {
    let gateway = Gateway::new();
    let version = ("mcp-protocol-version", "2026-07-28");
    for headers in [
        &[version, ("mcp-method", "tools/list"), ("mcp-name", "echo")][..],
        &[version, ("mcp-method", "tools/call"), ("mcp-name", "other")],
        &[version, ("mcp-method", "tools/call")],
        &[("mcp-method", "tools/call"), ("mcp-name", "echo")],
        &[
            ("mcp-protocol-version", "2025-11-25"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "echo"),
        ],
    ] {
        let answer = gateway.send(post_with(MODERN_CALL, headers)).await;
        let body = answer.assert_error(400, -32020);
        assert_eq!(body["id"], 9);
    }
    // An older client does not send them; one that sends wrong ones is refused all the same.
    let answer = gateway
        .send(post_with(LIST, &[("mcp-method", "tools/call")]))
        .await;
    answer.assert_error(400, -32600);
    assert!(gateway.forward.requests().is_empty());
}

#[tokio::test]
async fn t03_batches_and_responses_belong_to_older_revisions() {
    let gateway = Gateway::new();
    let batch = format!("[{LIST},{CALL}]");
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let answer = gateway
            .send(post_with(&batch, &[("mcp-protocol-version", version)]))
            .await;
        answer.assert_error(400, -32600);
    }
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let modern = [("mcp-protocol-version", "2026-07-28")];
    gateway
        .send(post_with(response, &modern))
        .await
        .assert_error(400, -32600);
    gateway.forward.text(200, &[JSON], "[]").text(202, &[], "");
    assert_eq!(gateway.send(post(&batch)).await.status.as_u16(), 200);
    assert_eq!(gateway.send(post(response)).await.status.as_u16(), 202);
}
