//! From a callback to tokens: C-43, C-49 to C-54, C-57, C-58, Q02, Q03, Q18, Q24, Q27, Q38.

use claviger_client::{
    ClientInformation, PendingAuthorization, Quirks, Redeem, RedeemError, Tokens, redeem,
};
use claviger_crypto::Secret;
use claviger_model::{Fault, Timestamp};
use claviger_ports::FetchError;
use claviger_wire::{AuthMethod, Callback, ErrorCode, TokenAnswerError};
use http::Method;
use serde_json::{Value, json};

use crate::support::*;

fn callback(pending: &PendingAuthorization, rest: &str) -> Callback {
    Callback::parse(&format!("state={}&{rest}", pending.state.expose())).unwrap()
}

fn run(world: &World, pending: PendingAuthorization, rest: &str) -> Result<Tokens, RedeemError> {
    let callback = callback(&pending, rest);
    world.run(&mut redeem(Redeem {
        pending,
        callback,
        quirks: quirks(),
        jti: [3; 16],
    }))
}

fn answered(status: u16, document: &Value) -> World {
    World::new().post(TOKEN, status, document)
}

fn with_secret(method: AuthMethod) -> PendingAuthorization {
    let client = ClientInformation {
        secret: Some(Secret::new("a+b/%")),
        auth_method: method,
        ..public_client()
    };
    begun(&found(), &client, &Quirks::none()).pending
}

#[test]
fn c43_c57_c58_q24_the_token_request_is_complete() {
    let world = answered(200, &tokens());
    let pending = pending();
    let verifier = pending.verifier.clone();
    let tokens = run(&world, pending, "code=c%2F1").unwrap();
    let seen = &world.seen()[0];
    assert_eq!(seen.url, TOKEN);
    assert_eq!(
        seen.field("grant_type").as_deref(),
        Some("authorization_code")
    );
    assert_eq!(seen.field("code").as_deref(), Some("c/1"));
    assert_eq!(seen.field("redirect_uri").as_deref(), Some(REDIRECT));
    assert_eq!(
        seen.field("code_verifier").as_deref(),
        Some(verifier.expose())
    );
    assert_eq!(seen.field("resource").as_deref(), Some(SERVER));
    assert_eq!(seen.field("client_id").as_deref(), Some("client-1"));
    // Q38: GitHub answers a form unless it is asked for JSON.
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(tokens.access_token.expose(), "at-1");
    assert_eq!(tokens.expires_at, Some(Timestamp::from_secs(NOW + 3600)));
    assert_eq!(tokens.refresh_token.unwrap().expose(), "rt-1");
}

