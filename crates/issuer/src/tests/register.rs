//! Who may register, ids that say it all, and what a client does with its own registration.

use ::http::{HeaderMap, HeaderValue, header};
use claviger_crypto::sha256;
use serde_json::{Value, json};

use super::fixture::{Fixture, Known, REDIRECT, VERIFIER, at, basic_headers, query, settings};
use crate::{
    AllowList, EndpointError, ErrorCode, PageProblem, RegisterRequest, Registered, RegistrationMode,
};

fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

async fn register(
    fixture: &Fixture,
    headers: &HeaderMap,
    metadata: &Value,
) -> Result<Value, EndpointError> {
    let body = metadata.to_string();
    let request = RegisterRequest {
        headers,
        body: body.as_bytes(),
        address: None,
    };
    let registered = fixture.issuer.register(&request, at(0)).await?;
    Ok(registered.body())
}

fn public() -> Value {
    json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"})
}

fn text<'a>(body: &'a Value, member: &str) -> &'a str {
    body[member].as_str().unwrap()
}

fn known(body: &Value) -> Known {
    Known {
        id: text(body, "client_id").to_owned(),
        secret: body["client_secret"].as_str().map(str::to_owned),
    }
}

#[tokio::test]
async fn a027_with_a_token_only_who_has_one_registers() {
    let mut gated = settings();
    gated.registration = RegistrationMode::Token {
        tokens_sha256: vec![sha256(b"first"), sha256(b"second")],
    };
    let fixture = Fixture::with(gated);
    for headers in [
        HeaderMap::new(),
        bearer("third"),
        bearer(""),
        basic_headers("first", "first"),
    ] {
        let error = register(&fixture, &headers, &public()).await.unwrap_err();
        assert_eq!(
            (error.code(), error.status().as_u16()),
            (ErrorCode::InvalidToken, 401)
        );
        assert_eq!(error.www_authenticate(), Some("Bearer realm=\"claviger\""));
    }
    for token in ["first", "second"] {
        assert!(register(&fixture, &bearer(token), &public()).await.is_ok());
    }
}

#[tokio::test]
async fn a027_with_a_list_only_who_is_on_it_registers() {
    let mut listed = settings();
    listed.registration = RegistrationMode::AllowList(AllowList {
        redirect_hosts: vec!["a.example".to_owned(), "127.0.0.1".to_owned()],
        software_ids: vec!["known".to_owned()],
    });
    let fixture = Fixture::with(listed);
    for (uris, software_id, fits) in [
        (json!(["https://a.example:8443/cb"]), Value::Null, true),
        (
            json!([REDIRECT, "https://A.example/cb"]),
            Value::Null,
            false,
        ),
        (json!([REDIRECT, "https://a.example/cb"]), Value::Null, true),
        (
            json!([REDIRECT, "https://b.example/cb"]),
            Value::Null,
            false,
        ),
        (json!(["https://a.example.evil/cb"]), Value::Null, false),
        (json!(["https://b.example/cb"]), json!("known"), true),
        (json!(["https://b.example/cb"]), json!("other"), false),
    ] {
        let mut metadata = public();
        metadata["redirect_uris"] = uris.clone();
        metadata["software_id"] = software_id;
        let registered = register(&fixture, &HeaderMap::new(), &metadata).await;
        assert_eq!(registered.is_ok(), fits, "{uris}");
    }
}

#[tokio::test]
async fn q09_q47_a_public_clients_id_is_its_registration() {
    let fixture = Fixture::new();
    let mut metadata = public();
    metadata["client_name"] = json!("Editor \u{e9}");
    let body = register(&fixture, &HeaderMap::new(), &metadata)
        .await
        .unwrap();
    let again = register(&fixture, &HeaderMap::new(), &metadata)
        .await
        .unwrap();
    // Two installations are two clients.
    assert_ne!(body["client_id"], again["client_id"]);
    // Another process, another store, the same key.
    let other = Fixture::new();
    let client = known(&body);
    let ask = other.ask(&query(&client, &[])).await;
    assert_eq!(ask.request.client_name.as_deref(), Some("Editor \u{e9}"));
    let code = other.code(&client).await;
    assert!(other.redeem(&client, &code, 0).await.is_ok());
}

