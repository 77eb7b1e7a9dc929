//! Redeeming codes, verifying and revoking what came of them.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, header};

use super::fixture::{Fixture, OTHER, REDIRECT, RESOURCE, VERIFIER, at, form, form_headers, query};
use crate::{DecideAnswer, ErrorCode, FormRequest, IssuerEvent, VerifyIssuedError};

#[tokio::test]
async fn a19_a_code_becomes_a_short_lived_token_for_one_resource() {
    let fixture = Fixture::new();
    let (_, tokens) = fixture.signed_in().await;
    let body = tokens.body();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert_eq!(body["scope"], "read");
    assert!(
        body["access_token"]
            .as_str()
            .unwrap()
            .starts_with("clv_at_")
    );
    assert!(
        body["refresh_token"]
            .as_str()
            .unwrap()
            .starts_with("clv_rt_")
    );

    let token = tokens.access_token();
    let issued = fixture
        .issuer
        .verify(token, RESOURCE, at(599))
        .await
        .unwrap();
    assert_eq!(issued.scopes.to_string(), "read");
    assert_eq!(issued.user.as_str(), "owner");
    let elsewhere = fixture.issuer.verify(token, OTHER, at(1)).await;
    assert!(matches!(elsewhere, Err(VerifyIssuedError::WrongResource)));
    let late = fixture.issuer.verify(token, RESOURCE, at(600)).await;
    assert!(matches!(late, Err(VerifyIssuedError::Expired)));
}

#[tokio::test]
async fn a093_a22_a_code_that_comes_twice_ends_what_it_gave() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let code = fixture.code(&client).await;
    let tokens = fixture.redeem(&client, &code, 0).await.unwrap();
    assert!(fixture.is_live(tokens.access_token(), 1).await);
    // Also long after the code itself has expired.
    let error = fixture.redeem(&client, &code, 300).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidGrant);
    assert!(!fixture.is_live(tokens.access_token(), 1).await);
    let refresh = tokens.refresh_token().unwrap();
    assert!(fixture.refresh(&client, refresh, &[], 2).await.is_err());
    assert_eq!(fixture.heard.count(IssuerEvent::CodeReused), 1);
}

#[tokio::test]
async fn of_many_redemptions_one_lives_at_most() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let code = fixture.code(&client).await;
    let mut given = Vec::new();
    for _ in 0..10 {
        if let Ok(tokens) = fixture.redeem(&client, &code, 0).await {
            given.push(tokens);
        }
    }
    assert_eq!(given.len(), 1);
    assert!(!fixture.is_live(given[0].access_token(), 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a094_of_many_redemptions_at_once_at_most_one_family_lives() {
    let fixture = Arc::new(Fixture::new());
    let client = Arc::new(fixture.client("none").await);
    for round in 0..1_000 {
        let code = Arc::new(fixture.code(&client).await);
        let many = if round == 0 { 100 } else { 4 };
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..many {
            let (fixture, client) = (Arc::clone(&fixture), Arc::clone(&client));
            let code = Arc::clone(&code);
            running.spawn(async move { fixture.redeem(&client, &code, 0).await.ok() });
        }
        let given: Vec<_> = running.join_all().await.into_iter().flatten().collect();
        assert!(given.len() <= 1, "{} families", given.len());
        // Somebody else had the code, so what it gave is over.
        for tokens in given {
            assert!(!fixture.is_live(tokens.access_token(), 1).await);
        }
    }
}

#[tokio::test]
async fn a097_a_code_at_its_end_is_nothing() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    for (age, good) in [(59, true), (60, false), (61, false)] {
        let code = fixture.code(&client).await;
        let redeemed = fixture.redeem(&client, &code, age).await;
        assert_eq!(redeemed.is_ok(), good, "{age}");
    }
}

#[tokio::test]
async fn a095_a_strangers_attempt_does_not_burn_the_code() {
    let fixture = Fixture::new();
    let owner = fixture.client("none").await;
    let stranger = fixture.client("none").await;
    let code = fixture.code(&owner).await;
    let base = |id| {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("code_verifier", VERIFIER),
            ("client_id", id),
        ]
    };
    let headers = form_headers();
    for (id, more, expected) in [
        (
            &stranger.id,
            ("redirect_uri", REDIRECT),
            ErrorCode::InvalidGrant,
        ),
        (
            &owner.id,
            ("redirect_uri", "http://127.0.0.1:7001/cb"),
            ErrorCode::InvalidGrant,
        ),
        (&owner.id, ("resource", OTHER), ErrorCode::InvalidTarget),
    ] {
        for _ in 0..4 {
            let mut fields = base(id.as_str());
            fields.push(more);
            let error = fixture.post(&headers, &fields, 0).await.unwrap_err();
            assert_eq!(error.code(), expected, "{more:?}");
        }
    }
    let mut fields = base(owner.id.as_str());
    fields.push(("resource", RESOURCE));
    assert!(fixture.post(&headers, &fields, 0).await.is_ok());
}

