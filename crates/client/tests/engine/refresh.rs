//! A refresh token for tokens: C-43, C-68, Q02, Q05 to Q08, Q39.

use core::time::Duration;

use claviger_client::{ClientInformation, Refresh, RefreshError, Tokens, TransientCause, refresh};
use claviger_crypto::Secret;
use claviger_ports::FetchError;
use claviger_wire::{AuthMethod, ScopeSet};
use http::Method;
use serde_json::{Value, json};

use crate::support::*;

fn record() -> Refresh {
    Refresh {
        issuer: ISSUER.to_owned(),
        token_endpoint: TOKEN.to_owned(),
        client: public_client(),
        refresh_token: Secret::new("rt-0"),
        resource: SERVER.to_owned(),
        scopes_granted: ScopeSet::parse_lossy("a b"),
        quirks: quirks(),
        jti: [4; 16],
    }
}

fn run(world: &World, input: Refresh) -> Result<Tokens, RefreshError> {
    world.run(&mut refresh(input))
}

fn answered(status: u16, document: &Value) -> World {
    World::new().post(TOKEN, status, document)
}

#[test]
fn c43_q06_q39_the_request_goes_to_the_record_with_its_resource() {
    let world = answered(200, &tokens());
    let tokens = run(&world, record()).unwrap();
    let seen = world.seen();
    assert_eq!(world.urls(), [TOKEN], "nothing is discovered on the way");
    assert_eq!(
        seen[0].field("grant_type").as_deref(),
        Some("refresh_token")
    );
    assert_eq!(seen[0].field("refresh_token").as_deref(), Some("rt-0"));
    assert_eq!(seen[0].field("resource").as_deref(), Some(SERVER));
    assert_eq!(seen[0].field("scope"), None);
    // C-68: the new one replaces the old one.
    assert_eq!(tokens.refresh_token.unwrap().expose(), "rt-1");
    assert_eq!(tokens.scopes_granted.to_string(), "a b");
}

#[test]
fn q06_a_record_without_resource_sends_none() {
    let world = answered(200, &tokens());
    let input = Refresh {
        resource: String::new(),
        ..record()
    };
    run(&world, input).unwrap();
    assert_eq!(world.seen()[0].field("resource"), None);
}

#[test]
fn q02_an_answer_without_a_refresh_token_keeps_the_old_one() {
    for rest in [
        json!({}),
        json!({ "refresh_token": "" }),
        json!({ "refresh_token": null }),
    ] {
        let document = with(json!({ "access_token": "at-2" }), &rest);
        let tokens = run(&answered(200, &document), record()).unwrap();
        assert_eq!(tokens.refresh_token.unwrap().expose(), "rt-0");
    }
}

#[test]
fn q05_scope_goes_along_where_the_file_says_so_and_is_dropped_once() {
    let by_file = || Refresh {
        quirks: quirks_of("issuer.example", "refresh_scope=\"granted\""),
        ..record()
    };
    let world = answered(200, &tokens());
    run(&world, by_file()).unwrap();
    assert_eq!(world.seen()[0].field("scope").as_deref(), Some("a b"));
    let refusal = json!({ "error": "invalid_scope" });
    let world = answered(400, &refusal).post(TOKEN, 200, &tokens());
    run(&world, by_file()).unwrap();
    let scopes: Vec<_> = world
        .seen()
        .iter()
        .map(|seen| seen.field("scope"))
        .collect();
    assert_eq!(scopes, [Some("a b".to_owned()), None]);
    // Never a third time, and never without having sent one.
    let world = answered(400, &refusal);
    assert!(run(&world, by_file()).is_err());
    assert_eq!(world.seen().len(), 2);
    let world = answered(400, &refusal);
    assert!(run(&world, record()).is_err());
    assert_eq!(world.seen().len(), 1);
}

#[test]
fn q07_only_a_clear_no_is_final() {
    for (status, code) in [
        (400, "invalid_grant"),
        (401, "invalid_grant"),
        (200, "bad_refresh_token"),
    ] {
        let end = run(&answered(status, &json!({ "error": code })), record());
        assert!(
            matches!(end, Err(RefreshError::Terminal { .. })),
            "{status} {code}"
        );
    }
    for (status, code) in [
        (502, "invalid_grant"),
        (403, "invalid_grant"),
        (200, "invalid_grant"),
        (400, "invalid_request"),
        (400, "server_error"),
        (429, "slow_down"),
        (503, "temporarily_unavailable"),
        (500, "invalid_client"),
    ] {
        let end = run(&answered(status, &json!({ "error": code })), record());
        assert!(
            matches!(end, Err(RefreshError::Transient { .. })),
            "{status} {code}"
        );
    }
    // A form or a page is no JSON error.
    for body in ["error=invalid_grant", "<html>invalid_grant</html>", ""] {
        let world = World::new().raw(Method::POST, TOKEN, 400, &[HTML], body);
        assert!(
            matches!(run(&world, record()), Err(RefreshError::Transient { .. })),
            "{body}"
        );
    }
}

