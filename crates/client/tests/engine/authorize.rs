//! The authorization request: C-40 to C-51, C-55, C-65, Q20, Q24, Q35 to Q37.

use claviger_client::{
    Authorize, AuthorizeError, Discovered, PendingAuthorization, Quirks, ScopeWish, authorize,
    choose_scopes, choose_scopes_for, without_unlisted,
};
use claviger_crypto::Secret;
use claviger_model::Grant;
use claviger_wire::{AuthMethod, ScopeSet, Verifier};
use serde_json::{Value, json};

use crate::support::*;

/// A world whose challenge, resource and issuer say this about scopes.
fn scoped(challenge: &str, resource: &Value, issuer: &Value) -> Discovered {
    let world = World::new()
        .get(PRM, &with(prm(), &json!({ "scopes_supported": resource })))
        .get(
            META,
            &with(metadata(ISSUER), &json!({ "scopes_supported": issuer })),
        );
    world.discovered(challenged(challenge))
}

fn chosen(wish: &ScopeWish, discovered: &Discovered) -> Option<String> {
    choose_scopes(wish, discovered).map(|scopes| scopes.to_string())
}

#[test]
fn c40_c41_c43_c50_the_request_is_complete() {
    let begun = begun(&found(), &public_client(), &Quirks::none());
    let value = |name| param(&begun.url, name);
    assert!(begun.url.starts_with("https://issuer.example/authorize?"));
    assert_eq!(value("response_type").as_deref(), Some("code"));
    assert_eq!(value("client_id").as_deref(), Some("client-1"));
    assert_eq!(value("redirect_uri").as_deref(), Some(REDIRECT));
    assert_eq!(value("code_challenge_method").as_deref(), Some("S256"));
    let challenge = Verifier::from_bytes([2; 32]).challenge();
    assert_eq!(value("code_challenge").as_deref(), Some(challenge.as_str()));
    assert_eq!(value("state").as_deref(), Some(begun.state.expose()));
    assert_eq!(value("state").unwrap().len(), 43);
    assert_eq!(value("resource").as_deref(), Some(SERVER));
    // The verifier itself stays here, and nothing shows the state.
    assert!(!begun.url.contains(begun.pending.verifier.expose()));
    assert!(!format!("{begun:?}").contains(begun.state.expose()));
}

#[test]
fn c43_c44_q29_the_resource_goes_out_as_it_came() {
    for resource in [
        "https://mcp.example",
        "https://mcp.example/a",
        "https://MCP.example:443/a/mcp/",
    ] {
        let world = World::new()
            .get(PRM, &with(prm(), &json!({ "resource": resource })))
            .get(META, &metadata(ISSUER));
        let begun = begun(
            &world.discovered(input()),
            &public_client(),
            &Quirks::none(),
        );
        assert_eq!(param(&begun.url, "resource").as_deref(), Some(resource));
        assert_eq!(begun.pending.resource, resource);
    }
}

#[test]
fn c46_c47_the_challenge_then_the_resource_then_nothing() {
    let wish = ScopeWish::default();
    let listed = json!(["a", "b"]);
    let none = json!(null);
    let by_challenge = scoped("Bearer scope=\"x a\"", &listed, &none);
    assert_eq!(chosen(&wish, &by_challenge).as_deref(), Some("a x"));
    let by_resource = scoped("Bearer", &listed, &none);
    assert_eq!(chosen(&wish, &by_resource).as_deref(), Some("a b"));
    // M8, Q20: null and an empty list are no reason to invent something.
    for nothing in [json!(null), json!([]), json!([""])] {
        let found = scoped("Bearer", &nothing, &json!(["openid", "offline_access"]));
        assert_eq!(chosen(&wish, &found), None);
        let begun = begun(&found, &public_client(), &Quirks::none());
        assert_eq!(param(&begun.url, "scope"), None);
    }
}

#[test]
fn c46_the_operators_scopes_are_exact() {
    let found = scoped(
        "Bearer scope=\"x\"",
        &json!(["a"]),
        &json!(["offline_access"]),
    );
    let wish = ScopeWish {
        configured: Some(ScopeSet::parse_lossy("only")),
        requested_before: ScopeSet::parse_lossy("old"),
    };
    assert_eq!(chosen(&wish, &found).as_deref(), Some("only"));
}

#[test]
fn c48_offline_access_only_where_the_issuer_lists_it() {
    let wish = ScopeWish::default();
    let yes = scoped(
        "Bearer scope=\"x\"",
        &json!(null),
        &json!(["offline_access"]),
    );
    assert_eq!(chosen(&wish, &yes).as_deref(), Some("offline_access x"));
    let no = scoped("Bearer scope=\"x\"", &json!(null), &json!(["openid"]));
    assert_eq!(chosen(&wish, &no).as_deref(), Some("x"));
}

#[test]
fn c48_a_machine_asks_for_no_offline_access() {
    let found = scoped(
        "Bearer scope=\"x\"",
        &json!(null),
        &json!(["offline_access"]),
    );
    let wished = |wish: &ScopeWish| {
        choose_scopes_for(Grant::ClientCredentials, wish, &found).map(|scopes| scopes.to_string())
    };
    assert_eq!(wished(&ScopeWish::default()).as_deref(), Some("x"));
    let wish = ScopeWish {
        requested_before: ScopeSet::parse_lossy("offline_access y"),
        ..ScopeWish::default()
    };
    assert_eq!(wished(&wish).as_deref(), Some("x y"));
    // The operator's scopes are exact, whatever they are.
    let wish = ScopeWish {
        configured: Some(ScopeSet::parse_lossy("offline_access only")),
        ..ScopeWish::default()
    };
    assert_eq!(wished(&wish).as_deref(), Some("offline_access only"));
}

