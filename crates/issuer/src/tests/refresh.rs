//! Rotation, reuse and the ends of a family.

use super::fixture::{Fixture, OTHER, RESOURCE, VERIFIER, basic_headers, settings};
use crate::{ErrorCode, IssuerEvent, Rotation};

#[tokio::test]
async fn a18_each_refresh_replaces_the_token() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let first = tokens.refresh_token().unwrap();
    let second = fixture.refresh(&client, first, &[], 100).await.unwrap();
    assert!(!second.refresh_token().unwrap().matches(first));
    assert!(fixture.is_live(second.access_token(), 699).await);
    let third = fixture
        .refresh(&client, second.refresh_token().unwrap(), &[], 200)
        .await;
    assert!(third.is_ok());
    assert_eq!(fixture.heard.count(IssuerEvent::Refreshed), 2);
}

#[tokio::test]
async fn a115_a_stranger_with_the_token_ends_the_family() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let stranger = fixture.client("none").await;
    let refresh = tokens.refresh_token().unwrap();
    let error = fixture
        .refresh(&stranger, refresh, &[], 1)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidGrant);
    assert!(fixture.refresh(&client, refresh, &[], 2).await.is_err());
    assert!(!fixture.is_live(tokens.access_token(), 2).await);
}

#[tokio::test]
async fn a116_wider_scope_or_another_resource_rotates_nothing() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let refresh = tokens.refresh_token().unwrap();
    for (more, expected) in [
        (("scope", "read write"), ErrorCode::InvalidScope),
        (("scope", "re\"ad"), ErrorCode::InvalidScope),
        (("resource", OTHER), ErrorCode::InvalidTarget),
    ] {
        let error = fixture
            .refresh(&client, refresh, &[more], 1)
            .await
            .unwrap_err();
        assert_eq!(error.code(), expected, "{more:?}");
    }
    let same = [("scope", "read"), ("resource", RESOURCE)];
    assert!(fixture.refresh(&client, refresh, &same, 1).await.is_ok());
}

#[tokio::test]
async fn a117_a_family_ends_idle_after_30_days_and_always_after_90() {
    const DAY: i64 = 86_400;
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let idle = tokens.refresh_token().unwrap();
    let error = fixture.refresh(&client, idle, &[], 30 * DAY).await;
    assert!(error.is_err());

    let (client, tokens) = fixture.signed_in().await;
    let mut current = tokens;
    for day in [29, 58, 87] {
        let refresh = current.refresh_token().unwrap();
        current = fixture
            .refresh(&client, refresh, &[], day * DAY)
            .await
            .unwrap();
    }
    let refresh = current.refresh_token().unwrap();
    let last = fixture.refresh(&client, refresh, &[], 90 * DAY).await;
    assert!(last.is_err());
}

#[tokio::test]
async fn nothing_is_minted_after_a_revocation() {
    let fixture = Fixture::new();
    let (client, tokens) = fixture.signed_in().await;
    let refresh = tokens.refresh_token().unwrap();
    let fields = [("token", refresh.expose())];
    fixture.revoke(&client, &fields).await.unwrap();
    let error = fixture.refresh(&client, refresh, &[], 1).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidGrant);
    // A revoked family is not a reused one.
    assert_eq!(fixture.heard.count(IssuerEvent::RefreshReused), 0);
}

#[tokio::test]
async fn without_rotation_a_secret_client_keeps_its_token_and_a_public_one_does_not() {
    let mut settings = settings();
    settings.rotation = Rotation::PublicClients;
    let fixture = Fixture::with(settings);
    let (public, tokens) = fixture.signed_in().await;
    let refreshed = fixture
        .refresh(&public, tokens.refresh_token().unwrap(), &[], 1)
        .await
        .unwrap();
    assert!(refreshed.refresh_token().is_some());

    let secret = fixture.client("client_secret_basic").await;
    let headers = basic_headers(&secret.id, secret.secret.as_deref().unwrap());
    let code = fixture.code(&secret).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let tokens = fixture.post(&headers, &fields, 0).await.unwrap();
    for now in [1, 2] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh_token().unwrap().expose()),
        ];
        let refreshed = fixture.post(&headers, &fields, now).await.unwrap();
        assert!(refreshed.refresh_token().is_none());
        assert!(fixture.is_live(refreshed.access_token(), now).await);
    }
}
