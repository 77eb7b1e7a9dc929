//! Known issuers from end to end, by the built-in quirk file: Q28, Q32, Q35 to Q38.

use std::sync::Arc;

use claviger_client::{
    Authorization, ClientInformation, Discover, Discovered, Quirks, Redeem, Refresh, Register,
    RegisterError, Tokens, redeem, refresh, register,
};
use claviger_crypto::Secret;
use claviger_model::RegistrationOrigin;
use claviger_wire::{Callback, ScopeSet};
use serde_json::{Value, json};

use crate::support::*;

fn built_in() -> Arc<Quirks> {
    Arc::new(Quirks::built_in())
}

fn found(listed: &str, place: &str, document: &Value) -> Discovered {
    let resource = with(prm(), &json!({ "authorization_servers": [listed] }));
    let world = World::new().get(PRM, &resource).get(place, document);
    world.discovered(Discover {
        quirks: built_in(),
        ..input()
    })
}

fn client_of(found: &Discovered) -> ClientInformation {
    ClientInformation::public(found.issuer_id(), "c", RegistrationOrigin::Static)
}

fn redeemed(world: &World, begun: &Authorization) -> Tokens {
    let query = format!("code=x&state={}", begun.state.expose());
    world
        .run(&mut redeem(Redeem {
            pending: begun.pending.clone(),
            callback: Callback::parse(&query).unwrap(),
            quirks: built_in(),
            jti: [0; 16],
        }))
        .unwrap()
}

#[test]
fn q28_q32_q35_entra_from_end_to_end() {
    let document = json!({
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "token_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    });
    let found = found(
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
        &document,
    );
    let begun = begun(&found, &client_of(&found), &built_in());
    assert_eq!(param(&begun.url, "resource"), None);
    let token = "https://login.microsoftonline.com/common/oauth2/v2.0/token";
    let world = World::new().post(
        token,
        200,
        &with(tokens(), &json!({ "expires_in": "3599" })),
    );
    redeemed(&world, &begun);
    world
        .run(&mut refresh(Refresh {
            issuer: begun.pending.issuer.clone(),
            token_endpoint: begun.pending.token_endpoint.clone(),
            client: begun.pending.client.clone(),
            refresh_token: Secret::new("rt"),
            resource: begun.pending.resource.clone(),
            scopes_granted: ScopeSet::parse_lossy("api://app/read"),
            quirks: built_in(),
            jti: [0; 16],
        }))
        .unwrap();
    assert!(
        world
            .seen()
            .iter()
            .all(|seen| seen.field("resource").is_none())
    );
    // Q05: AADSTS90009 without it.
    assert_eq!(
        world.seen()[1].field("scope").as_deref(),
        Some("api://app/read")
    );
}

#[test]
fn q28_q37_google_from_end_to_end() {
    let document = json!({
        "issuer": "https://accounts.google.com",
        "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
        "token_endpoint": "https://oauth2.googleapis.com/token",
        "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
        "code_challenge_methods_supported": ["plain", "S256"],
    });
    let found = found(
        "https://accounts.google.com/",
        "https://accounts.google.com/.well-known/openid-configuration",
        &document,
    );
    let ids: Vec<_> = found.deviations.iter().map(|one| one.id.as_ref()).collect();
    assert_eq!(ids, ["Q28"], "its endpoint hosts are known");
    let begun = begun(&found, &client_of(&found), &built_in());
    assert_eq!(param(&begun.url, "access_type").as_deref(), Some("offline"));
    assert_eq!(param(&begun.url, "prompt").as_deref(), Some("consent"));
    // Q14: nobody is registered there by a program.
    let world = World::new();
    let error = world
        .run(&mut register(Register {
            discovered: found,
            existing: None,
            preset: None,
            document_url: None,
            redirect_uri: REDIRECT.to_owned(),
            client_name: "n".to_owned(),
            scopes: None,
            quirks: built_in(),
        }))
        .unwrap_err();
    assert!(
        matches!(&error, RegisterError::BringYourOwn { console_url: Some(url), .. }
        if url.contains("console.cloud.google.com"))
    );
}

#[test]
fn q38_slack_from_end_to_end() {
    let document = json!({
        "issuer": "https://slack.com",
        "authorization_endpoint": "https://slack.com/oauth/v2/authorize",
        "token_endpoint": "https://slack.com/api/oauth.v2.access",
        "code_challenge_methods_supported": ["S256"],
    });
    let place = "https://slack.com/.well-known/oauth-authorization-server";
    let found = found("https://slack.com", place, &document);
    let begun = begun(&found, &client_of(&found), &built_in());
    let answer = json!({
        "ok": true, "authed_user": { "access_token": "xoxp", "token_type": "user", "scope": "a,b" }
    });
    let world = World::new().post("https://slack.com/api/oauth.v2.access", 200, &answer);
    let tokens = redeemed(&world, &begun);
    assert_eq!(tokens.access_token.expose(), "xoxp");
    assert_eq!(tokens.scopes_granted.len(), 2);
}

#[test]
fn q36_auth0_gets_an_audience_on_every_leg() {
    let issuer = "https://t.eu.auth0.com/";
    let document = with(
        metadata("https://t.eu.auth0.com"),
        &json!({ "issuer": issuer }),
    );
    let place = "https://t.eu.auth0.com/.well-known/oauth-authorization-server";
    let found = found(issuer, place, &document);
    let begun = begun(&found, &client_of(&found), &built_in());
    assert_eq!(param(&begun.url, "audience").as_deref(), Some(SERVER));
    let world = World::new().post("https://t.eu.auth0.com/token", 200, &tokens());
    redeemed(&world, &begun);
    assert_eq!(world.seen()[0].field("audience").as_deref(), Some(SERVER));
}