#[tokio::test]
async fn a038_a_changed_or_foreign_signed_id_is_nobody() {
    let fixture = Fixture::new();
    let body = register(&fixture, &HeaderMap::new(), &public())
        .await
        .unwrap();
    let id = text(&body, "client_id");
    let mut moved = settings();
    "https://other.example".clone_into(&mut moved.issuer);
    let elsewhere = Fixture::with(moved);
    assert_eq!(
        elsewhere.problem(&query(&known(&body), &[])).await,
        PageProblem::UnknownClient
    );
    let (front, mac) = id.split_once('.').unwrap();
    let evil = claviger_crypto::base64url_encode(
        br#"{"r":["https://evil.example/cb"],"g":["authorization_code"],"t":0,"x":""}"#,
    );
    for forged in [
        format!("clv_sc_{evil}.{mac}"),
        front.to_owned(),
        format!("{front}."),
        format!("{id}A"),
        format!("{front}.{}", mac.split_at(20).0),
    ] {
        let client = Known {
            id: forged,
            secret: None,
        };
        assert_eq!(
            fixture.problem(&query(&client, &[])).await,
            PageProblem::UnknownClient
        );
    }
}

#[tokio::test]
async fn what_is_too_long_for_an_id_is_stored() {
    let fixture = Fixture::new();
    let mut metadata = public();
    let uris: Vec<String> = (0..10)
        .map(|n| format!("https://a.example/{}/{n}", "x".repeat(200)))
        .collect();
    metadata["redirect_uris"] = json!(uris);
    let body = register(&fixture, &HeaderMap::new(), &metadata)
        .await
        .unwrap();
    assert!(text(&body, "client_id").starts_with("clv_client_"));
}

async fn manage(
    fixture: &Fixture,
    verb: &str,
    id: &str,
    token: &str,
    body: &Value,
) -> Result<Option<Registered>, EndpointError> {
    let body = body.to_string();
    let headers = bearer(token);
    let request = RegisterRequest {
        headers: &headers,
        body: body.as_bytes(),
        address: None,
    };
    let issuer = &fixture.issuer;
    match verb {
        "read" => issuer
            .read_registration(&request, id, at(1))
            .await
            .map(Some),
        "update" => issuer
            .update_registration(&request, id, at(1))
            .await
            .map(Some),
        _ => issuer
            .delete_registration(&request, id, at(1))
            .await
            .map(|()| None),
    }
}

#[tokio::test]
async fn q45_a_client_reads_changes_and_ends_its_registration() {
    let fixture = Fixture::new();
    let metadata = json!({"redirect_uris": [REDIRECT], "client_name": "One"});
    let body = register(&fixture, &HeaderMap::new(), &metadata)
        .await
        .unwrap();
    let (id, token) = (
        text(&body, "client_id"),
        text(&body, "registration_access_token"),
    );
    assert_eq!(
        text(&body, "registration_client_uri"),
        format!("https://as.example/register/{id}")
    );
    let read = manage(&fixture, "read", id, token, &Value::Null)
        .await
        .unwrap();
    let read = read.unwrap().body();
    assert_eq!(read["client_name"], "One");
    assert!(read.get("client_secret").is_none());

    let change = json!({
        "client_id": id,
        "redirect_uris": ["https://a.example/new"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    let changed = manage(&fixture, "update", id, token, &change)
        .await
        .unwrap();
    let changed = changed.unwrap().body();
    assert_eq!(changed["redirect_uris"], json!(["https://a.example/new"]));
    assert!(changed.get("client_name").is_none());
    let client = known(&body);
    let problem = fixture.problem(&query(&client, &[])).await;
    assert_eq!(problem, PageProblem::RedirectMismatch);
    // The secret stays the one it was.
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("client_secret", client.secret.as_deref().unwrap()),
    ];
    let error = fixture
        .post(&super::fixture::form_headers(), &fields, 1)
        .await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidRequest);

    for wrong in [
        json!({"redirect_uris": [REDIRECT]}),
        json!({"client_id": "x"}),
    ] {
        let error = manage(&fixture, "update", id, token, &wrong)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClientMetadata);
    }
    manage(&fixture, "delete", id, token, &Value::Null)
        .await
        .unwrap();
    let error = manage(&fixture, "read", id, token, &Value::Null).await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidToken);
}