#[test]
fn q20_scopes_the_issuer_does_not_list_are_dropped_once() {
    let found = scoped(
        "Bearer scope=\"x a\"",
        &json!(["a", "b"]),
        &json!(["a", "c"]),
    );
    let asked = ScopeSet::parse_lossy("a b x");
    let left = without_unlisted(&asked, &found).unwrap();
    // C-47: what the challenge demands is demanded, listed or not.
    assert_eq!(left.to_string(), "a x");
    assert_eq!(without_unlisted(&left, &found), None);
    let silent = scoped("Bearer", &json!(["a"]), &json!(null));
    assert_eq!(without_unlisted(&asked, &silent), None);
}

#[test]
fn c65_a_step_up_loses_nothing() {
    let found = scoped(
        "Bearer error=\"insufficient_scope\", scope=\"mcp:write\"",
        &json!(["decoy"]),
        &json!(null),
    );
    let wish = ScopeWish {
        configured: None,
        requested_before: ScopeSet::parse_lossy("mcp:basic"),
    };
    assert_eq!(
        chosen(&wish, &found).as_deref(),
        Some("mcp:basic mcp:write")
    );
}

#[test]
fn c51_n14_another_process_can_finish_it() {
    let mut client = public_client();
    client.secret = Some(Secret::new("se\"cret"));
    client.auth_method = AuthMethod::ClientSecretPost;
    let pending = begun(&found(), &client, &Quirks::none()).pending;
    let read = PendingAuthorization::from_secret(&pending.to_secret()).unwrap();
    assert_eq!(read.issuer, ISSUER);
    assert_eq!(read.token_endpoint, TOKEN);
    assert_eq!(read.redirect_uri, REDIRECT);
    assert_eq!(read.resource, SERVER);
    assert!(read.state.matches(&pending.state));
    assert!(read.verifier.matches(&pending.verifier));
    // Q11: the secret and how to send it are part of it.
    assert_eq!(read.client.secret.as_ref().unwrap().expose(), "se\"cret");
    assert_eq!(read.client.auth_method, AuthMethod::ClientSecretPost);
    assert_eq!(read.client.issuer, ISSUER);
    assert!(PendingAuthorization::from_secret(&Secret::new("{}")).is_err());
}

#[test]
fn c32_a_client_of_another_issuer_is_not_sent_there() {
    let mut client = public_client();
    client.issuer = "https://before.example".to_owned();
    let found = found();
    let input = Authorize {
        discovered: &found,
        client: &client,
        redirect_uri: REDIRECT,
        scopes: None,
        is_first: true,
        state: [0; 32],
        verifier: [0; 32],
    };
    assert_eq!(
        authorize(&input, &Quirks::none()).map(|_| ()),
        Err(AuthorizeError::Issuer)
    );
}

#[test]
fn q35_an_issuer_that_rejects_resource_gets_none_on_any_leg() {
    let quirks = quirks_of("issuer.example", "resource=\"omit\"");
    let begun = begun(&found(), &public_client(), &quirks);
    assert_eq!(param(&begun.url, "resource"), None);
    assert_eq!(begun.pending.resource, "");
}

#[test]
fn q36_an_issuer_that_wants_audience_gets_both() {
    let quirks = quirks_of("issuer.example", "audience=\"resource\"");
    let begun = begun(&found(), &public_client(), &quirks);
    assert_eq!(param(&begun.url, "audience").as_deref(), Some(SERVER));
    assert_eq!(param(&begun.url, "resource").as_deref(), Some(SERVER));
}

#[test]
fn q37_offline_switches_and_the_first_prompt() {
    let quirks = quirks_of(
        "issuer.example",
        "authorize_params={ access_type=\"offline\" }\nfirst_params={ prompt=\"consent\" }",
    );
    let (found, client) = (found(), public_client());
    let first = begun(&found, &client, &quirks);
    assert_eq!(param(&first.url, "prompt").as_deref(), Some("consent"));
    let later = authorize(
        &Authorize {
            discovered: &found,
            client: &client,
            redirect_uri: REDIRECT,
            scopes: None,
            is_first: false,
            state: [1; 32],
            verifier: [2; 32],
        },
        &quirks,
    )
    .unwrap();
    assert_eq!(param(&later.url, "prompt"), None);
    assert_eq!(param(&later.url, "access_type").as_deref(), Some("offline"));
}

#[test]
fn q38_scopes_are_joined_as_the_issuer_wants() {
    let quirks = quirks_of("issuer.example", "scope_separator=\",\"");
    let found = scoped("Bearer scope=\"b a\"", &json!(null), &json!(null));
    let begun = begun(&found, &public_client(), &quirks);
    assert_eq!(param(&begun.url, "scope").as_deref(), Some("a,b"));
}

#[test]
fn a_quirk_never_replaces_a_parameter_of_ours() {
    let quirks = quirks_of(
        "issuer.example",
        "authorize_params={ redirect_uri=\"https://evil.example\" }",
    );
    let (found, client) = (found(), public_client());
    let input = Authorize {
        discovered: &found,
        client: &client,
        redirect_uri: REDIRECT,
        scopes: None,
        is_first: true,
        state: [1; 32],
        verifier: [2; 32],
    };
    assert!(matches!(
        authorize(&input, &quirks),
        Err(AuthorizeError::Url { .. })
    ));
}
