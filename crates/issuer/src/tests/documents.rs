//! Clients that are known by the URL of their metadata document.

use std::sync::Arc;

use ::http::Method;
use claviger_crypto::{SigningAlgorithm, SigningKey};
use claviger_model::{Timestamp, UserId};
use claviger_ports::FetchError;
use claviger_testkit::{ScriptedFetch, json_answer, text_answer};
use serde_json::{Value, json};

use super::fixture::{Fixture, Known, REDIRECT, VERIFIER, at, form_headers, query, settings};
use crate::{
    AuthorizeAnswer, AuthorizeRequest, DecideAnswer, DocumentSettings, ErrorCode, IssuerSettings,
    PageProblem, RateLimit, Visitor,
};

const URL: &str = "https://editor.example/client.json";

fn document() -> Value {
    json!({"client_id": URL, "client_name": "Editor", "redirect_uris": [REDIRECT]})
}

fn fixture_with(
    settings: IssuerSettings,
    documents: DocumentSettings,
) -> (Fixture, Arc<ScriptedFetch>) {
    let fetch = Arc::new(ScriptedFetch::new());
    let door = Arc::<ScriptedFetch>::clone(&fetch);
    let fixture = Fixture::build(settings, |issuer| {
        issuer.with_client_documents(door, documents)
    });
    (fixture, fetch)
}

fn fixture() -> (Fixture, Arc<ScriptedFetch>) {
    fixture_with(settings(), DocumentSettings::default())
}

fn client(url: &str) -> Known {
    Known {
        id: url.to_owned(),
        secret: None,
    }
}

async fn problem(fixture: &Fixture, url: &str) -> PageProblem {
    fixture.problem(&query(&client(url), &[])).await
}

#[tokio::test]
async fn a_06_a_07_a_11_a_document_is_a_client() {
    let (fixture, fetch) = fixture();
    fetch.once(Method::GET, URL, json_answer(200, &document()));
    let ask = fixture.ask(&query(&client(URL), &[])).await;
    assert_eq!(ask.request.client_name.as_deref(), Some("Editor"));
    assert_eq!(ask.request.client_host.as_deref(), Some("editor.example"));
    let page = crate::consent_page(&ask.request, &ask.form).html;
    assert!(page.contains("<code>editor.example</code>"));
    // A044: loopback alone is warned of.
    assert!(page.contains("on this computer"));
    // It is fetched once, for the page, the answer and the tokens.
    let DecideAnswer::Redirect { .. } = fixture.decide(&ask, "approve").await else {
        panic!("no code");
    };
    let code = fixture.code(&client(URL)).await;
    let tokens = fixture.redeem(&client(URL), &code, 0).await.unwrap();
    assert!(fixture.is_live(tokens.access_token(), 1).await);
    assert_eq!(fetch.requests().len(), 1);
    assert_eq!(
        fetch.requests()[0].header("accept"),
        Some("application/json")
    );
    let metadata = json!(fixture.issuer.metadata());
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
}

#[tokio::test]
async fn a039_a042_a_08_refuses_documents_of_others_and_with_secrets() {
    let changes: [(&str, Value); 14] = [
        ("client_id", json!("https://editor.example/client.json/")),
        ("client_id", json!("https://Editor.example/client.json")),
        ("client_id", json!("https://editor.example:443/client.json")),
        ("client_id", json!("https://editor.example/client%2ejson")),
        ("client_id", Value::Null),
        ("client_name", Value::Null),
        ("client_secret", json!("x")),
        ("client_secret_expires_at", json!(0)),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("redirect_uris", json!([])),
        ("redirect_uris", json!(["javascript:alert(1)"])),
        ("grant_types", json!(["client_credentials"])),
        ("redirect_uris", json!("https://a.example/cb")),
    ];
    for (member, value) in changes {
        let (fixture, fetch) = fixture();
        let mut changed = document();
        changed[member] = value;
        fetch.once(Method::GET, URL, json_answer(200, &changed));
        assert_eq!(
            problem(&fixture, URL).await,
            PageProblem::DocumentInvalid,
            "{changed}"
        );
    }
}

#[tokio::test]
async fn a040_refuses_urls_that_are_no_document_without_asking() {
    let (fixture, fetch) = fixture();
    for url in [
        "http://editor.example/client.json",
        "https://editor.example",
        "https://editor.example/",
        "https://editor.example/client.json#x",
        "https://user@editor.example/client.json",
        "https://editor.example/a/../client.json",
        "https://EDITOR.example/client.json",
    ] {
        assert_eq!(
            problem(&fixture, url).await,
            PageProblem::DocumentInvalid,
            "{url}"
        );
    }
    assert!(fetch.requests().is_empty());
}

