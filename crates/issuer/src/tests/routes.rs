//! The later endpoints over axum: what is mounted, who may read it from where.

use std::sync::Arc;

use ::http::{HeaderMap, Request, StatusCode, header};
use axum::body::Body;
use claviger_crypto::{SigningAlgorithm, SigningKey};
use claviger_ports::Clock;
use claviger_testkit::FixedClock;
use serde_json::json;

use super::fixture::{Fixture, REDIRECT, basic_headers, form, form_headers, query, settings};
use super::wire::{Answer, ask};
use crate::http::{ClientAddress, router, well_known_fallback};
use crate::{RateLimit, RegistrationMode, SigningKeys};

async fn send(fixture: &Fixture, request: Request<Body>) -> Answer {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(0));
    ask(
        router(&fixture.issuer, &clock).merge(well_known_fallback()),
        request,
    )
    .await
}

async fn call(fixture: &Fixture, method: &str, uri: &str) -> Answer {
    let request = Request::builder().method(method).uri(uri);
    send(fixture, request.body(Body::empty()).unwrap()).await
}

async fn post(fixture: &Fixture, uri: &str, headers: &HeaderMap, body: String) -> Answer {
    let mut request = Request::post(uri).body(Body::from(body)).unwrap();
    request.headers_mut().extend(headers.clone());
    send(fixture, request).await
}

#[tokio::test]
async fn a_02_every_endpoint_the_metadata_names_is_mounted() {
    let mut off = settings();
    off.registration = RegistrationMode::Off;
    let mut with_path = settings();
    "https://as.example/t/one".clone_into(&mut with_path.issuer);
    with_path.metadata_at_root = true;
    for settings in [settings(), off, with_path] {
        let fixture = Fixture::with(settings);
        let paths = fixture.issuer.metadata_paths();
        let first = call(&fixture, "GET", &paths[0]).await;
        for path in &paths {
            let again = call(&fixture, "GET", path).await;
            assert_eq!(
                (again.status, &again.body),
                (StatusCode::OK, &first.body),
                "{path}"
            );
            assert_eq!(again.headers[header::CACHE_CONTROL], "public, max-age=300");
        }
        let metadata = first.json();
        let mut endpoints = 0;
        for (name, value) in metadata.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let path = value
                    .as_str()
                    .unwrap()
                    .strip_prefix("https://as.example")
                    .unwrap();
                let found = call(&fixture, "GET", path).await;
                assert_ne!(found.status, StatusCode::NOT_FOUND, "{name}");
                endpoints += 1;
            }
        }
        assert!(endpoints >= 7);
        let open = metadata.get("registration_endpoint").is_some();
        let register = call(&fixture, "POST", &fixture.issuer.endpoint_path("register")).await;
        assert_eq!(register.status != StatusCode::NOT_FOUND, open);
    }
}

