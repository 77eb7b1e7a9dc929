//! Registration, and how clients prove themselves.

use ::http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};

use super::fixture::{Fixture, REDIRECT, VERIFIER, at, basic_headers, form_headers, settings};
use crate::{ErrorCode, IssuerEvent, RegisterRequest, RegistrationMode};

#[tokio::test]
async fn a01_a13_registers_public_and_secret_clients() {
    let fixture = Fixture::new();
    for (asked, method, has_secret) in [
        (json!("none"), "none", false),
        (json!("client_secret_post"), "client_secret_post", true),
        (Value::Null, "client_secret_basic", true),
    ] {
        let metadata = json!({
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": asked,
            "unknown": {"member": 1},
            "scope": null,
        });
        let body = fixture.register(metadata).await.unwrap();
        assert_eq!(body["token_endpoint_auth_method"], method);
        assert_eq!(body["client_secret"].is_string(), has_secret);
        assert_eq!(body["redirect_uris"], json!([REDIRECT]));
        assert_eq!(
            body["grant_types"],
            json!(["authorization_code", "refresh_token"])
        );
        // RFC 7591 §3.2.1: required beside a secret.
        assert_eq!(body["client_secret_expires_at"] == json!(0), has_secret);
    }
    assert_eq!(fixture.heard.count(IssuerEvent::Registered), 3);
}

#[tokio::test]
async fn a10_a038_the_client_id_is_ours_and_no_url() {
    let fixture = Fixture::new();
    let metadata = json!({"redirect_uris": [REDIRECT], "client_id": "https://evil.example/c"});
    let body = fixture.register(metadata).await.unwrap();
    assert!(body["client_id"].as_str().unwrap().starts_with("clv_"));
}

#[tokio::test]
async fn a027_a_closed_issuer_registers_nobody() {
    let mut closed = settings();
    closed.registration = RegistrationMode::Off;
    let fixture = Fixture::with(closed);
    let error = fixture
        .register(json!({"redirect_uris": [REDIRECT]}))
        .await
        .unwrap_err();
    assert_eq!(error.status(), 403);
    let metadata = serde_json::json!(fixture.issuer.metadata());
    assert!(metadata.get("registration_endpoint").is_none());
}

#[tokio::test]
async fn a029_a030_a031_a032_refuses_bad_redirect_uris() {
    let fixture = Fixture::new();
    let many: Vec<String> = (0..100).map(|n| format!("https://a.example/{n}")).collect();
    for uris in [
        json!(["javascript:alert(1)"]),
        json!(["https://good.example/cb", "http://evil.example/cb"]),
        json!(["https://a.example/*"]),
        json!([format!("https://a.example/{}", "a".repeat(8_192))]),
        json!(many),
        json!([]),
        Value::Null,
    ] {
        let error = fixture
            .register(json!({"redirect_uris": uris}))
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidRedirectUri, "{uris}");
        assert_eq!(error.status(), 400);
    }
    assert_eq!(fixture.heard.count(IssuerEvent::Registered), 0);
}

#[tokio::test]
async fn a033_names_are_tidied() {
    let fixture = Fixture::new();
    for (name, expected) in [
        ("  Ed\u{202e}itor\u{200b}\n2\u{0} ", json!("Editor 2")),
        ("\u{2066}\u{202e}", Value::Null),
        (&"x".repeat(4_096), json!("x".repeat(80))),
    ] {
        let metadata = json!({"redirect_uris": [REDIRECT], "client_name": name});
        let body = fixture.register(metadata).await.unwrap();
        assert_eq!(
            body.get("client_name").cloned().unwrap_or_default(),
            expected
        );
    }
}

#[tokio::test]
async fn a034_a036_refuses_odd_metadata() {
    let fixture = Fixture::new();
    for (member, value) in [
        ("logo_uri", json!("http://10.0.0.1/logo.png")),
        ("tos_uri", json!("javascript:alert(1)")),
        ("grant_types", json!(["client_credentials"])),
        ("grant_types", json!(["authorization_code", "implicit"])),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["refresh_token"])),
        ("response_types", json!(["code", "token"])),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("client_name", json!(7)),
    ] {
        let mut metadata = json!({
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
        });
        metadata[member] = value;
        let error = fixture.register(metadata).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClientMetadata, "{member}");
    }
    for body in [&b"[]"[..], b"", b"not json", b"\xff"] {
        let request = RegisterRequest {
            headers: &HeaderMap::new(),
            body,
            address: None,
        };
        let error = fixture.issuer.register(&request, at(0)).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClientMetadata);
    }
}

