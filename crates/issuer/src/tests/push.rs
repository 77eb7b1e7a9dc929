//! Pushed requests, and who a question belongs to.

use claviger_model::UserId;

use super::fixture::{Fixture, Known, answer, at, form, form_headers, query};
use crate::{
    AuthorizeAnswer, AuthorizeRequest, DecideAnswer, EndpointError, ErrorCode, FormRequest,
    PageProblem, Pushed, Visitor,
};

async fn push(fixture: &Fixture, body: &str) -> Result<Pushed, EndpointError> {
    let request = FormRequest {
        headers: &form_headers(),
        query: None,
        body: body.as_bytes(),
        address: None,
    };
    fixture.issuer.push(&request, at(0)).await
}

fn reference(client: &Known, pushed: &Pushed) -> String {
    form(&[
        ("client_id", client.id.as_str()),
        ("request_uri", pushed.request_uri().expose()),
    ])
}

async fn visit_at(fixture: &Fixture, query: &str, now: i64) -> AuthorizeAnswer {
    let request = AuthorizeRequest {
        query,
        cookies: Vec::new(),
        fetch_site: None,
        address: None,
    };
    fixture.issuer.authorize(&request, at(now)).await
}

#[tokio::test]
async fn a070_pushed_parameters_are_good_for_one_visit_of_their_client() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let stranger = fixture.client("none").await;
    let pushed = push(&fixture, &query(&client, &[("scope", "write")]))
        .await
        .unwrap();
    assert_eq!(pushed.body()["expires_in"], 60);
    let good = reference(&client, &pushed);
    // Neither a stranger nor somebody with more to say uses it up.
    for wrong in [
        reference(&stranger, &pushed),
        format!("{good}&scope=root"),
        format!("{good}&redirect_uri=https%3A%2F%2Fevil.example%2Fcb"),
        form(&[("request_uri", pushed.request_uri().expose())]),
    ] {
        assert_eq!(fixture.problem(&wrong).await, PageProblem::Stale, "{wrong}");
    }
    let ask = fixture.ask(&good).await;
    assert_eq!(ask.request.scopes.to_string(), "write");
    let DecideAnswer::Redirect { redirect, .. } = fixture.decide(&ask, "approve").await else {
        panic!("no code");
    };
    assert_eq!(answer(redirect.location().expose())["state"], "s t&=");
    assert_eq!(fixture.problem(&good).await, PageProblem::Stale);

    let pushed = push(&fixture, &query(&client, &[])).await.unwrap();
    let late = visit_at(&fixture, &reference(&client, &pushed), 60).await;
    assert!(matches!(late, AuthorizeAnswer::Problem(PageProblem::Stale)));
}

#[tokio::test]
async fn a070_a_push_is_checked_like_a_visit() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    for (more, expected) in [
        (
            ("redirect_uri", "https://evil.example/cb"),
            ErrorCode::InvalidRequest,
        ),
        (("redirect_uri", ""), ErrorCode::InvalidRequest),
        (
            ("code_challenge_method", "plain"),
            ErrorCode::InvalidRequest,
        ),
        (
            ("resource", "https://evil.example/mcp"),
            ErrorCode::InvalidTarget,
        ),
        (
            ("response_type", "token"),
            ErrorCode::UnsupportedResponseType,
        ),
        (("scope", "root"), ErrorCode::InvalidScope),
        (("request", "eyJ"), ErrorCode::RequestNotSupported),
        (
            ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            ErrorCode::InvalidRequest,
        ),
        (("client_id", "nobody"), ErrorCode::InvalidClient),
    ] {
        let error = push(&fixture, &query(&client, &[more])).await.unwrap_err();
        assert_eq!(error.code(), expected, "{more:?}");
    }
    let secret = fixture.client("client_secret_post").await;
    let error = push(&fixture, &query(&secret, &[])).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidClient);
    // What proved the client does not stay behind.
    let own = secret.secret.clone().unwrap();
    let pushed = push(&fixture, &query(&secret, &[("client_secret", &own)]))
        .await
        .unwrap();
    let mac = fixture
        .issuer
        .mac("request_uri", &[pushed.request_uri().expose()]);
    let row = fixture
        .issuer
        .doors
        .store
        .take_pushed(&mac, &secret.id)
        .await;
    assert!(!row.unwrap().unwrap().parameters.expose().contains(&own));
}

#[tokio::test]
async fn a069_a072_the_question_belongs_to_whom_it_was_put() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let user = |name: &str| Visitor::User(UserId::parse(name).unwrap());
    fixture.person.is(user("owner"));
    let ask = fixture.ask(&query(&client, &[])).await;
    assert_eq!(ask.request.user, Some(UserId::owner()));
    for other in [user("mallory"), Visitor::Anybody] {
        fixture.person.is(other);
        let decided = fixture.decide(&ask, "approve").await;
        assert!(matches!(
            decided,
            DecideAnswer::Problem(PageProblem::NotThisBrowser)
        ));
    }
    fixture.person.is(user("owner"));
    let decided = fixture.decide(&ask, "approve").await;
    assert!(matches!(decided, DecideAnswer::Redirect { .. }));

    // The hook grants as the owner, which is not who was asked here.
    fixture.person.is(user("mallory"));
    let ask = fixture.ask(&query(&client, &[])).await;
    let DecideAnswer::Redirect { redirect, .. } = fixture.decide(&ask, "approve").await else {
        panic!("not redirected");
    };
    assert_eq!(
        answer(redirect.location().expose())["error"],
        "access_denied"
    );
}

#[tokio::test]
async fn a_16_who_is_signed_out_signs_in_before_anything_is_answered() {
    let fixture = Fixture::new();
    fixture.person.is(Visitor::SignedOut {
        sign_in: "/login?next=x".to_owned(),
    });
    let nobody = Known {
        id: "nobody".to_owned(),
        secret: None,
    };
    let client = fixture.client("none").await;
    for query in [query(&nobody, &[]), query(&client, &[("scope", "root")])] {
        let AuthorizeAnswer::SignIn(redirect) = fixture.visit(&query).await else {
            panic!("answered");
        };
        assert_eq!(redirect.location().expose(), "/login?next=x");
    }
}
