//! The authorization endpoint, before and after the person.

use claviger_crypto::Secret;

use super::fixture::{Fixture, Known, OTHER, RESOURCE, answer, at, form, query, settings};
use crate::{
    DecideAnswer, DecideRequest, InvalidSettings, Issuer, IssuerEvent, IssuerSettings, PageProblem,
};

#[tokio::test]
async fn a17_a055_a065_asks_first_then_answers_with_code_state_and_iss() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let ask = fixture
        .ask(&query(&client, &[("scope", "write root")]))
        .await;
    // A061: what the resource does not have is not even asked for.
    assert_eq!(ask.request.scopes.to_string(), "write");
    assert_eq!(ask.request.resource, RESOURCE);
    assert!(ask.request.is_loopback_only);
    assert_eq!(fixture.heard.count(IssuerEvent::Approved), 0);

    let DecideAnswer::Redirect { redirect, .. } = fixture.decide(&ask, "approve").await else {
        panic!("no code");
    };
    let fields = answer(redirect.location().expose());
    assert!(fields["code"].starts_with("clv_ac_"));
    // A063: the state comes back byte for byte.
    assert_eq!(fields["state"], "s t&=");
    assert_eq!(fixture.heard.count(IssuerEvent::Approved), 1);
}

#[tokio::test]
async fn a_person_may_say_no() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let ask = fixture.ask(&query(&client, &[])).await;
    let DecideAnswer::Redirect { redirect, .. } = fixture.decide(&ask, "deny").await else {
        panic!("not redirected");
    };
    let fields = answer(redirect.location().expose());
    assert_eq!(fields["error"], "access_denied");
    assert_eq!(fields["state"], "s t&=");
    assert!(!fields.contains_key("code"));
    assert_eq!(fixture.heard.count(IssuerEvent::Denied), 1);
}

#[tokio::test]
async fn a048_a16_a_doubtful_redirect_uri_is_never_followed() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let nobody = Known {
        id: "clv_client_nobody".to_owned(),
        secret: None,
    };
    for (query, expected) in [
        (query(&nobody, &[]), PageProblem::UnknownClient),
        (
            query(&client, &[("client_id", "")]),
            PageProblem::UnknownClient,
        ),
        (
            query(&client, &[("redirect_uri", "")]),
            PageProblem::RedirectMismatch,
        ),
        (
            query(&client, &[("redirect_uri", "https://evil.example/cb")]),
            PageProblem::RedirectMismatch,
        ),
        (
            query(&client, &[("redirect_uri", "http://127.0.0.1:7000/cb/..")]),
            PageProblem::RedirectMismatch,
        ),
        (
            query(&client, &[("redirect_uri", "http://localhost:7000/cb")]),
            PageProblem::RedirectMismatch,
        ),
        (
            query(&client, &[("x", &"y".repeat(17_000))]),
            PageProblem::TooLong,
        ),
    ] {
        assert_eq!(fixture.problem(&query).await, expected, "{query:.80}");
    }
}

#[tokio::test]
async fn a051_a05_pkce_s256_or_nothing() {
    let fixture = Fixture::new();
    let client = fixture.client("client_secret_basic").await;
    for more in [
        &[("code_challenge", "")][..],
        &[("code_challenge", ""), ("code_challenge_method", "")],
        &[("code_challenge_method", "")],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "s256")],
        &[("code_challenge", "short")],
        &[(
            "code_challenge",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEj+k",
        )],
    ] {
        let fields = fixture.refused(&query(&client, more)).await;
        assert_eq!(fields["error"], "invalid_request", "{more:?}");
        assert_eq!(fields["state"], "s t&=");
    }
}

#[tokio::test]
async fn a052_nothing_comes_twice() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let good = query(&client, &[]);
    for twice in [
        "client_id=x",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A7000%2Fcb",
    ] {
        let problem = fixture.problem(&format!("{good}&{twice}")).await;
        assert_eq!(problem, PageProblem::Repeated, "{twice}");
    }
    for twice in [
        "scope=a&scope=b",
        "response_type=code",
        "foo=1&foo=1",
        "code_challenge=",
    ] {
        let fields = fixture.refused(&format!("{good}&{twice}")).await;
        assert_eq!(fields["error"], "invalid_request", "{twice}");
        assert_eq!(fields["state"], "s t&=");
    }
    // A doubtful state is not returned.
    let fields = fixture.refused(&format!("{good}&state=other")).await;
    assert!(!fields.contains_key("state"));
}