#[tokio::test]
async fn a096_the_third_wrong_verifier_burns_the_code() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let long = "a".repeat(129);
    let other = "b".repeat(43);
    for (wrong, tries) in [("short", 3), (long.as_str(), 3), (other.as_str(), 2)] {
        let code = fixture.code(&client).await;
        for _ in 0..tries {
            let fields = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("code_verifier", wrong),
                ("client_id", &client.id),
            ];
            let error = fixture.post(&form_headers(), &fields, 0).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidGrant);
        }
        let then = fixture.redeem(&client, &code, 0).await;
        assert_eq!(then.is_ok(), tries < 3, "{wrong:.10}");
    }
    let code = fixture.code(&client).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", &client.id),
    ];
    let error = fixture.post(&form_headers(), &fields, 0).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn a119_kinds_of_tokens_are_never_swapped() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let code = fixture.code(&client).await;
    let access = tokens.access_token().expose();
    let refresh = tokens.refresh_token().unwrap();
    for wrong in [access, refresh.expose(), "clv_ac_x", ""] {
        let error = fixture.redeem(&client, wrong, 0).await.unwrap_err();
        let expected = if wrong.is_empty() {
            ErrorCode::InvalidRequest
        } else {
            ErrorCode::InvalidGrant
        };
        assert_eq!(error.code(), expected);
    }
    for wrong in [access, &code] {
        let wrong = claviger_crypto::Secret::new(wrong);
        let error = fixture.refresh(&client, &wrong, &[], 0).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidGrant);
    }
    assert!(!fixture.is_live(refresh, 0).await);
    assert!(
        !fixture
            .is_live(&claviger_crypto::Secret::new(code), 0)
            .await
    );
    // None of it harmed the real ones.
    assert!(fixture.is_live(tokens.access_token(), 0).await);
}

#[tokio::test]
async fn a100_a101_a102_the_form_is_read_strictly() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let code = fixture.code(&client).await;
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
        ("client_id", &client.id),
    ]);
    let kinds = |kinds: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for kind in kinds {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers
    };
    let good = "application/x-www-form-urlencoded";
    let twice = format!("{body}&code=other");
    let many = format!("{body}{}", "&a=1".repeat(70));
    for (headers, query, body) in [
        (kinds(&[]), None, &body),
        (kinds(&["application/json"]), None, &body),
        (kinds(&["multipart/form-data; boundary=x"]), None, &body),
        (kinds(&[good, good]), None, &body),
        (kinds(&[good]), Some("code=x"), &body),
        (kinds(&[good]), None, &twice),
        (kinds(&[good]), None, &many),
    ] {
        let request = FormRequest {
            headers: &headers,
            query,
            body: body.as_bytes(),
            address: None,
        };
        let error = fixture.issuer.token(&request, at(0)).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidRequest);
        assert_eq!(error.status(), 400);
    }
    let headers = kinds(&["Application/X-WWW-Form-Urlencoded; charset=UTF-8"]);
    let request = FormRequest {
        headers: &headers,
        query: Some(""),
        body: body.as_bytes(),
        address: None,
    };
    assert!(fixture.issuer.token(&request, at(0)).await.is_ok());
}

