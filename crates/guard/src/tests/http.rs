//! The layer and the metadata route, by single requests.

use std::sync::Arc;

use crate::http::{GuardLayer, metadata_router};
use crate::{
    Access, Caller, Guard, GuardSettings, ResourceMetadata, Verified, Verify, VerifyError,
};
use ::http::{HeaderMap, Request, StatusCode, header};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use claviger_crypto::Secret;
use claviger_model::{TenantId, Timestamp, UserId};
use claviger_testkit::FixedClock;
use claviger_wire::ScopeSet;
use http_body_util::BodyExt;
use tower::ServiceExt;

struct One;

#[async_trait]
impl Verify for One {
    async fn verify(&self, token: &Secret, _now: Timestamp) -> Result<Verified, VerifyError> {
        if token.expose() != "good" {
            return Err(VerifyError::Unknown);
        }
        Ok(Verified {
            tenant: TenantId::default_tenant(),
            user: UserId::owner(),
            client: None,
            token: None,
            scopes: ScopeSet::new(),
            access: Access::All,
        })
    }
}

async fn who(caller: Caller, headers: HeaderMap) -> String {
    assert!(!headers.contains_key(header::AUTHORIZATION));
    caller.user().to_string()
}

fn app() -> Router {
    let guard = Arc::new(Guard::new(Arc::new(One), GuardSettings::default()));
    Router::new()
        .route("/mcp", get(who))
        .layer(GuardLayer::new(guard, Arc::new(FixedClock::at(43_200))))
        .route("/open", get(who))
}

async fn send(uri: &str, token: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::get(uri);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let answer = app()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (parts.status, parts.headers, text)
}

#[tokio::test]
async fn r10_r11_the_token_ends_at_the_guard() {
    let (status, _, body) = send("/mcp", Some("good")).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "owner"));
}

#[tokio::test]
async fn r18_a140_a_token_in_the_query_is_ignored() {
    let (status, headers, _) = send("/mcp?access_token=good", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a_bad_token_is_refused() {
    let (status, headers, body) = send("/mcp", Some("bad")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    assert!(body.contains("\"error\":\"invalid_token\""));
}

#[tokio::test]
async fn a162_a_route_without_its_guard_lets_nobody_in() {
    let (status, _, _) = send("/open", Some("good")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn r03_r04_publishes_metadata_to_any_origin() {
    let metadata = ResourceMetadata::new(
        "https://a.example/mcp",
        vec!["https://a.example".to_owned()],
    )
    .unwrap();
    for (method, status) in [("GET", 200), ("HEAD", 200), ("OPTIONS", 204), ("POST", 405)] {
        let request = Request::builder()
            .method(method)
            .uri("/.well-known/oauth-protected-resource/mcp")
            .body(Body::empty())
            .unwrap();
        let answer = metadata_router(&metadata).oneshot(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method}");
        if status == 405 {
            continue;
        }
        assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        if method == "GET" {
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(value["resource"], "https://a.example/mcp");
        }
    }
}