#[tokio::test]
async fn a046_a_token_is_good_for_its_own_registration_only() {
    let fixture = Fixture::new();
    for metadata in [public(), json!({"redirect_uris": [REDIRECT]})] {
        let one = register(&fixture, &HeaderMap::new(), &metadata)
            .await
            .unwrap();
        let other = register(&fixture, &HeaderMap::new(), &metadata)
            .await
            .unwrap();
        let id = text(&one, "client_id");
        for verb in ["read", "update", "delete"] {
            for token in [text(&other, "registration_access_token"), "", "clv_reg_x"] {
                let error = manage(&fixture, verb, id, token, &Value::Null).await;
                let error = error.unwrap_err();
                assert_eq!(error.code(), ErrorCode::InvalidToken, "{verb} {token}");
                assert_eq!(error.status(), 401);
            }
        }
        let own = text(&one, "registration_access_token");
        assert!(
            manage(&fixture, "read", id, own, &Value::Null)
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn a046_deleting_a_client_ends_everything_it_has() {
    for metadata in [public(), json!({"redirect_uris": [REDIRECT]})] {
        let fixture = Fixture::new();
        let body = register(&fixture, &HeaderMap::new(), &metadata)
            .await
            .unwrap();
        let client = known(&body);
        let code = fixture.code(&client).await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("client_id", &client.id),
        ];
        let headers = match &client.secret {
            Some(secret) => basic_headers(&client.id, secret),
            None => super::fixture::form_headers(),
        };
        let tokens = fixture.post(&headers, &fields, 0).await.unwrap();
        let pending = fixture.ask(&query(&client, &[])).await;
        let token = text(&body, "registration_access_token");
        let deleted = manage(&fixture, "delete", &client.id, token, &Value::Null);
        deleted.await.unwrap();
        assert!(!fixture.is_live(tokens.access_token(), 1).await);
        let problem = fixture.problem(&query(&client, &[])).await;
        assert_eq!(problem, PageProblem::UnknownClient);
        let late = fixture.decide(&pending, "approve").await;
        assert!(matches!(
            late,
            crate::DecideAnswer::Problem(PageProblem::Stale)
        ));
        let refresh = tokens.refresh_token().unwrap().expose();
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", &client.id),
        ];
        let error = fixture.post(&headers, &fields, 1).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClient);
    }
}

#[tokio::test]
async fn a_signed_registration_cannot_change() {
    let fixture = Fixture::new();
    let body = register(&fixture, &HeaderMap::new(), &public())
        .await
        .unwrap();
    let (id, token) = (
        text(&body, "client_id"),
        text(&body, "registration_access_token"),
    );
    let mut change = public();
    change["client_id"] = json!(id);
    let error = manage(&fixture, "update", id, token, &change)
        .await
        .unwrap_err();
    assert_eq!(error.status(), 403);
}

#[tokio::test]
async fn a035_keys_come_with_the_registration_and_are_never_fetched() {
    let fixture = Fixture::new();
    let key = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let metadata = |more: Value| {
        let mut metadata = json!({
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "private_key_jwt",
        });
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        metadata
    };
    for wrong in [
        json!({}),
        json!({"jwks_uri": "https://10.0.0.1/keys"}),
        json!({"jwks_uri": "http://10.0.0.1/keys", "jwks": {"keys": [key]}}),
        json!({"jwks": {"keys": []}}),
        json!({"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}),
    ] {
        let error = register(&fixture, &HeaderMap::new(), &metadata(wrong.clone())).await;
        assert_eq!(
            error.unwrap_err().code(),
            ErrorCode::InvalidClientMetadata,
            "{wrong}"
        );
    }
    let good = metadata(json!({"jwks": {"keys": [key]}}));
    let body = register(&fixture, &HeaderMap::new(), &good).await.unwrap();
    assert_eq!(body["jwks"]["keys"][0]["x"], key["x"]);
    assert!(body.get("client_secret").is_none());
}
