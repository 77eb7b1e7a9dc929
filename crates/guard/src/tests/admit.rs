//! The guard as a function of headers, time and a verifier.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{
    Access, Guard, GuardSettings, Refusal, RefusalReason, ScopeHierarchy, Verified, Verify,
    VerifyError,
};
use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::{ServerId, TenantId, Timestamp, UserId};
use claviger_wire::{Scope, ScopeSet};

struct Scripted;

#[async_trait]
impl Verify for Scripted {
    async fn verify(&self, token: &Secret, _now: Timestamp) -> Result<Verified, VerifyError> {
        let scopes = match token.expose() {
            "good" => "mcp read",
            "broad" => "all",
            "narrow" => "read",
            "expired" => return Err(VerifyError::Expired),
            "foreign" => return Err(VerifyError::WrongAudience),
            "down" => return Err(VerifyError::Unavailable),
            _ => return Err(VerifyError::Unknown),
        };
        Ok(Verified {
            tenant: TenantId::default_tenant(),
            user: UserId::owner(),
            client: Some("c1".to_owned()),
            token: Some("t1".to_owned()),
            scopes: ScopeSet::parse_lossy(scopes),
            access: Access::Servers(BTreeSet::from([ServerId::parse("s1").unwrap()])),
        })
    }
}

const METADATA: &str = "https://a.example/.well-known/oauth-protected-resource/mcp";

fn guard() -> Guard {
    let settings = GuardSettings {
        resource_metadata_url: Some(METADATA.to_owned()),
        scopes_required: ScopeSet::parse_lossy("mcp"),
        hierarchy: ScopeHierarchy::new().implies(
            Scope::parse("all").unwrap(),
            &ScopeSet::parse_lossy("mcp read"),
        ),
        ..GuardSettings::default()
    };
    Guard::new(Arc::new(Scripted), settings)
}

fn headers(values: &[&str]) -> HeaderMap {
    values
        .iter()
        .map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()))
        .collect::<Vec<(HeaderName, HeaderValue)>>()
        .into_iter()
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

async fn refusal(values: &[&str]) -> Refusal {
    guard()
        .admit(&headers(values), Timestamp::from_secs(0))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_good_token_makes_a_caller() {
    let caller = guard()
        .admit(&headers(&["Bearer good"]), Timestamp::from_secs(0))
        .await
        .unwrap();
    assert_eq!(caller.user(), &UserId::owner());
    assert_eq!(caller.tenant(), &TenantId::default_tenant());
    assert_eq!(caller.client(), Some("c1"));
    assert_eq!(caller.token(), Some("t1"));
    assert_eq!(caller.scopes().to_string(), "mcp read");
    assert!(caller.access().allows(&ServerId::parse("s1").unwrap()));
    assert!(!caller.access().allows(&ServerId::parse("s2").unwrap()));
}

#[tokio::test]
async fn r13_r02_r05_a140_no_token_is_challenged_without_an_error_code() {
    for values in [&[][..], &["Basic Zm9v"], &["DPoP good"], &["Bearerx good"]] {
        let refused = refusal(values).await;
        assert_eq!(refused.status(), 401);
        assert_eq!(
            refused.www_authenticate().unwrap(),
            format!("Bearer scope=\"mcp\", resource_metadata=\"{METADATA}\""),
            "{values:?}"
        );
    }
}

#[tokio::test]
async fn a140_without_an_issuer_the_challenge_is_bare() {
    let bare = Guard::new(Arc::new(Scripted), GuardSettings::default());
    let refused = bare
        .admit(&HeaderMap::new(), Timestamp::from_secs(0))
        .await
        .unwrap_err();
    assert_eq!(refused.www_authenticate(), Some("Bearer"));
}

#[tokio::test]
async fn r08_r09_r12_a_bad_token_is_invalid_token() {
    for token in ["nobody", "expired", "foreign"] {
        let refused = refusal(&[&format!("Bearer {token}")]).await;
        assert_eq!(refused.status(), 401, "{token}");
        let challenge = refused.www_authenticate().unwrap();
        assert!(challenge.starts_with("Bearer error=\"invalid_token\", "));
        assert!(challenge.contains(METADATA));
        assert!(!challenge.contains(token) || token == "expired");
    }
    // Unknown and foreign tokens look the same from outside.
    assert_eq!(
        refusal(&["Bearer nobody"]).await.body(),
        refusal(&["Bearer foreign"]).await.body()
    );
}

#[tokio::test]
async fn r12_r13_malformed_is_invalid_request() {
    let long = format!("Bearer {}", "a".repeat(9_000));
    for values in [
        &["Bearer good", "Bearer good"][..],
        &["Basic Zm9v", "Bearer good"],
        &["Bearer"],
        &["Bearer "],
        &["Bearer good good"],
        &["Bearer good, Basic Zm9v"],
        &["Bearer go\"od"],
        &["Bearer ="],
        &[long.as_str()],
    ] {
        let refused = refusal(values).await;
        assert_eq!(refused.status(), 400, "{values:?}");
        assert!(matches!(refused.reason(), RefusalReason::Malformed { .. }));
        assert!(
            refused
                .www_authenticate()
                .unwrap()
                .starts_with("Bearer error=\"invalid_request\", ")
        );
    }
}

#[tokio::test]
async fn r18_the_scheme_is_case_insensitive() {
    for value in ["bearer good", "BEARER good", "bEaReR   good"] {
        let admitted = guard()
            .admit(&headers(&[value]), Timestamp::from_secs(0))
            .await;
        assert!(admitted.is_ok(), "{value}");
    }
}

#[tokio::test]
async fn r14_r15_r17_insufficient_scope_names_everything_needed() {
    let refused = refusal(&["Bearer narrow"]).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(
        refused.www_authenticate().unwrap(),
        format!(
            "Bearer error=\"insufficient_scope\", \
             error_description=\"the access token lacks a scope that this needs\", \
             scope=\"mcp\", resource_metadata=\"{METADATA}\""
        )
    );

    let guard = guard();
    let caller = guard
        .admit(&headers(&["Bearer good"]), Timestamp::from_secs(0))
        .await
        .unwrap();
    let needed = ScopeSet::parse_lossy("read write");
    let refused = guard.require(&caller, &needed).unwrap_err();
    assert!(
        refused
            .www_authenticate()
            .unwrap()
            .contains("scope=\"mcp read write\"")
    );
    let missing = caller.require(&needed).unwrap_err();
    assert_eq!(missing.missing.to_string(), "write");
}

#[tokio::test]
async fn r16_a_broader_scope_is_enough() {
    let admitted = guard()
        .admit(&headers(&["Bearer broad"]), Timestamp::from_secs(0))
        .await;
    assert!(admitted.is_ok());
}

#[tokio::test]
async fn a162_an_unavailable_verifier_is_503_and_nobody_gets_in() {
    let refused = refusal(&["Bearer down"]).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.www_authenticate(), None);
    assert_eq!(refused.retry_after_s(), Some(1));
}