#[test]
fn q09_a_refused_client_is_not_a_dead_token() {
    for (status, code) in [
        (400, "invalid_client"),
        (401, "invalid_client"),
        (400, "unauthorized_client"),
    ] {
        let end = run(&answered(status, &json!({ "error": code })), record());
        assert!(
            matches!(end, Err(RefreshError::Registration { .. })),
            "{status} {code}"
        );
    }
}

#[test]
fn q07_says_whether_the_token_may_have_been_spent() {
    let cases = [
        (FetchError::Connect { reason: "refused" }, false),
        (FetchError::Blocked { reason: "private" }, false),
        (FetchError::Timeout, true),
        (FetchError::Broken, true),
        (FetchError::TooLarge { limit: 1 }, true),
    ];
    for (error, spent) in cases {
        let world = World::new().fail(Method::POST, TOKEN, error.clone());
        let Err(RefreshError::Transient {
            may_have_arrived,
            cause,
            ..
        }) = run(&world, record())
        else {
            panic!("transient");
        };
        assert_eq!(may_have_arrived, spent, "{error}");
        assert_eq!(cause, TransientCause::Fetch(error));
        assert_eq!(world.seen().len(), 1, "never sent twice by itself");
    }
    for (status, body, spent) in [
        (200, "<html>", true),
        (502, "", true),
        (429, "", false),
        (404, "", false),
    ] {
        let world = World::new().raw(Method::POST, TOKEN, status, &[HTML], body);
        let Err(RefreshError::Transient {
            may_have_arrived, ..
        }) = run(&world, record())
        else {
            panic!("transient");
        };
        assert_eq!(may_have_arrived, spent, "{status}");
    }
}

#[test]
fn retry_after_is_read_and_bounded() {
    for (value, expected) in [
        ("7", Some(7)),
        ("99999999", Some(3600)),
        ("soon", None),
        ("-1", None),
    ] {
        let world = World::new().raw(Method::POST, TOKEN, 429, &[("retry-after", value)], "");
        let Err(RefreshError::Transient { retry_after, .. }) = run(&world, record()) else {
            panic!("transient");
        };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{value}");
    }
}

#[test]
fn q39_a019_c32_a_client_of_another_issuer_sends_nothing() {
    let world = answered(200, &tokens());
    let mut input = record();
    input.client.issuer = "https://other.example".to_owned();
    assert!(matches!(
        run(&world, input),
        Err(RefreshError::Authenticate { .. })
    ));
    assert!(world.seen().is_empty());
}

#[test]
fn q11_the_secret_goes_along() {
    let client = ClientInformation {
        secret: Some(Secret::new("s")),
        auth_method: AuthMethod::ClientSecretPost,
        ..public_client()
    };
    let world = answered(200, &tokens());
    run(&world, Refresh { client, ..record() }).unwrap();
    assert_eq!(world.seen()[0].field("client_secret").as_deref(), Some("s"));
    // A method whose means are lost is not silently another one.
    let client = ClientInformation {
        auth_method: AuthMethod::ClientSecretBasic,
        ..public_client()
    };
    let world = World::new();
    assert!(run(&world, Refresh { client, ..record() }).is_err());
    assert!(world.seen().is_empty());
}

#[test]
fn a087_a_redirect_is_not_followed_and_ends_nothing() {
    let to = ("location", "https://evil.example/token");
    let world = World::new().raw(Method::POST, TOKEN, 302, &[to], "");
    assert!(matches!(
        run(&world, record()),
        Err(RefreshError::Transient { .. })
    ));
    assert_eq!(world.urls(), [TOKEN]);
}

#[test]
fn q36_audience_goes_along_on_every_leg() {
    let world = answered(200, &tokens());
    let input = Refresh {
        quirks: quirks_of("issuer.example", "audience=\"resource\""),
        ..record()
    };
    run(&world, input).unwrap();
    assert_eq!(world.seen()[0].field("audience").as_deref(), Some(SERVER));
}

#[test]
fn a088_no_event_shows_a_token() {
    let mut machine = refresh(record());
    answered(200, &tokens()).run(&mut machine).unwrap();
    let events = machine.drain_events();
    assert_eq!(events.len(), 1);
    let shown = format!(
        "{events:?} {} {}",
        events[0],
        serde_json::to_string(&events).unwrap()
    );
    for secret in ["rt-0", "rt-1", "at-1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(machine.drain_events().is_empty());
}