#[tokio::test]
async fn a041_a042_an_error_is_never_kept() {
    let (fixture, fetch) = fixture();
    let kind = [("content-type", "application/json")];
    let html = [("content-type", "text/html")];
    let text = document().to_string();
    let mut long = document();
    long["x"] = json!("x".repeat(5 * 1_024));
    for answer in [
        text_answer(301, &[("location", "https://editor.example/other")], ""),
        text_answer(307, &kind, &text),
        text_answer(201, &kind, &text),
        text_answer(204, &kind, ""),
        text_answer(404, &kind, &text),
        text_answer(200, &html, &text),
        text_answer(200, &kind, "not json"),
        json_answer(200, &long),
    ] {
        fetch.once(Method::GET, URL, answer);
        assert_eq!(problem(&fixture, URL).await, PageProblem::DocumentInvalid);
    }
    for error in [
        FetchError::Timeout,
        FetchError::Blocked { reason: "private" },
    ] {
        fetch.once(Method::GET, URL, Err(error));
        assert_eq!(
            problem(&fixture, URL).await,
            PageProblem::DocumentUnreachable
        );
    }
    fetch.once(Method::GET, URL, json_answer(200, &document()));
    fixture.ask(&query(&client(URL), &[])).await;
    fetch.assert_drained();
}

#[tokio::test]
async fn a_07_is_kept_by_its_headers_between_a_floor_and_a_ceiling() {
    for (cache_control, fresh_at, stale_at) in [
        (Some("max-age=600"), 599, 600),
        (Some("max-age=1"), 59, 60),
        (Some("no-store"), 59, 60),
        (Some("public, max-age=999999999"), 86_399, 86_400),
        (Some("max-age=x"), 299, 300),
        (None, 299, 300),
    ] {
        let (fixture, fetch) = fixture();
        let mut headers = vec![("content-type", "application/json; charset=utf-8")];
        headers.extend(cache_control.map(|value| ("cache-control", value)));
        let text = document().to_string();
        fetch.always(Method::GET, URL, text_answer(200, &headers, &text));
        for (now, fetched) in [(0, 1), (fresh_at, 1), (stale_at, 2)] {
            let query = query(&client(URL), &[]);
            let request = AuthorizeRequest {
                query: &query,
                cookies: Vec::new(),
                fetch_site: None,
                address: None,
            };
            let answer = fixture.issuer.authorize(&request, at(now)).await;
            assert!(matches!(answer, AuthorizeAnswer::Ask(_)));
            assert_eq!(fetch.requests().len(), fetched, "{cache_control:?} {now}");
        }
    }
}

#[tokio::test]
async fn a_12_nothing_is_fetched_for_a_stranger() {
    let (fixture, fetch) = fixture();
    fixture.person.is(Visitor::SignedOut {
        sign_in: "/login".to_owned(),
    });
    let answer = fixture.visit(&query(&client(URL), &[])).await;
    let AuthorizeAnswer::SignIn(redirect) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(redirect.location().expose(), "/login");
    // A token request says nothing of a person either, unless it brings what one has given.
    for fields in [
        [
            ("grant_type", "refresh_token"),
            ("client_id", URL),
            ("refresh_token", "clv_rt_x"),
        ],
        [
            ("grant_type", "authorization_code"),
            ("client_id", URL),
            ("code", "clv_ac_x"),
        ],
    ] {
        let error = fixture.post(&form_headers(), &fields, 0).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClient);
    }
    assert!(fetch.requests().is_empty());

    fixture.person.is(Visitor::User(UserId::owner()));
    fetch.always(Method::GET, URL, json_answer(200, &document()));
    let code = fixture.code(&client(URL)).await;
    let tokens = fixture.redeem(&client(URL), &code, 0).await.unwrap();
    let later = 1_000;
    let refresh = tokens.refresh_token().unwrap();
    let refreshed = fixture.refresh(&client(URL), refresh, &[], later).await;
    assert!(refreshed.is_ok());
    assert_eq!(fetch.requests().len(), 2);
}

#[tokio::test]
async fn a043_what_changed_since_the_page_was_shown_grants_nothing() {
    let (fixture, fetch) = fixture();
    let text = document().to_string();
    let kind = [("content-type", "application/json")];
    fetch.once(Method::GET, URL, text_answer(200, &kind, &text));
    let ask = fixture.ask(&query(&client(URL), &[])).await;
    let mut moved = document();
    moved["redirect_uris"] = json!(["https://elsewhere.example/cb"]);
    fetch.once(Method::GET, URL, json_answer(200, &moved));
    let DecideAnswer::Redirect { redirect, .. } = fixture.decide_at(&ask, "approve", 400).await
    else {
        panic!("not redirected");
    };
    assert!(redirect.location().expose().contains("error=access_denied"));
    fetch.assert_drained();
}

