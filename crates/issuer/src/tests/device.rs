//! Devices: what they are told, what their person is asked, and what nobody guesses.

use claviger_model::UserId;

use super::fixture::{Fixture, Known, OTHER, RESOURCE, at, form, form_headers, settings};
use crate::{
    Ask, AuthorizeRequest, DecideAnswer, DeviceAnswer, DevicePage, EndpointError, ErrorCode,
    FormRequest, IssuerEvent, PageProblem, TokenAnswer, Visitor,
};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn client(fixture: &Fixture) -> Known {
    let metadata = serde_json::json!({
        "token_endpoint_auth_method": "none",
        "client_name": "Television",
        "grant_types": [DEVICE_CODE, "refresh_token"],
    });
    let body = fixture.register(metadata).await.unwrap();
    Known {
        id: body["client_id"].as_str().unwrap().to_owned(),
        secret: None,
    }
}

async fn begin(
    fixture: &Fixture,
    client: &Known,
    more: &[(&str, &str)],
) -> Result<DeviceAnswer, EndpointError> {
    let mut fields = vec![("client_id", client.id.as_str())];
    fields.extend_from_slice(more);
    let body = form(&fields);
    let headers = form_headers();
    let request = FormRequest {
        headers: &headers,
        query: None,
        body: body.as_bytes(),
        address: None,
    };
    fixture.issuer.authorize_device(&request, at(0)).await
}

async fn enter(fixture: &Fixture, code: &str, address: &str, now: i64) -> DevicePage {
    let body = form(&[("user_code", code)]);
    let request = AuthorizeRequest {
        query: &body,
        cookies: Vec::new(),
        fetch_site: Some("same-origin"),
        address: Some(address.parse().unwrap()),
    };
    fixture.issuer.enter_device_code(&request, at(now)).await
}

async fn asked(fixture: &Fixture, code: &str) -> Box<Ask> {
    match enter(fixture, code, "192.0.2.1", 1).await {
        DevicePage::Ask(ask) => ask,
        other => panic!("{other:?}"),
    }
}

async fn poll(
    fixture: &Fixture,
    client: &Known,
    code: &str,
    now: i64,
) -> Result<TokenAnswer, ErrorCode> {
    let fields = [
        ("grant_type", DEVICE_CODE),
        ("device_code", code),
        ("client_id", &client.id),
    ];
    let answer = fixture.post(&form_headers(), &fields, now).await;
    answer.map_err(|error| error.code())
}

#[tokio::test]
async fn n4_a_device_gets_its_tokens_once_its_person_agreed() {
    let fixture = Fixture::new();
    let client = client(&fixture).await;
    let begun = begin(&fixture, &client, &[("scope", "write")])
        .await
        .unwrap();
    let body = begun.body();
    assert_eq!(body["verification_uri"], "https://as.example/device");
    assert!(body.get("verification_uri_complete").is_none());
    assert_eq!(
        (&body["expires_in"], &body["interval"]),
        (&600.into(), &5.into())
    );
    let code = begun.device_code().expose();
    assert_eq!(
        poll(&fixture, &client, code, 1).await.unwrap_err(),
        ErrorCode::AuthorizationPending
    );

    let typed = begun.user_code().expose();
    let ask = asked(&fixture, &typed.to_lowercase().replace('-', " ")).await;
    assert_eq!(ask.request.client_name.as_deref(), Some("Television"));
    assert_eq!(ask.request.resource, RESOURCE);
    assert_eq!(ask.request.scopes.to_string(), "write");
    assert_eq!(ask.request.redirect_uri, None);
    assert!(matches!(
        fixture.decide(&ask, "approve").await,
        DecideAnswer::Done {
            is_approved: true,
            ..
        }
    ));
    let tokens = poll(&fixture, &client, code, 6).await.unwrap();
    assert!(fixture.is_live(tokens.access_token(), 7).await);
    assert!(tokens.refresh_token().is_some());
    // Once.
    assert_eq!(
        poll(&fixture, &client, code, 20).await.unwrap_err(),
        ErrorCode::InvalidGrant
    );
    assert_eq!(fixture.heard.count(IssuerEvent::DeviceRedeemed), 1);
}