#[tokio::test]
async fn a053_a20_a_token_is_for_one_resource_of_ours() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    for resource in [
        "https://evil.example/mcp",
        "https://a.example/mcp#f",
        "https://a.example/mcp/",
        "https://A.example/mcp",
        "https://a.example",
    ] {
        let fields = fixture
            .refused(&query(&client, &[("resource", resource)]))
            .await;
        assert_eq!(fields["error"], "invalid_target", "{resource}");
    }
    let several = format!("{}&{}", query(&client, &[]), form(&[("resource", OTHER)]));
    assert_eq!(fixture.refused(&several).await["error"], "invalid_target");
    // Without one it is the default, never an unbound token.
    let ask = fixture.ask(&query(&client, &[("resource", "")])).await;
    assert_eq!(ask.request.resource, RESOURCE);
    let ask = fixture.ask(&query(&client, &[("resource", OTHER)])).await;
    assert_eq!(ask.request.resource, OTHER);
}

#[tokio::test]
async fn a054_a061_a062_a063_a071_refuses_what_is_not_offered() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let long = "x".repeat(8_193);
    for (more, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "code token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("response_mode", "form_post"), "invalid_request"),
        (("request", "eyJ"), "request_not_supported"),
        (
            ("request_uri", "https://evil.example/r"),
            "request_not_supported",
        ),
        (("prompt", "none"), "consent_required"),
        (("scope", "root"), "invalid_scope"),
        (("scope", "re\"ad"), "invalid_scope"),
        (("state", long.as_str()), "invalid_request"),
    ] {
        let fields = fixture.refused(&query(&client, &[more])).await;
        assert_eq!(fields["error"], error, "{:.40}", more.1);
        assert!(!fields.contains_key("code"));
    }
}

struct Forged<'a> {
    fields: Vec<(&'a str, &'a str)>,
    cookies: Vec<(&'a str, Secret)>,
    fetch_site: Option<&'a str>,
}

async fn forged(fixture: &Fixture, forged: Forged<'_>) -> PageProblem {
    let body = form(&forged.fields);
    let request = DecideRequest {
        body: body.as_bytes(),
        cookies: forged.cookies,
        fetch_site: forged.fetch_site,
    };
    match fixture.issuer.decide(&request, at(0)).await {
        DecideAnswer::Problem(problem) => problem,
        _ => panic!("a forged form was taken"),
    }
}

#[tokio::test]
async fn a056_a058_a057_a_form_counts_only_from_the_browser_that_was_asked() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let ask = fixture.ask(&query(&client, &[])).await;
    let foreign = fixture.ask(&query(&client, &[])).await;
    let fields = vec![
        ("pending_id", ask.form.pending_id.as_str()),
        ("csrf", ask.form.csrf.expose()),
        ("decision", "approve"),
    ];
    let cookies = vec![(ask.cookie_name.as_str(), ask.cookie.clone())];
    let good = || Forged {
        fields: fields.clone(),
        cookies: cookies.clone(),
        fetch_site: None,
    };
    let elsewhere = PageProblem::NotThisBrowser;

    let no_cookie = Forged {
        cookies: Vec::new(),
        ..good()
    };
    assert_eq!(forged(&fixture, no_cookie).await, elsewhere);
    let wrong = vec![(ask.cookie_name.as_str(), foreign.cookie.clone())];
    let wrong_cookie = Forged {
        cookies: wrong,
        ..good()
    };
    assert_eq!(forged(&fixture, wrong_cookie).await, elsewhere);
    for csrf in ["", "guess", foreign.form.csrf.expose()] {
        let mut with = good();
        with.fields[1] = ("csrf", csrf);
        assert_eq!(forged(&fixture, with).await, elsewhere, "{csrf}");
    }
    for site in ["cross-site", "same-site", "odd"] {
        let with = Forged {
            fetch_site: Some(site),
            ..good()
        };
        assert_eq!(forged(&fixture, with).await, elsewhere, "{site}");
    }
    let mut twice = good();
    twice.fields.push(("decision", "deny"));
    assert_eq!(forged(&fixture, twice).await, PageProblem::Repeated);
    let mut undecided = good();
    undecided.fields[2] = ("decision", "perhaps");
    assert_eq!(forged(&fixture, undecided).await, elsewhere);
    assert_eq!(fixture.heard.count(IssuerEvent::Approved), 0);

    // None of these used up the person's own form; that one is good once.
    assert!(matches!(
        fixture.decide(&ask, "approve").await,
        DecideAnswer::Redirect { .. }
    ));
    assert_eq!(forged(&fixture, good()).await, PageProblem::Stale);
}