#[tokio::test]
async fn other_well_known_places_say_in_json_that_there_is_nothing() {
    let fixture = Fixture::new();
    for path in [
        "/.well-known/oauth-authorization-server/other",
        "/.well-known/openid-configuration/other",
        "/.well-known/security.txt",
        "/.well-known/",
    ] {
        let got = call(&fixture, "GET", path).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(got.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(got.json()["error"], "not_found");
    }
}

#[tokio::test]
async fn a068_cors_is_for_programs_and_never_for_pages() {
    let fixture = Fixture::new();
    for path in [
        "/token",
        "/revoke",
        "/register",
        "/oauth/par",
        "/oauth/device_authorization",
        "/oauth/jwks",
        "/.well-known/oauth-authorization-server",
    ] {
        let got = call(&fixture, "OPTIONS", path).await;
        assert_eq!(got.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(
            got.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "*",
            "{path}"
        );
        assert!(
            !got.headers
                .contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS)
        );
    }
    for path in ["/authorize", "/device", "/oauth/introspect"] {
        for method in ["OPTIONS", "GET", "POST"] {
            let got = call(&fixture, method, path).await;
            assert!(
                !got.headers
                    .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                "{method} {path}"
            );
        }
        let got = call(&fixture, "OPTIONS", path).await;
        assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn a133_tokens_are_not_asked_about_by_get() {
    let fixture = Fixture::new();
    let got = call(&fixture, "GET", "/oauth/introspect?token=x").await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    let body = form(&[("token", "x")]);
    let got = post(&fixture, "/oauth/introspect", &form_headers(), body).await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    assert_eq!(got.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a059_the_page_of_devices_is_not_framed_and_loads_nothing() {
    let fixture = Fixture::new();
    let got = call(&fixture, "GET", "/device?user_code=BBBB-BBBB").await;
    assert_eq!(got.status, StatusCode::OK);
    let policy = got.headers[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(policy.contains("form-action 'self';"));
    assert_eq!(got.headers[header::X_FRAME_OPTIONS], "DENY");
    // A link fills nothing in.
    assert!(!got.body.contains("BBBB"));
    assert!(!got.body.contains("<script"));
    let wrong = post(
        &fixture,
        "/device",
        &form_headers(),
        form(&[("user_code", "x")]),
    )
    .await;
    assert!(wrong.body.contains("not good"));
}

#[tokio::test]
async fn a_device_signs_in_over_http() {
    let fixture = Fixture::new();
    let device_code = "urn:ietf:params:oauth:grant-type:device_code";
    let metadata = json!({"grant_types": [device_code], "token_endpoint_auth_method": "none"});
    let kind = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json".parse().unwrap())]);
    let registered = post(&fixture, "/register", &kind, metadata.to_string()).await;
    assert_eq!(registered.status, StatusCode::CREATED);
    let id = registered.json()["client_id"].as_str().unwrap().to_owned();
    let begun = form(&[("client_id", &id)]);
    let begun = post(
        &fixture,
        "/oauth/device_authorization",
        &form_headers(),
        begun,
    )
    .await;
    assert_eq!(begun.headers[header::CACHE_CONTROL], "no-store");
    let begun = begun.json();
    let typed = form(&[("user_code", begun["user_code"].as_str().unwrap())]);
    let asked = post(&fixture, "/device", &form_headers(), typed).await;
    let field = |name: &str| {
        let (_, rest) = asked
            .body
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let mut headers = form_headers();
    let cookie = asked.headers[header::SET_COOKIE].to_str().unwrap();
    headers.insert(
        header::COOKIE,
        cookie.split(';').next().unwrap().parse().unwrap(),
    );
    let answer = form(&[
        ("pending_id", &field("pending_id")),
        ("csrf", &field("csrf")),
        ("decision", "approve"),
    ]);
    let done = post(&fixture, "/authorize", &headers, answer).await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.body.contains("The device is let in"));
    let poll = form(&[
        ("grant_type", device_code),
        ("device_code", begun["device_code"].as_str().unwrap()),
        ("client_id", &id),
    ]);
    let tokens = post(&fixture, "/token", &form_headers(), poll).await;
    assert_eq!(tokens.status, StatusCode::OK);
    assert!(tokens.json()["access_token"].is_string());
}

#[tokio::test]
async fn q45_a_registration_is_read_and_deleted_over_http() {
    let fixture = Fixture::new();
    let metadata = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"});
    let registered = post(
        &fixture,
        "/register",
        &HeaderMap::new(),
        metadata.to_string(),
    )
    .await;
    let body = registered.json();
    let uri = body["registration_client_uri"].as_str().unwrap();
    let path = uri.strip_prefix("https://as.example").unwrap();
    let token = body["registration_access_token"].as_str().unwrap();
    let request = |method: &str, token: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap()
    };
    let read = send(&fixture, request("GET", token)).await;
    assert_eq!(read.status, StatusCode::OK);
    assert_eq!(read.json()["client_id"], body["client_id"]);
    let wrong = send(&fixture, request("DELETE", "x")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        wrong.headers[header::WWW_AUTHENTICATE],
        "Bearer realm=\"claviger\""
    );
    let deleted = send(&fixture, request("DELETE", token)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let gone = send(&fixture, request("GET", token)).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_key_set_is_readable_from_anywhere() {
    let fixture = Fixture::new();
    let got = call(&fixture, "GET", "/oauth/jwks").await;
    assert_eq!(got.json(), json!({"keys": []}));
    let pem = SigningKey::generate_pem(SigningAlgorithm::EdDsa).unwrap();
    let keys = SigningKeys::new(SigningKey::from_pem(&pem).unwrap()).unwrap();
    fixture.issuer.sign_access_tokens(keys);
    let got = call(&fixture, "GET", "/oauth/jwks").await;
    assert_eq!(got.json()["keys"][0]["alg"], "EdDSA");
    assert!(got.json()["keys"][0].get("d").is_none());
    assert_eq!(got.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(got.headers[header::CACHE_CONTROL], "public, max-age=300");
}

#[tokio::test]
async fn r8_the_address_in_the_extensions_is_limited() {
    let mut limited = settings();
    limited.limits.register = RateLimit::per_minute(1);
    limited.limits.authorize = RateLimit::per_minute(1);
    let fixture = Fixture::with(limited);
    let client = fixture.client("none").await;
    let metadata = json!({"redirect_uris": [REDIRECT]}).to_string();
    let visit = format!("/authorize?{}", query(&client, &[]));
    for expected in [StatusCode::CREATED, StatusCode::TOO_MANY_REQUESTS] {
        let mut request = Request::post("/register")
            .body(Body::from(metadata.clone()))
            .unwrap();
        let address = ClientAddress("192.0.2.1".parse().unwrap());
        request.extensions_mut().insert(address);
        let got = send(&fixture, request).await;
        assert_eq!(got.status, expected);
        let limited = expected == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(got.headers.contains_key(header::RETRY_AFTER), limited);
        let mut request = Request::get(&visit).body(Body::empty()).unwrap();
        request.extensions_mut().insert(address);
        let got = send(&fixture, request).await;
        assert_eq!(got.status == StatusCode::TOO_MANY_REQUESTS, limited);
    }
}

#[tokio::test]
async fn a104_who_needs_a_nonce_is_given_one() {
    let mut settings = settings();
    settings.dpop_nonces = true;
    let fixture = Fixture::with(settings);
    let client = fixture.client("client_secret_basic").await;
    let mut headers = basic_headers(&client.id, client.secret.as_deref().unwrap());
    let pem = SigningKey::generate_pem(SigningAlgorithm::Es256).unwrap();
    let key = SigningKey::from_pem(&pem).unwrap();
    let header = json!({
        "typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_key().unwrap().to_jwk(),
    });
    let claims = json!({
        "htm": "POST", "htu": "https://as.example/token", "iat": 0, "jti": "1",
    });
    let proof = key.sign_with_header(&header, &claims).unwrap();
    headers.insert("dpop", proof.expose().parse().unwrap());
    let body = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", "clv_rt_x"),
    ]);
    let got = post(&fixture, "/token", &headers, body).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert_eq!(got.json()["error"], "use_dpop_nonce");
    assert!(!got.headers["dpop-nonce"].is_empty());
    assert_eq!(
        got.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS],
        "DPoP-Nonce"
    );
}
