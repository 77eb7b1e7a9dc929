//! What a resource learns about a token, and what nobody learns.

use std::collections::BTreeSet;

use ::http::HeaderMap;
use claviger_crypto::{Secret, sha256};

use super::fixture::{Fixture, OTHER, RESOURCE, at, basic_headers, form, form_headers, settings};
use crate::{
    AuthMethod, EndpointError, ErrorCode, FormRequest, GrantType, InvalidSettings,
    ResourceCredential, StaticClient,
};

fn fixture() -> Fixture {
    let mut settings = settings();
    for (id, resource) in [("a", RESOURCE), ("b", OTHER)] {
        settings.resource_credentials.push(ResourceCredential {
            id: id.to_owned(),
            secret_sha256: sha256(format!("secret of {id}").as_bytes()),
            resource: resource.to_owned(),
        });
    }
    Fixture::with(settings)
}

async fn introspect(
    fixture: &Fixture,
    headers: &HeaderMap,
    fields: &[(&str, &str)],
    now: i64,
) -> Result<String, EndpointError> {
    let body = form(fields);
    let request = FormRequest {
        headers,
        query: None,
        body: body.as_bytes(),
        address: None,
    };
    let told = fixture.issuer.introspect(&request, at(now)).await?;
    Ok(told.body().to_string())
}

fn resource(id: &str) -> HeaderMap {
    basic_headers(id, &format!("secret of {id}"))
}

const INACTIVE: &str = r#"{"active":false}"#;

#[tokio::test]
async fn r3_a_resource_learns_what_its_token_stands_for() {
    let fixture = fixture();
    let (client, tokens) = fixture.signed_in().await;
    let fields = [("token", tokens.access_token().expose())];
    let told = introspect(&fixture, &resource("a"), &fields, 599)
        .await
        .unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        told,
        serde_json::json!({
            "active": true, "iss": "https://as.example", "aud": RESOURCE, "sub": "owner",
            "client_id": client.id, "scope": "read", "iat": 0, "exp": 600,
            "token_type": "Bearer",
        })
    );
}

#[tokio::test]
async fn a133_nobody_asks_without_a_secret() {
    let fixture = fixture();
    let (client, tokens) = fixture.signed_in().await;
    let token = ("token", tokens.access_token().expose());
    let secret = fixture.client("client_secret_basic").await;
    let ordinary = basic_headers(&secret.id, secret.secret.as_deref().unwrap());
    for (headers, fields) in [
        (form_headers(), vec![token]),
        (
            form_headers(),
            vec![token, ("client_id", client.id.as_str())],
        ),
        (form_headers(), vec![token, ("client_id", "a")]),
        (basic_headers("a", "secret of b"), vec![token]),
        (basic_headers("c", "secret of c"), vec![token]),
        // A client with a secret is no resource.
        (ordinary, vec![token]),
    ] {
        let error = introspect(&fixture, &headers, &fields, 1)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClient);
        assert_eq!(error.status(), 401);
    }
}

#[tokio::test]
async fn a134_a135_what_is_none_of_its_business_is_inactive_byte_for_byte() {
    let fixture = fixture();
    let (client, tokens) = fixture.signed_in().await;
    let (_, revoked) = fixture.signed_in().await;
    let refresh = tokens.refresh_token().unwrap();
    let code = fixture.code(&client).await;
    let access = tokens.access_token().expose();
    fixture
        .issuer
        .doors
        .store
        .revoke_access(&fixture.issuer.token_mac(revoked.access_token()))
        .await
        .unwrap();
    for (by, token, now) in [
        ("b", access, 1),
        ("a", access, 600),
        ("a", refresh.expose(), 1),
        ("a", &code, 1),
        ("a", revoked.access_token().expose(), 1),
        ("a", "nonsense", 1),
        ("a", "clv_at_x", 1),
    ] {
        let told = introspect(&fixture, &resource(by), &[("token", token)], now).await;
        assert_eq!(told.unwrap(), INACTIVE, "{token}");
    }
    let error = introspect(&fixture, &resource("a"), &[], 1)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn a_client_that_is_a_resource_may_ask() {
    let fixture = fixture();
    let wanted = |auth| StaticClient {
        id: format!("rs-{auth:?}"),
        name: None,
        redirect_uris: Vec::new(),
        auth,
        keys: Vec::new(),
        grant_types: BTreeSet::<GrantType>::new(),
        user: None,
        resource: Some(RESOURCE.to_owned()),
    };
    let (_, tokens) = fixture.signed_in().await;
    let token = [("token", tokens.access_token().expose())];
    let registered = fixture
        .issuer
        .preregister(wanted(AuthMethod::SecretBasic), at(0));
    let registered = registered.await.unwrap();
    let secret = registered.secret().map_or("", Secret::expose);
    let headers = basic_headers(&registered.client().id, secret);
    let told = introspect(&fixture, &headers, &token, 1).await.unwrap();
    assert!(told.contains(r#""active":true"#));

    // Nor if it proves itself in no way.
    let public = fixture.issuer.preregister(wanted(AuthMethod::None), at(0));
    let public = public.await.unwrap();
    let fields = [token[0], ("client_id", public.client().id.as_str())];
    assert!(
        introspect(&fixture, &form_headers(), &fields, 1)
            .await
            .is_err()
    );
}

#[test]
fn a_credential_for_no_resource_starts_nothing() {
    let mut settings = settings();
    settings.resource_credentials.push(ResourceCredential {
        id: "x".to_owned(),
        secret_sha256: [0; 32],
        resource: "https://a.example/elsewhere".to_owned(),
    });
    assert_eq!(
        settings.check().unwrap_err(),
        InvalidSettings::ResourceCredential
    );
    assert!(!format!("{:?}", settings.resource_credentials).contains("sha256"));
}
