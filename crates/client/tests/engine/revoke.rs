//! Revocation at the issuer: RFC 7009.

use claviger_client::{Revoke, revoke};
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

#[test]
fn the_refresh_token_goes_first() {
    let world = World::new().post(REVOKE, 200, &json!({}));
    assert!(world.run(&mut revoke(both())).is_complete());
    let tokens: Vec<_> = world
        .seen()
        .iter()
        .map(|seen| seen.field("token").unwrap())
        .collect();
    assert_eq!(tokens, ["rt", "at"]);
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
fn what_does_not_work_is_said_and_the_other_is_tried() {
    let world = World::new()
        .fail(Method::POST, REVOKE, FetchError::Timeout)
        .post(REVOKE, 200, &json!({}));
    let end = world.run(&mut revoke(both()));
    assert_eq!((end.refresh_token, end.access_token), (false, true));
}

#[test]
fn c31_another_issuers_client_revokes_nothing() {
    let mut input = both();
    input.client.issuer = "https://other.example".to_owned();
    let world = World::new();
    assert!(!world.run(&mut revoke(input)).is_complete());
    assert!(world.seen().is_empty());
}