#[tokio::test]
async fn a037_a_software_statement_is_ignored() {
    let fixture = Fixture::new();
    let metadata = json!({
        "redirect_uris": [REDIRECT],
        "client_name": "Editor",
        "software_statement": "eyJhbGciOiJub25lIn0.eyJjbGllbnRfbmFtZSI6IkJhbmsifQ.",
    });
    let body = fixture.register(metadata).await.unwrap();
    assert_eq!(body["client_name"], "Editor");
}

#[tokio::test]
async fn a_client_without_the_refresh_grant_gets_no_refresh_token() {
    let fixture = Fixture::new();
    let metadata = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
    });
    let body = fixture.register(metadata).await.unwrap();
    let client = super::fixture::Known {
        id: body["client_id"].as_str().unwrap().to_owned(),
        secret: None,
    };
    let code = fixture.code(&client).await;
    let tokens = fixture.redeem(&client, &code, 0).await.unwrap();
    assert!(tokens.refresh_token().is_none());
    assert!(fixture.is_live(tokens.access_token(), 1).await);
}

async fn attempt(
    fixture: &Fixture,
    headers: &HeaderMap,
    more: &[(&str, &str)],
    code: &str,
) -> Result<(), (ErrorCode, u16, Option<&'static str>)> {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    fields.extend_from_slice(more);
    match fixture.post(headers, &fields, 0).await {
        Ok(_) => Ok(()),
        Err(error) => Err((
            error.code(),
            error.status().as_u16(),
            error.www_authenticate(),
        )),
    }
}

#[tokio::test]
async fn a23_a098_each_client_proves_itself_by_its_own_method_only() {
    let fixture = Fixture::new();
    let basic = fixture.client("client_secret_basic").await;
    let post = fixture.client("client_secret_post").await;
    let public = fixture.client("none").await;
    let secret = |client: &super::fixture::Known| client.secret.clone().unwrap_or_default();
    let challenge = Some("Basic realm=\"claviger\"");
    let failed = |challenge| Err((ErrorCode::InvalidClient, 401, challenge));
    let plain = form_headers();

    let code = fixture.code(&basic).await;
    let good = basic_headers(&basic.id, &secret(&basic));
    let in_body = secret(&basic);
    let in_body = [
        ("client_id", basic.id.as_str()),
        ("client_secret", &in_body),
    ];
    assert_eq!(
        attempt(&fixture, &plain, &in_body, &code).await,
        failed(None)
    );
    assert_eq!(
        attempt(&fixture, &plain, &in_body[..1], &code).await,
        failed(None)
    );
    assert_eq!(
        attempt(&fixture, &good, &in_body, &code).await,
        Err((ErrorCode::InvalidRequest, 400, None))
    );
    assert_eq!(
        attempt(&fixture, &basic_headers(&basic.id, "wrong"), &[], &code).await,
        failed(challenge)
    );
    assert_eq!(
        attempt(&fixture, &good, &[("client_id", &post.id)], &code).await,
        Err((ErrorCode::InvalidRequest, 400, None))
    );
    assert_eq!(attempt(&fixture, &good, &in_body[..1], &code).await, Ok(()));

    let code = fixture.code(&post).await;
    let header = basic_headers(&post.id, &secret(&post));
    assert_eq!(
        attempt(&fixture, &header, &[], &code).await,
        failed(challenge)
    );
    let in_body = secret(&post);
    let in_body = [("client_id", post.id.as_str()), ("client_secret", &in_body)];
    assert_eq!(attempt(&fixture, &plain, &in_body, &code).await, Ok(()));

    let code = fixture.code(&public).await;
    let surplus = [("client_id", public.id.as_str()), ("client_secret", "x")];
    assert_eq!(
        attempt(&fixture, &plain, &surplus, &code).await,
        failed(None)
    );
    assert_eq!(
        attempt(&fixture, &plain, &surplus[..1], &code).await,
        Ok(())
    );
}

#[tokio::test]
async fn a107_an_unknown_client_looks_like_a_wrong_secret() {
    let fixture = Fixture::new();
    let known = fixture.client("client_secret_basic").await;
    let fields = [("grant_type", "authorization_code")];
    let mut bodies = Vec::new();
    for id in [known.id.as_str(), "clv_client_nobody"] {
        let error = fixture
            .post(&basic_headers(id, "wrong"), &fields, 0)
            .await
            .unwrap_err();
        bodies.push((error.status(), error.body().to_string()));
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a099_malformed_basic_is_401_with_a_challenge() {
    let fixture = Fixture::new();
    for value in [
        &b"Basic"[..],
        b"Basic !!",
        b"Basic bm9jb2xvbg==",
        b"Bearer x",
        b"Basic \xff",
    ] {
        let mut headers = form_headers();
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_bytes(value).unwrap(),
        );
        let error = fixture.post(&headers, &[], 0).await.unwrap_err();
        assert_eq!(error.status(), 401, "{value:?}");
        assert!(error.www_authenticate().is_some());
    }
}