#[test]
fn c57_q18_each_way_of_proving_is_the_only_one() {
    let world = answered(200, &tokens());
    run(&world, with_secret(AuthMethod::ClientSecretBasic), "code=c").unwrap();
    let seen = &world.seen()[0];
    assert!(seen.header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(seen.field("client_id"), None);
    assert_eq!(seen.field("client_secret"), None);
    let world = answered(200, &tokens());
    run(&world, with_secret(AuthMethod::ClientSecretPost), "code=c").unwrap();
    let seen = &world.seen()[0];
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(seen.field("client_secret").as_deref(), Some("a+b/%"));
}

#[test]
fn q18_unencoded_basic_is_tried_once_where_the_file_says_so() {
    let refusal = json!({ "error": "invalid_client" });
    let world = answered(401, &refusal).post(TOKEN, 200, &tokens());
    let pending = with_secret(AuthMethod::ClientSecretBasic);
    assert!(run(&world, pending.clone(), "code=c").is_err());
    assert_eq!(world.seen().len(), 1, "not without an entry");
    let world = answered(401, &refusal).post(TOKEN, 200, &tokens());
    let callback = callback(&pending, "code=c");
    let mut machine = redeem(Redeem {
        pending,
        callback,
        quirks: quirks_of("issuer.example", "basic_raw=true"),
        jti: [3; 16],
    });
    world.run(&mut machine).unwrap();
    let seen = world.seen();
    assert_eq!(seen.len(), 2);
    assert_ne!(
        seen[0].header("authorization"),
        seen[1].header("authorization")
    );
}

#[test]
fn c50_a082_a_foreign_or_missing_state_sends_nothing() {
    let pending = pending();
    for query in [
        "code=c",
        "code=c&state=",
        "code=c&state=other",
        "error=access_denied&state=x",
    ] {
        let world = answered(200, &tokens());
        let end = world.run(&mut redeem(Redeem {
            pending: pending.clone(),
            callback: Callback::parse(query).unwrap(),
            quirks: quirks(),
            jti: [3; 16],
        }));
        assert!(matches!(end, Err(RedeemError::State)), "{query}");
        assert!(world.seen().is_empty(), "{query}");
    }
}

#[test]
fn c52_c53_a081_the_issuer_table() {
    let cases: [(bool, &str, Option<RedeemError>); 9] = [
        (true, "&iss=https%3A%2F%2Fissuer.example", None),
        (true, "", Some(RedeemError::IssuerMissing)),
        (true, "&iss=", Some(RedeemError::IssuerMissing)),
        (false, "&iss=https%3A%2F%2Fissuer.example", None),
        (false, "", None),
        (
            false,
            "&iss=https%3A%2F%2Fevil.example",
            Some(RedeemError::IssuerMismatch),
        ),
        (
            true,
            "&iss=https%3A%2F%2Fissuer.example%2F",
            Some(RedeemError::IssuerMismatch),
        ),
        (
            true,
            "&iss=https%3A%2F%2FISSUER.example",
            Some(RedeemError::IssuerMismatch),
        ),
        (
            true,
            "&iss=https%3A%2F%2Fissuer.example%3A443",
            Some(RedeemError::IssuerMismatch),
        ),
    ];
    for (advertised, iss, expected) in cases {
        let mut pending = pending();
        pending.iss_supported = advertised;
        let world = answered(200, &tokens());
        let end = run(&world, pending, &format!("code=c{iss}"));
        assert_eq!(end.err(), expected, "{advertised} {iss}");
        assert_eq!(
            world.seen().is_empty(),
            expected.is_some(),
            "{advertised} {iss}"
        );
    }
}

#[test]
fn c52_what_the_metadata_advertised_is_recorded() {
    let found = found_with(&json!({ "authorization_response_iss_parameter_supported": true }));
    assert!(
        begun(&found, &public_client(), &Quirks::none())
            .pending
            .iss_supported
    );
    assert!(!pending().iss_supported);
}

#[test]
fn c54_a081_a_foreign_issuers_error_is_not_shown() {
    let world = World::new();
    let rest = "error=access_denied&error_description=call+evil&iss=https%3A%2F%2Fevil.example";
    let pending = pending();
    let callback = callback(&pending, rest);
    let mut machine = redeem(Redeem {
        pending,
        callback,
        quirks: quirks(),
        jti: [3; 16],
    });
    let error = world.run(&mut machine).unwrap_err();
    assert_eq!(error, RedeemError::IssuerMismatch);
    let shown = format!("{error} {error:?} {:?}", machine.drain_events());
    assert!(!shown.contains("evil") && !shown.contains("access_denied"));
}

#[test]
fn q27_an_error_of_the_issuers_is_told() {
    let error = run(
        &World::new(),
        pending(),
        "error=access_denied&error_description=No",
    )
    .unwrap_err();
    assert_eq!(error.fault(), Fault::Caller);
    assert!(matches!(
        error,
        RedeemError::Denied {
            code: ErrorCode::AccessDenied,
            ..
        }
    ));
    let error = run(&World::new(), pending(), "error=unauthorized_client").unwrap_err();
    assert!(error.is_client_refused());
}

#[test]
fn c49_q02_q03_q04_a_bare_answer_is_enough_and_an_end_is_absolute() {
    let bare = json!({ "access_token": "a", "token_type": "bearer", "refresh_token": "" });
    let tokens = run(&answered(200, &bare), pending(), "code=c").unwrap();
    assert!(tokens.refresh_token.is_none());
    assert_eq!(tokens.expires_at, None);
    let text = json!({ "access_token": "a", "expires_in": "3600" });
    let tokens = run(&answered(200, &text), pending(), "code=c").unwrap();
    assert_eq!(tokens.expires_at, Some(Timestamp::from_secs(NOW + 3600)));
}

#[test]
fn a086_tokens_that_cannot_be_used_are_refused() {
    for (document, expected) in [
        (
            json!({ "access_token": "a", "token_type": "mac" }),
            TokenAnswerError::TokenType,
        ),
        (
            json!({ "access_token": "a\r\nX-Evil: 1" }),
            TokenAnswerError::Token,
        ),
        (json!({ "access_token": "a\u{0}" }), TokenAnswerError::Token),
        (
            json!({ "access_token": "x".repeat(1 << 20) }),
            TokenAnswerError::Token,
        ),
        (
            json!({ "token_type": "Bearer" }),
            TokenAnswerError::NoAccessToken,
        ),
    ] {
        let error = run(&answered(200, &document), pending(), "code=c").unwrap_err();
        assert_eq!(error, RedeemError::Answer { why: expected });
    }
    let absurd = json!({ "access_token": "a", "expires_in": 1e308, "scope": "x admin" });
    let tokens = run(&answered(200, &absurd), pending(), "code=c").unwrap();
    let life = tokens.expires_at.unwrap().since(Timestamp::from_secs(NOW));
    assert!(life < 11 * 366 * 86_400);
}

#[test]
fn a086_a_wider_scope_is_noted() {
    let mut pending = pending();
    pending.scopes = Some(claviger_wire::ScopeSet::parse_lossy("x"));
    let wide = json!({ "access_token": "a", "scope": "x admin" });
    let tokens = run(&answered(200, &wide), pending, "code=c").unwrap();
    assert!(tokens.deviations.iter().any(|one| one.id == "A086"));
}

#[test]
fn rfc6749_an_answer_without_scope_means_what_was_asked_for() {
    let mut pending = pending();
    pending.scopes = Some(claviger_wire::ScopeSet::parse_lossy("a b"));
    let tokens = run(&answered(200, &tokens()), pending, "code=c").unwrap();
    assert_eq!(tokens.scopes_granted.to_string(), "a b");
}

#[test]
fn a087_a_redirecting_token_endpoint_gets_the_code_once_and_nothing_follows() {
    let world = World::new().raw(
        Method::POST,
        TOKEN,
        307,
        &[("location", "https://evil.example/token")],
        "",
    );
    let error = run(&world, with_secret(AuthMethod::ClientSecretBasic), "code=c").unwrap_err();
    assert!(matches!(&error, RedeemError::Refused { refusal } if refusal.status == 307));
    assert_eq!(world.urls(), [TOKEN]);
}

#[test]
fn a088_an_error_body_that_echoes_a_secret_is_not_kept() {
    let echo =
        json!({ "error": "invalid_client", "error_description": "bad secret a+b/% hunter2" });
    let pending = with_secret(AuthMethod::ClientSecretPost);
    let callback = callback(&pending, "code=code-1");
    let mut machine = redeem(Redeem {
        pending,
        callback,
        quirks: quirks(),
        jti: [3; 16],
    });
    let error = answered(401, &echo).run(&mut machine).unwrap_err();
    let events = machine.drain_events();
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    let shown = format!("{error} {error:?} {events:?} {lines:?} {machine:?}");
    for secret in ["hunter2", "a+b/%", "code-1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("invalid_client"));
    assert!(error.is_client_refused());
}

#[test]
fn a_token_endpoint_that_does_not_answer_is_unreachable() {
    let world = World::new().fail(Method::POST, TOKEN, FetchError::Broken);
    assert!(matches!(
        run(&world, pending(), "code=c"),
        Err(RedeemError::Unreachable { .. })
    ));
    assert_eq!(world.seen().len(), 1, "a code is never sent twice");
}

#[test]
fn q38_a_nested_answer_by_the_quirk_file() {
    let slack = json!({
        "ok": true, "access_token": "xoxb", "token_type": "bot",
        "authed_user": { "access_token": "xoxp", "token_type": "user", "scope": "a,b" },
    });
    let pending = pending();
    let callback = callback(&pending, "code=c");
    let lines = "token_path=\"authed_user\"\nscope_separator=\",\"\nbearer_types=[\"user\"]";
    let tokens = answered(200, &slack)
        .run(&mut redeem(Redeem {
            pending,
            callback,
            quirks: quirks_of("issuer.example", lines),
            jti: [3; 16],
        }))
        .unwrap();
    assert_eq!(tokens.access_token.expose(), "xoxp");
    assert_eq!(tokens.scopes_granted.to_string(), "a b");
}

#[test]
fn c13_q39_a_refresh_token_of_guessed_endpoints_is_not_kept() {
    let mut pending = pending();
    pending.is_guessed = true;
    let tokens = run(&answered(200, &tokens()), pending, "code=c").unwrap();
    assert!(tokens.refresh_token.is_none());
    assert!(tokens.deviations.iter().any(|one| one.id == "Q39"));
}