#[tokio::test]
async fn a036_other_grant_types_are_not_offered() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    for (grant, expected) in [
        ("password", ErrorCode::UnsupportedGrantType),
        ("client_credentials", ErrorCode::UnauthorizedClient),
        ("", ErrorCode::InvalidRequest),
    ] {
        let fields = [("grant_type", grant), ("client_id", &client.id)];
        let error = fixture.post(&form_headers(), &fields, 0).await.unwrap_err();
        assert_eq!(error.code(), expected, "{grant}");
    }
}

#[tokio::test]
async fn a137_a138_revoking_a_refresh_token_ends_the_grant_whatever_the_hint() {
    for hint in ["refresh_token", "access_token", "nonsense", ""] {
        let fixture = Fixture::new();
        let (client, tokens) = fixture.signed_in().await;
        let refresh = tokens.refresh_token().unwrap();
        let fields = [("token", refresh.expose()), ("token_type_hint", hint)];
        fixture.revoke(&client, &fields).await.unwrap();
        assert!(!fixture.is_live(tokens.access_token(), 2).await, "{hint}");
        assert!(fixture.refresh(&client, refresh, &[], 2).await.is_err());
        assert_eq!(fixture.heard.count(IssuerEvent::Revoked), 1);
    }
}

#[tokio::test]
async fn revoking_an_access_token_leaves_the_grant() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let fields = [("token", tokens.access_token().expose())];
    fixture.revoke(&client, &fields).await.unwrap();
    assert!(!fixture.is_live(tokens.access_token(), 2).await);
    let refresh = tokens.refresh_token().unwrap();
    assert!(fixture.refresh(&client, refresh, &[], 2).await.is_ok());
}

#[tokio::test]
async fn a136_a_strangers_or_unknown_token_is_left_alone_and_answered_alike() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let stranger = fixture.client("none").await;
    let refresh = tokens.refresh_token().unwrap();
    for token in [refresh.expose(), tokens.access_token().expose(), "nonsense"] {
        fixture
            .revoke(&stranger, &[("token", token)])
            .await
            .unwrap();
    }
    assert!(fixture.is_live(tokens.access_token(), 2).await);
    assert!(fixture.refresh(&client, refresh, &[], 2).await.is_ok());
    let error = fixture.revoke(&client, &[]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn r6_a118_everything_a_user_granted_ends_at_once() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let code = fixture.code(&client).await;
    let owner = claviger_model::UserId::owner();
    fixture.issuer.revoke_user(&owner, at(1)).await.unwrap();
    assert!(!fixture.is_live(tokens.access_token(), 1).await);
    let refresh = tokens.refresh_token().unwrap();
    assert!(fixture.refresh(&client, refresh, &[], 1).await.is_err());
    assert!(fixture.redeem(&client, &code, 1).await.is_err());
}

#[tokio::test]
async fn the_redirect_uri_of_the_code_is_the_one_that_was_sent() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let sent = "http://127.0.0.1:7999/cb";
    let ask = fixture
        .ask(&query(&client, &[("redirect_uri", sent)]))
        .await;
    let DecideAnswer::Redirect { redirect, .. } = fixture.decide(&ask, "approve").await else {
        panic!("no code");
    };
    let location = redirect.location().expose();
    assert!(location.starts_with("http://127.0.0.1:7999/cb?code="));
    let (_, rest) = location.split_once("code=").unwrap();
    let (code, _) = rest.split_once('&').unwrap();
    // The registered one differs by its port, which is another address.
    assert!(fixture.redeem(&client, code, 0).await.is_err());
}
