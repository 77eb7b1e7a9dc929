//! Claviger as itself: SEP-1046, C-43, C-57, A018.

use claviger_client::{
    ClientCredentials, ClientCredentialsError, ClientInformation, Discover, Discovered, Legacy,
    Preset, client_credentials,
};
use claviger_crypto::{Secret, base64url_decode};
use claviger_model::Grant;
use claviger_wire::ScopeSet;
use serde_json::{Value, json};

use crate::support::*;

fn found_cc() -> Discovered {
    World::usual().discovered(Discover {
        grant: Grant::ClientCredentials,
        ..input()
    })
}

fn wanted(preset: &Preset) -> ClientCredentials {
    let discovered = found_cc();
    ClientCredentials {
        client: preset.client_for(&discovered).unwrap(),
        discovered,
        scopes: Some(ScopeSet::parse_lossy("a")),
        quirks: quirks(),
        jti: [5; 16],
    }
}

fn preset() -> Preset {
    Preset {
        client_id: "service".to_owned(),
        secret: Some(Secret::new("s")),
        private_key: None,
        issuer: None,
    }
}

fn pem(body: &str) -> Secret {
    let label = "PRIVATE KEY";
    Secret::new(format!(
        "-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
    ))
}

fn part(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&base64url_decode(text).unwrap()).unwrap()
}

#[test]
fn sep1046_with_a_secret_by_basic() {
    let world = World::new().post(TOKEN, 200, &tokens());
    let tokens = world
        .run(&mut client_credentials(wanted(&preset())))
        .unwrap();
    let seen = &world.seen()[0];
    assert_eq!(
        seen.field("grant_type").as_deref(),
        Some("client_credentials")
    );
    assert_eq!(seen.field("resource").as_deref(), Some(SERVER));
    assert_eq!(seen.field("scope").as_deref(), Some("a"));
    assert_eq!(seen.header("authorization"), Some("Basic c2VydmljZTpz"));
    assert_eq!(seen.field("client_secret"), None);
    assert!(tokens.refresh_token.is_none(), "asking again is as good");
}

#[test]
fn sep1046_a018_with_a_key_for_this_issuer_only() {
    let key = Preset {
        secret: None,
        private_key: Some(pem(KEY)),
        ..preset()
    };
    let world = World::new().post(TOKEN, 200, &tokens());
    world.run(&mut client_credentials(wanted(&key))).unwrap();
    let seen = &world.seen()[0];
    assert_eq!(
        seen.field("client_assertion_type").as_deref(),
        Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    );
    assert_eq!(seen.field("client_id"), None);
    assert_eq!(seen.header("authorization"), None);
    let assertion = seen.field("client_assertion").unwrap();
    assert_eq!(part(&assertion, 0)["alg"], "ES256");
    let claims = part(&assertion, 1);
    // A018: one audience, the issuer; worth nothing anywhere else.
    assert_eq!(claims["aud"], ISSUER);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("service"), &json!("service"))
    );
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        60
    );
    assert_eq!(claims["iat"], NOW);
    assert!(claims["jti"].as_str().unwrap().len() >= 20);
}

#[test]
fn a_key_that_is_none_sends_nothing() {
    let key = Preset {
        secret: None,
        private_key: Some(pem("AAAA")),
        ..preset()
    };
    let world = World::new();
    assert!(matches!(
        world.run(&mut client_credentials(wanted(&key))),
        Err(ClientCredentialsError::Authenticate { .. })
    ));
    assert!(world.seen().is_empty());
}

#[test]
fn q39_guessed_endpoints_get_no_secret() {
    let mut input = wanted(&preset());
    input.discovered.legacy = Legacy::DefaultEndpoints;
    let world = World::new();
    assert_eq!(
        world.run(&mut client_credentials(input)).map(|_| ()),
        Err(ClientCredentialsError::GuessedEndpoints)
    );
    assert!(world.seen().is_empty());
}

#[test]
fn c31_a_client_of_another_issuer_sends_nothing() {
    let mut input = wanted(&preset());
    input.client = ClientInformation {
        issuer: "https://other.example".to_owned(),
        ..input.client
    };
    let world = World::new();
    assert!(world.run(&mut client_credentials(input)).is_err());
    assert!(world.seen().is_empty());
}

#[test]
fn a_refusal_is_the_operators_and_an_outage_is_not() {
    let refused = World::new().post(TOKEN, 401, &json!({ "error": "invalid_client" }));
    let error = refused
        .run(&mut client_credentials(wanted(&preset())))
        .unwrap_err();
    assert!(!error.is_transient());
    let down = World::new().post(TOKEN, 503, &json!({}));
    let error = down
        .run(&mut client_credentials(wanted(&preset())))
        .unwrap_err();
    assert!(error.is_transient());
}

// Made for this test alone.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmaMajG1wUdMTEEV5SJDlgS4SGTJJta+TPUlBR7wsf7ehRANCAARXdroYtSON8KN8qsOJURl64Xp5NZuJqxZxLx9jlpanvTO3GfY90MHas1P2FGcBOz2Zb4WsciULLznBuul2tUnz";
