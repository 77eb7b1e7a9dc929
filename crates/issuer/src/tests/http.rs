//! The endpoints over axum: methods, headers, statuses.

use std::sync::Arc;

use ::http::{Request, StatusCode, header};
use axum::body::Body;
use claviger_ports::Clock;
use claviger_testkit::FixedClock;
use serde_json::json;

use super::fixture::{Fixture, ISSUER, Known, REDIRECT, RESOURCE, VERIFIER, answer, form, query};
use super::wire::{Answer, ask};
use crate::http::router;

async fn send(fixture: &Fixture, request: Request<Body>) -> Answer {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(0));
    ask(router(&fixture.issuer, &clock), request).await
}

async fn call(fixture: &Fixture, method: &str, uri: &str) -> Answer {
    let request = Request::builder().method(method).uri(uri);
    send(fixture, request.body(Body::empty()).unwrap()).await
}

async fn post(fixture: &Fixture, uri: &str, fields: &[(&str, &str)]) -> Answer {
    let request = Request::post(uri)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form(fields)))
        .unwrap();
    send(fixture, request).await
}

#[tokio::test]
async fn a02_a03_metadata_is_readable_from_anywhere() {
    let fixture = Fixture::new();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        let got = call(&fixture, "GET", path).await;
        assert_eq!(got.status, StatusCode::OK);
        assert_eq!(got.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(got.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(got.json()["issuer"], ISSUER);
        assert_eq!(call(&fixture, "HEAD", path).await.status, StatusCode::OK);
        let preflight = call(&fixture, "OPTIONS", path).await;
        assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn a025_no_header_says_who_we_are() {
    let fixture = Fixture::new();
    let request = Request::get("/.well-known/oauth-authorization-server")
        .header(header::HOST, "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .body(Body::empty())
        .unwrap();
    let got = send(&fixture, request).await;
    assert!(!got.body.contains("evil"));
}

/// Plays the browser: page, cookie, form, redirect.
async fn approved(fixture: &Fixture, client: &Known) -> String {
    let asked = call(
        fixture,
        "GET",
        &format!("/authorize?{}", query(client, &[])),
    )
    .await;
    assert_eq!(asked.status, StatusCode::OK);
    let field = |name: &str| {
        let (_, rest) = asked
            .body
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let cookie = asked.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-clv_authorize_"));
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"));
    let fields = [
        ("pending_id", field("pending_id")),
        ("csrf", field("csrf")),
        ("decision", "approve".to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let request = Request::post("/authorize")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookie.split(';').next().unwrap())
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(form(&fields)))
        .unwrap();
    let decided = send(fixture, request).await;
    // A066: 303 and nothing else after a form.
    assert_eq!(decided.status, StatusCode::SEE_OTHER);
    assert!(
        decided.headers[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    answer(decided.headers[header::LOCATION].to_str().unwrap())["code"].clone()
}

#[tokio::test]
async fn a_whole_sign_in_over_http() {
    let fixture = Fixture::new();
    let metadata = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"});
    let request = Request::post("/register")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(metadata.to_string()))
        .unwrap();
    let registered = send(&fixture, request).await;
    assert_eq!(registered.status, StatusCode::CREATED);
    let client = Known {
        id: registered.json()["client_id"].as_str().unwrap().to_owned(),
        secret: None,
    };

    let code = &approved(&fixture, &client).await;

    let tokens = post(
        &fixture,
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", REDIRECT),
            ("client_id", &client.id),
            ("resource", RESOURCE),
        ],
    )
    .await;
    assert_eq!(tokens.status, StatusCode::OK);
    // A105: no cache keeps it.
    assert_eq!(tokens.headers[header::CACHE_CONTROL], "no-store");
    let refresh_token = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
    let revoked = post(
        &fixture,
        "/revoke",
        &[("token", &refresh_token), ("client_id", &client.id)],
    )
    .await;
    assert_eq!(
        (revoked.status, revoked.body.as_str()),
        (StatusCode::OK, "")
    );
    assert_eq!(revoked.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a059_a067_a068_pages_are_not_framed_leak_nothing_and_have_no_cors() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let good = format!("/authorize?{}", query(&client, &[]));
    for (uri, status) in [(good.as_str(), 200), ("/authorize", 400)] {
        let got = call(&fixture, "GET", uri).await;
        assert_eq!(got.status.as_u16(), status);
        let policy = got.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(policy.contains("default-src 'none'"));
        assert_eq!(got.headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(got.headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(got.headers[header::CACHE_CONTROL], "no-store");
        assert!(
            !got.headers
                .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
        );
    }
    let preflight = call(&fixture, "OPTIONS", "/authorize").await;
    assert_eq!(preflight.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        !preflight
            .headers
            .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
    );
}

#[tokio::test]
async fn a048_a064_a_foreign_redirect_uri_stays_on_our_page_and_is_not_repeated() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let more = [("redirect_uri", "https://evil.example/<script>")];
    let got = call(
        &fixture,
        "GET",
        &format!("/authorize?{}", query(&client, &more)),
    )
    .await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(!got.headers.contains_key(header::LOCATION));
    assert!(!got.body.contains("evil"));
}

#[tokio::test]
async fn a058_a_post_without_its_page_is_forbidden() {
    let fixture = Fixture::new();
    let got = post(&fixture, "/authorize", &[("decision", "approve")]).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a101_tokens_are_not_for_get() {
    let fixture = Fixture::new();
    for path in [
        "/token?grant_type=refresh_token",
        "/revoke?token=x",
        "/register",
    ] {
        let got = call(&fixture, "GET", path).await;
        assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn a105_errors_are_not_cached_either() {
    let fixture = Fixture::new();
    let got = post(&fixture, "/token", &[("grant_type", "authorization_code")]).await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    assert_eq!(got.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(got.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(got.json()["error"], "invalid_client");
}

#[tokio::test]
async fn a032_a_large_body_is_cut_off() {
    let fixture = Fixture::new();
    let request = Request::post("/register")
        .body(Body::from(vec![b' '; 1 << 20]))
        .unwrap();
    let got = send(&fixture, request).await;
    assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE);
}
