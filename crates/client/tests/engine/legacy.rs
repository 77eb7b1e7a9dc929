//! Servers of 2025-03-26: C-05, C-12 to C-14, Q39.

use claviger_client::{
    Discover, DiscoverError, Discovered, Legacy, Preset, Register, RegisterError, register,
};
use claviger_crypto::Secret;
use http::Method;
use serde_json::json;

use crate::support::*;

const ORIGIN: &str = "https://mcp.example";
const PLACE: &str = "https://mcp.example/.well-known/oauth-authorization-server";

fn guessed() -> Discovered {
    World::new().discovered(challenged("Bearer"))
}

#[test]
fn c05_c12_c14_metadata_at_the_origin() {
    for issuer in [ORIGIN, "https://mcp.example/"] {
        let document = with(metadata(ORIGIN), &json!({ "issuer": issuer }));
        let world = World::new().get(PLACE, &document);
        let found = world.discovered(input());
        assert_eq!(world.urls(), [PRM, PRM_ROOT, PLACE]);
        assert_eq!(found.legacy, Legacy::Metadata);
        assert_eq!(found.issuer_id(), issuer);
        // C-43: the canonical URL stands for the resource.
        assert_eq!(found.resource.as_str(), SERVER);
        assert_eq!(
            world.seen()[2].header("mcp-protocol-version"),
            Some("2025-03-26")
        );
    }
}

#[test]
fn c14_a_revision_that_is_known_is_sent() {
    let world = World::new().get(PLACE, &metadata(ORIGIN));
    world.discovered(Discover {
        protocol_version: Some("2025-06-18".to_owned()),
        ..input()
    });
    assert!(
        world
            .seen()
            .iter()
            .all(|seen| seen.header("mcp-protocol-version") == Some("2025-06-18"))
    );
}

#[test]
fn c11_the_old_place_is_no_excuse_for_another_issuer() {
    let document = with(
        metadata(ORIGIN),
        &json!({ "issuer": "https://mcp.example/oauth" }),
    );
    let world = World::new().get(PLACE, &document);
    assert!(matches!(
        world.discover(input()),
        Err(DiscoverError::IssuerMismatch { .. })
    ));
}

#[test]
fn c13_default_endpoints_when_every_place_says_not_found() {
    let found = guessed();
    assert_eq!(found.legacy, Legacy::DefaultEndpoints);
    assert_eq!(
        found.issuer.authorization_endpoint.as_deref(),
        Some("https://mcp.example/authorize")
    );
    assert_eq!(found.issuer.token_endpoint, "https://mcp.example/token");
    assert_eq!(
        found.issuer.registration_endpoint.as_deref(),
        Some("https://mcp.example/register")
    );
}

#[test]
fn c13_q39_nothing_is_guessed_after_any_other_answer() {
    for world in [
        World::new().status(PRM, 403),
        World::new().raw(Method::GET, PRM_ROOT, 200, &[HTML], "<html>"),
        World::new().raw(Method::GET, PLACE, 200, &[HTML], "<html>"),
        World::new().status(PLACE, 302),
        World::new().status(PLACE, 500),
    ] {
        let error = world.discover(input()).unwrap_err();
        assert!(matches!(
            error,
            DiscoverError::NoResourceMetadata | DiscoverError::Unreachable { .. }
        ));
    }
    // Whoever names resource metadata is of a later revision.
    let named = challenged("Bearer resource_metadata=\"https://mcp.example/x\"");
    assert_eq!(
        World::new().discover(named),
        Err(DiscoverError::NoResourceMetadata)
    );
}

#[test]
fn a019_what_is_held_elsewhere_is_not_replaced_by_a_guess() {
    for pinned in [true, false] {
        let held = Some(ISSUER.to_owned());
        let mut input = input();
        if pinned {
            input.pinned_issuer = held;
        } else {
            input.preferred_issuer = held;
        }
        assert!(matches!(
            World::new().discover(input),
            Err(DiscoverError::IssuerChanged { .. })
        ));
    }
}

#[test]
fn c13_q39_a_stored_registration_or_secret_never_goes_to_guessed_addresses() {
    let guess = guessed();
    let mut held = public_client();
    held.issuer = guess.issuer_id().to_owned();
    held.secret = Some(Secret::new("stored"));
    let input = Register {
        discovered: guess.clone(),
        existing: Some(held),
        preset: None,
        document_url: None,
        redirect_uri: REDIRECT.to_owned(),
        client_name: "n".to_owned(),
        scopes: None,
        quirks: quirks(),
    };
    let world = World::new().post(
        "https://mcp.example/register",
        201,
        &json!({ "client_id": "new" }),
    );
    let client = world.run(&mut register(input.clone())).unwrap();
    assert_eq!(client.client_id, "new");
    let preset = Preset {
        client_id: "c".to_owned(),
        secret: Some(Secret::new("operator")),
        private_key: None,
        issuer: None,
    };
    let world = World::new();
    let error = world
        .run(&mut register(Register {
            preset: Some(preset),
            ..input
        }))
        .unwrap_err();
    assert_eq!(error, RegisterError::GuessedEndpoints);
    assert!(world.seen().is_empty());
}
