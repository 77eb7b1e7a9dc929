//! Revocation at the issuer: RFC 7009.

use claviger_client::{Revocation, Revoke, RevokeError, Revoked, revoke};
use claviger_crypto::Secret;
use claviger_ports::FetchError;
use http::Method;
use serde_json::json;

use crate::support::*;

const REVOKE: &str = "https://issuer.example/revoke";

fn both() -> Revoke {
    Revoke {
        issuer: ISSUER.to_owned(),
        revocation_endpoint: REVOKE.to_owned(),
        client: public_client(),
        refresh_token: Some(Secret::new("rt")),
        access_token: Some(Secret::new("at")),
        jtis: [[0; 16], [1; 16]],
    }
}

fn tokens(world: &World) -> Vec<String> {
    let seen = world.seen();
    seen.iter()
        .map(|seen| seen.field("token").unwrap())
        .collect()
}

#[test]
fn the_refresh_token_goes_first() {
    let world = World::new().post(REVOKE, 200, &json!({}));
    let end = world.run(&mut revoke(both()));
    assert!(end.is_complete() && end.is_confirmed());
    assert_eq!(tokens(&world), ["rt", "at"]);
    assert_eq!(
        world.seen()[0].field("token_type_hint").as_deref(),
        Some("refresh_token")
    );
    assert_eq!(
        world.seen()[0].field("client_id").as_deref(),
        Some("client-1")
    );
}

#[test]
fn an_issuer_that_does_not_answer_is_not_asked_twice() {
    let world = World::new()
        .fail(Method::POST, REVOKE, FetchError::Timeout)
        .post(REVOKE, 200, &json!({}));
    let end = world.run(&mut revoke(both()));
    let expected = Revocation {
        refresh_token: Revoked::Refused(RevokeError::Unreachable(FetchError::Timeout)),
        access_token: Revoked::Unasked,
    };
    assert_eq!(end, expected);
    assert!(!end.is_complete());
    assert_eq!(tokens(&world), ["rt"]);
}

#[test]
fn an_issuer_that_ends_no_refresh_tokens_is_given_the_access_token() {
    let world = World::new()
        .post(REVOKE, 400, &json!({"error": "unsupported_token_type"}))
        .post(REVOKE, 200, &json!({}));
    let end = world.run(&mut revoke(both()));
    assert_eq!(
        (&end.refresh_token, &end.access_token),
        (&Revoked::NotSupported, &Revoked::Confirmed)
    );
    assert!(end.is_complete());
}

#[test]
fn answers_mean_what_rfc_7009_says() {
    let status = |status| {
        Revoked::Refused(RevokeError::Status {
            status,
            retry_after: None,
        })
    };
    for (code, body, expected) in [
        (400, json!({"error": "invalid_token"}), Revoked::Confirmed),
        (400, json!({"error": "invalid_request"}), status(400)),
        (
            400,
            json!({"error": "invalid_client"}),
            Revoked::Refused(RevokeError::ClientRefused),
        ),
        (401, json!({}), Revoked::Refused(RevokeError::ClientRefused)),
        (404, json!({}), status(404)),
        (500, json!({"error": "invalid_token"}), status(500)),
        (503, json!({}), status(503)),
    ] {
        let input = Revoke {
            access_token: None,
            ..both()
        };
        let world = World::new().post(REVOKE, code, &body);
        let end = world.run(&mut revoke(input));
        assert_eq!(end.refresh_token, expected, "{code} {body}");
    }
}

#[test]
fn c31_another_issuers_client_revokes_nothing() {
    let mut input = both();
    input.client.issuer = "https://other.example".to_owned();
    let world = World::new();
    assert!(!world.run(&mut revoke(input)).is_complete());
    assert!(world.seen().is_empty());
}
