//! The limits of the endpoints (R8, A028, A073).

use ::http::HeaderMap;
use serde_json::json;

use super::fixture::{Fixture, REDIRECT, at, form, form_headers, query, settings};
use crate::{
    AuthorizeAnswer, AuthorizeRequest, EndpointError, FormRequest, PageProblem, RateLimit,
    RegisterRequest,
};

fn limited() -> Fixture {
    let mut settings = settings();
    settings.limits.authorize = RateLimit::per_minute(2);
    settings.limits.register = RateLimit::per_minute(2);
    settings.limits.register_total = RateLimit::per_minute(3);
    settings.limits.token = RateLimit::per_minute(2);
    settings.limits.token_of_client = RateLimit::per_minute(3);
    Fixture::with(settings)
}

async fn register(fixture: &Fixture, address: &str, now: i64) -> Result<(), EndpointError> {
    let body = json!({"redirect_uris": [REDIRECT]}).to_string();
    let request = RegisterRequest {
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        address: Some(address.parse().unwrap()),
    };
    fixture.issuer.register(&request, at(now)).await.map(|_| ())
}

#[tokio::test]
async fn r8_a028_registrations_are_limited_by_address_and_in_all() {
    let fixture = limited();
    for _ in 0..2 {
        register(&fixture, "192.0.2.1", 0).await.unwrap();
    }
    let error = register(&fixture, "192.0.2.1", 1).await.unwrap_err();
    assert_eq!(error.status(), 429);
    assert_eq!(error.retry_after_s(), Some(59));
    register(&fixture, "192.0.2.2", 1).await.unwrap();
    // Many addresses do not help.
    let error = register(&fixture, "192.0.2.3", 1).await.unwrap_err();
    assert_eq!(error.status(), 429);
    register(&fixture, "192.0.2.1", 61).await.unwrap();
}

async fn token(fixture: &Fixture, address: Option<&str>, id: &str) -> u16 {
    let body = form(&[("grant_type", "refresh_token"), ("client_id", id)]);
    let request = FormRequest {
        headers: &form_headers(),
        query: None,
        body: body.as_bytes(),
        address: address.map(|address| address.parse().unwrap()),
    };
    fixture
        .issuer
        .token(&request, at(0))
        .await
        .unwrap_err()
        .status()
        .as_u16()
}

#[tokio::test]
async fn r8_token_requests_are_limited_by_address_and_client() {
    let fixture = limited();
    let client = fixture.client("none").await;
    for expected in [401, 401, 429] {
        assert_eq!(token(&fixture, Some("192.0.2.1"), "nobody").await, expected);
    }
    for expected in [400, 400, 400, 429] {
        assert_eq!(token(&fixture, None, &client.id).await, expected);
    }
}

#[tokio::test]
async fn r8_a073_visits_are_limited_by_address() {
    let fixture = limited();
    let client = fixture.client("none").await;
    let query = query(&client, &[]);
    for (address, admitted) in [
        ("192.0.2.1", true),
        ("192.0.2.1", true),
        ("192.0.2.1", false),
        ("192.0.2.2", true),
    ] {
        let request = AuthorizeRequest {
            query: &query,
            cookies: Vec::new(),
            fetch_site: None,
            address: Some(address.parse().unwrap()),
        };
        match fixture.issuer.authorize(&request, at(0)).await {
            AuthorizeAnswer::Ask(_) => assert!(admitted),
            AuthorizeAnswer::Problem(problem) => {
                assert_eq!(problem, PageProblem::TooMany);
                assert!(!admitted);
            }
            other => panic!("{other:?}"),
        }
    }
}