#[tokio::test]
async fn a_device_is_told_no_slowly_and_too_late() {
    let fixture = Fixture::new();
    let client = client(&fixture).await;
    let begun = begin(&fixture, &client, &[]).await.unwrap();
    let code = begun.device_code().expose();
    for (now, expected) in [
        (0, ErrorCode::AuthorizationPending),
        (4, ErrorCode::SlowDown),
        (13, ErrorCode::SlowDown),
        (28, ErrorCode::AuthorizationPending),
        (600, ErrorCode::ExpiredToken),
    ] {
        assert_eq!(
            poll(&fixture, &client, code, now).await.unwrap_err(),
            expected
        );
    }
    let begun = begin(&fixture, &client, &[]).await.unwrap();
    let ask = asked(&fixture, begun.user_code().expose()).await;
    let done = fixture.decide(&ask, "deny").await;
    assert!(matches!(
        done,
        DecideAnswer::Done {
            is_approved: false,
            ..
        }
    ));
    let code = begun.device_code().expose();
    assert_eq!(
        poll(&fixture, &client, code, 9).await.unwrap_err(),
        ErrorCode::AccessDenied
    );
    let stranger = self::client(&fixture).await;
    assert_eq!(
        poll(&fixture, &stranger, code, 99).await.unwrap_err(),
        ErrorCode::InvalidGrant
    );
    // A119: nor with another kind of token.
    for wrong in ["clv_ac_x", begun.user_code().expose()] {
        let error = poll(&fixture, &client, wrong, 99).await.unwrap_err();
        assert_eq!(error, ErrorCode::InvalidGrant);
    }
}

#[tokio::test]
async fn a_device_asks_for_what_there_is() {
    let fixture = Fixture::new();
    let client = client(&fixture).await;
    for (more, expected) in [
        (
            ("resource", "https://evil.example/mcp"),
            ErrorCode::InvalidTarget,
        ),
        (("scope", "root"), ErrorCode::InvalidScope),
    ] {
        let error = begin(&fixture, &client, &[more]).await.unwrap_err();
        assert_eq!(error.code(), expected);
    }
    assert!(
        begin(&fixture, &client, &[("resource", OTHER)])
            .await
            .is_ok()
    );
    let browser = fixture.client("none").await;
    let error = begin(&fixture, &browser, &[]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnauthorizedClient);
}

#[tokio::test]
async fn a244_user_codes_are_not_guessed() {
    let fixture = Fixture::new();
    let client = client(&fixture).await;
    let begun = begin(&fixture, &client, &[]).await.unwrap();
    let typed = begun.user_code().expose();
    for _ in 0..5 {
        let page = enter(&fixture, "BBBB-BBBB", "192.0.2.1", 1).await;
        assert!(matches!(page, DevicePage::Enter { is_retry: true, .. }));
    }
    let page = enter(&fixture, typed, "192.0.2.1", 2).await;
    assert!(matches!(page, DevicePage::Problem(PageProblem::TooMany)));
    // Somebody else's tries are not mine.
    let page = enter(&fixture, typed, "192.0.2.2", 2).await;
    assert!(matches!(page, DevicePage::Ask(_)));
    // Who is signed in is counted wherever they are.
    fixture.person.is(Visitor::User(UserId::owner()));
    for n in 3..9 {
        let page = enter(&fixture, "BBBB-BBBB", &format!("192.0.2.{n}"), 3).await;
        let refused = matches!(page, DevicePage::Problem(PageProblem::TooMany));
        assert_eq!(refused, n == 8);
    }
}

#[tokio::test]
async fn a058_a_code_is_typed_on_our_page_and_answered_once() {
    let fixture = Fixture::with(settings());
    let client = client(&fixture).await;
    let begun = begin(&fixture, &client, &[]).await.unwrap();
    let body = form(&[("user_code", begun.user_code().expose())]);
    let request = AuthorizeRequest {
        query: &body,
        cookies: Vec::new(),
        fetch_site: Some("cross-site"),
        address: None,
    };
    let page = fixture.issuer.enter_device_code(&request, at(0)).await;
    assert!(matches!(
        page,
        DevicePage::Problem(PageProblem::NotThisBrowser)
    ));

    let one = asked(&fixture, begun.user_code().expose()).await;
    let two = asked(&fixture, begun.user_code().expose()).await;
    let done = fixture.decide(&one, "deny").await;
    assert!(matches!(
        done,
        DecideAnswer::Done {
            is_approved: false,
            ..
        }
    ));
    let late = fixture.decide(&two, "approve").await;
    assert!(matches!(late, DecideAnswer::Problem(PageProblem::Stale)));
    // A decided code is not asked about again.
    let page = enter(&fixture, begun.user_code().expose(), "192.0.2.1", 1).await;
    assert!(matches!(page, DevicePage::Enter { is_retry: true, .. }));

    fixture.person.is(Visitor::SignedOut {
        sign_in: "/login".to_owned(),
    });
    let page = enter(&fixture, begun.user_code().expose(), "192.0.2.1", 1).await;
    assert!(matches!(page, DevicePage::SignIn(_)));
}