#[tokio::test]
async fn a060_extra_fields_of_the_form_change_nothing() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let ask = fixture.ask(&query(&client, &[])).await;
    let body = form(&[
        ("pending_id", &ask.form.pending_id),
        ("csrf", ask.form.csrf.expose()),
        ("decision", "approve"),
        ("redirect_uri", "https://evil.example/cb"),
        ("scope", "root"),
        ("resource", OTHER),
    ]);
    let request = DecideRequest {
        body: body.as_bytes(),
        cookies: vec![(&ask.cookie_name, ask.cookie.clone())],
        fetch_site: None,
    };
    let DecideAnswer::Redirect { redirect, .. } = fixture.issuer.decide(&request, at(0)).await
    else {
        panic!("refused");
    };
    let code = &answer(redirect.location().expose())["code"];
    let tokens = fixture.redeem(&client, code, 0).await.unwrap();
    assert_eq!(tokens.scopes().to_string(), "read");
    let elsewhere = fixture
        .issuer
        .verify(tokens.access_token(), OTHER, at(0))
        .await;
    assert!(elsewhere.is_err());
}

#[tokio::test]
async fn a073_an_answer_after_ten_minutes_is_too_late() {
    let fixture = Fixture::new();
    let client = fixture.client("none").await;
    let ask = fixture.ask(&query(&client, &[])).await;
    let body = form(&[
        ("pending_id", &ask.form.pending_id),
        ("csrf", ask.form.csrf.expose()),
        ("decision", "approve"),
    ]);
    let request = DecideRequest {
        body: body.as_bytes(),
        cookies: vec![(&ask.cookie_name, ask.cookie.clone())],
        fetch_site: None,
    };
    let late = fixture.issuer.decide(&request, at(600)).await;
    assert!(matches!(late, DecideAnswer::Problem(PageProblem::Stale)));
}

#[test]
fn a15_refuses_to_start_with_unsafe_settings() {
    let fails = |change: fn(&mut IssuerSettings)| {
        let mut settings = settings();
        change(&mut settings);
        settings.check().unwrap_err()
    };
    assert_eq!(
        fails(|s| "http://as.example".clone_into(&mut s.issuer)),
        InvalidSettings::IssuerUrl
    );
    assert_eq!(
        fails(|s| "https://as.example?x".clone_into(&mut s.issuer)),
        InvalidSettings::IssuerQuery
    );
    assert_eq!(fails(|s| s.resources.clear()), InvalidSettings::NoResource);
    assert_eq!(fails(|s| s.code_ttl_s = 61), InvalidSettings::CodeTtl);
}

#[test]
fn a02_a03_a04_a17_metadata_says_what_is_offered_and_nothing_else() {
    let fixture = Fixture::new();
    let metadata = serde_json::json!(fixture.issuer.metadata());
    let methods = [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ];
    let algorithms = ["EdDSA", "ES256", "ES384", "PS256", "RS256"];
    assert_eq!(
        metadata,
        serde_json::json!({
            "issuer": "https://as.example",
            "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token",
            "revocation_endpoint": "https://as.example/revoke",
            "registration_endpoint": "https://as.example/register",
            "introspection_endpoint": "https://as.example/oauth/introspect",
            "device_authorization_endpoint": "https://as.example/oauth/device_authorization",
            "pushed_authorization_request_endpoint": "https://as.example/oauth/par",
            "jwks_uri": "https://as.example/oauth/jwks",
            "scopes_supported": ["read", "write"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
                "client_credentials",
            ],
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": methods[1..],
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "dpop_signing_alg_values_supported": algorithms,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
            "protected_resources": [RESOURCE, OTHER],
        })
    );
}

#[test]
fn a02_metadata_stands_at_every_place_of_an_issuer_with_a_path() {
    let mut with_path = settings();
    "https://as.example/t1".clone_into(&mut with_path.issuer);
    let issuer: &Issuer = &Fixture::with(with_path).issuer;
    assert_eq!(
        issuer.metadata_paths(),
        [
            "/.well-known/oauth-authorization-server/t1",
            "/.well-known/openid-configuration/t1",
            "/t1/.well-known/openid-configuration",
            "/t1/.well-known/oauth-authorization-server",
        ]
    );
    assert_eq!(issuer.endpoint_url("token"), "https://as.example/t1/token");
    let mut at_root = settings();
    "https://as.example/t1/".clone_into(&mut at_root.issuer);
    at_root.metadata_at_root = true;
    let paths = Fixture::with(at_root).issuer.metadata_paths();
    assert_eq!(
        paths[4..],
        [
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
        ]
    );
}