#[tokio::test]
async fn a045_one_address_makes_us_fetch_so_much_and_no_more() {
    let mut limited = settings();
    limited.limits.documents = RateLimit::per_minute(3);
    let (fixture, fetch) = fixture_with(limited, DocumentSettings::default());
    for n in 0..4 {
        let url = format!("https://h{n}.example/c");
        fetch.once(Method::GET, &url, text_answer(404, &[], ""));
        let query = query(&client(&url), &[]);
        let request = AuthorizeRequest {
            query: &query,
            cookies: Vec::new(),
            fetch_site: None,
            address: Some("192.0.2.1".parse().unwrap()),
        };
        let answer = fixture
            .issuer
            .authorize(&request, Timestamp::from_secs(0))
            .await;
        let AuthorizeAnswer::Problem(problem) = answer else {
            panic!("{answer:?}");
        };
        let expected = if n < 3 {
            PageProblem::DocumentInvalid
        } else {
            PageProblem::TooMany
        };
        assert_eq!(problem, expected);
    }
    assert_eq!(fetch.requests().len(), 3);
}

#[tokio::test]
async fn a047_one_installation_ends_and_the_other_goes_on() {
    let (fixture, fetch) = fixture();
    fetch.always(Method::GET, URL, json_answer(200, &document()));
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let code = fixture.code(&client(URL)).await;
        tokens.push(fixture.redeem(&client(URL), &code, 0).await.unwrap());
    }
    let ended = [("token", tokens[0].refresh_token().unwrap().expose())];
    fixture.revoke(&client(URL), &ended).await.unwrap();
    assert!(!fixture.is_live(tokens[0].access_token(), 1).await);
    assert!(fixture.is_live(tokens[1].access_token(), 1).await);
    let refresh = tokens[1].refresh_token().unwrap();
    assert!(fixture.refresh(&client(URL), refresh, &[], 1).await.is_ok());
}

#[tokio::test]
async fn an_operator_says_whose_documents_are_taken() {
    let some = |allowed: &[&str], denied: &[&str]| DocumentSettings {
        hosts_allowed: allowed.iter().map(|&host| host.to_owned()).collect(),
        hosts_denied: denied.iter().map(|&host| host.to_owned()).collect(),
        ..DocumentSettings::default()
    };
    for (documents, taken) in [
        (some(&["editor.example"], &[]), true),
        (some(&["other.example"], &[]), false),
        (some(&[], &["Editor.example"]), false),
        (some(&["editor.example"], &["editor.example"]), false),
    ] {
        let (fixture, fetch) = fixture_with(settings(), documents);
        fetch.always(Method::GET, URL, json_answer(200, &document()));
        let answer = fixture.visit(&query(&client(URL), &[])).await;
        assert_eq!(matches!(answer, AuthorizeAnswer::Ask(_)), taken);
    }
    // Without a door there are no documents at all.
    assert_eq!(
        problem(&Fixture::new(), URL).await,
        PageProblem::UnknownClient
    );
}

#[tokio::test]
async fn a_08_a103_a_document_may_bring_the_key_its_client_proves_itself_by() {
    let (fixture, fetch) = fixture();
    let new_key = || {
        let pem = SigningKey::generate_pem(SigningAlgorithm::Es256).unwrap();
        SigningKey::from_pem(&pem).unwrap()
    };
    let (own, other) = (new_key(), new_key());
    let mut document = document();
    document["token_endpoint_auth_method"] = json!("private_key_jwt");
    document["jwks"] = json!({"keys": [own.public_key().unwrap().to_jwk()]});
    fetch.always(Method::GET, URL, json_answer(200, &document));
    let code = fixture.code(&client(URL)).await;
    let assertion = |key: &SigningKey| {
        let claims = json!({
            "iss": URL, "sub": URL, "aud": "https://as.example", "exp": 60, "jti": "1",
        });
        key.sign_jwt("JWT", &claims).unwrap()
    };
    let redeem = async |more: &[(&str, &str)]| {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("code_verifier", VERIFIER),
        ];
        fields.extend_from_slice(more);
        fixture.post(&form_headers(), &fields, 0).await
    };
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let (stolen, good) = (assertion(&other), assertion(&own));
    for wrong in [
        &[("client_id", URL)][..],
        &[
            ("client_assertion_type", kind),
            ("client_assertion", stolen.expose()),
        ],
        &[
            ("client_assertion_type", "x"),
            ("client_assertion", good.expose()),
        ],
    ] {
        let error = redeem(wrong).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidClient);
    }
    let proven = [
        ("client_assertion_type", kind),
        ("client_assertion", good.expose()),
    ];
    assert!(redeem(&proven).await.is_ok());
}
