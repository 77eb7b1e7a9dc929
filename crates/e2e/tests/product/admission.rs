//! Who gets past the gateway's door, over real sockets.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::support::{Claviger, Gateway, Upstream, ask, get, rpc};

/// A gateway in front of an upstream that asks nobody for anything.
async fn open_gateway() -> (Claviger, Upstream, Gateway) {
    let claviger = Claviger::new();
    let upstream = Upstream::open().await;
    claviger.add("up", &upstream.url()).await;
    let gateway = claviger.serve().await;
    (claviger, upstream, gateway)
}

#[tokio::test]
async fn a140_a_call_without_a_token_gets_a_bare_challenge() {
    let (_claviger, upstream, gateway) = open_gateway().await;

    for token in [None, Some("not-a-token")] {
        let request = rpc(&gateway.mcp("up"), token, "tools/list", &json!({}));
        let answer = ask(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.header("www-authenticate").unwrap().to_owned();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        // No issuer stands behind us, so none may be advertised.
        assert!(!challenge.contains("resource_metadata"), "{challenge}");
    }
    // RFC 6750 §2.3: a token in the address ends up in logs and histories.
    let address = format!("{}?access_token={}", gateway.mcp("up"), gateway.token);
    let answer = ask(rpc(&address, None, "tools/list", &json!({}))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let mut request = rpc(&gateway.mcp("up"), None, "tools/list", &json!({}));
    let basic = HeaderValue::from_str(&format!("Basic {}", gateway.token)).unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, basic);
    assert_eq!(ask(request).await.status, StatusCode::UNAUTHORIZED);
    assert!(!gateway.log().contains(&gateway.token));
    assert!(upstream.authorizations().is_empty());
}

#[tokio::test]
async fn a_call_with_the_token_goes_through_and_leaves_the_token_here() {
    let (_claviger, upstream, gateway) = open_gateway().await;

    let call = json!({"name": "echo", "arguments": {"word": "hello"}});
    let request = rpc(
        &gateway.mcp("up"),
        Some(&gateway.token),
        "tools/call",
        &call,
    );
    let answer = ask(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        answer.json()["result"]["content"][0]["text"],
        r#"{"word":"hello"}"#
    );
    // P-07: the caller's own token never goes upstream.
    assert!(upstream.authorizations().is_empty());
}

#[tokio::test]
async fn a149_refuses_a_foreign_host() {
    let (_claviger, _upstream, gateway) = open_gateway().await;

    for host in [
        "evil.example.com",
        "127.0.0.1.evil.example.com:80",
        "localhost.evil.example.com",
    ] {
        let mut request = rpc(
            &gateway.mcp("up"),
            Some(&gateway.token),
            "tools/list",
            &json!({}),
        );
        let value = HeaderValue::from_str(host).unwrap();
        request.headers_mut().insert(header::HOST, value);
        let answer = ask(request).await;
        assert!(answer.status.is_client_error(), "{host}: {answer:?}");
        assert!(!answer.text.contains("\"tools\""), "{host}: {answer:?}");
    }
}

#[tokio::test]
async fn a149_r23_refuses_a_foreign_origin() {
    let (_claviger, _upstream, gateway) = open_gateway().await;

    for origin in [
        "https://evil.example.com",
        "null",
        "http://127.0.0.1.evil.example.com",
    ] {
        let mut request = rpc(
            &gateway.mcp("up"),
            Some(&gateway.token),
            "tools/list",
            &json!({}),
        );
        let value = HeaderValue::from_str(origin).unwrap();
        request.headers_mut().insert(header::ORIGIN, value);
        let answer = ask(request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}: {answer:?}");
    }
    let mut request = rpc(
        &gateway.mcp("up"),
        Some(&gateway.token),
        "tools/list",
        &json!({}),
    );
    let own = HeaderValue::from_str(&gateway.origin).unwrap();
    request.headers_mut().insert(header::ORIGIN, own);
    assert_eq!(ask(request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn absent_servers_and_bad_callbacks_say_nothing() {
    let (_claviger, _upstream, gateway) = open_gateway().await;

    let request = rpc(
        &gateway.mcp("nosuch"),
        Some(&gateway.token),
        "tools/list",
        &json!({}),
    );
    assert_eq!(ask(request).await.status, StatusCode::NOT_FOUND);
    for path in [
        "/login/nosuch",
        "/callback/nosuch?code=a&state=b",
        "/nosuch",
    ] {
        let answer = ask(get(&format!("{}{path}", gateway.origin))).await;
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
        assert!(!answer.text.contains("panicked"), "{path}: {answer:?}");
    }
}
