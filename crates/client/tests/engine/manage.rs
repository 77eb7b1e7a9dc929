//! A registration that is there already: RFC 7592 (Q10, N2).

use claviger_client::{
    ClientInformation, Machine, Managed, Register, RegisterError, delete_registration,
    read_registration, register, update_registration,
};
use claviger_crypto::Secret;
use claviger_model::Timestamp;
use claviger_ports::{FetchError, Sink};
use claviger_wire::AuthMethod;
use http::Method;
use serde_json::{Value, json};

use crate::support::*;

const PLACE: &str = "https://issuer.example/register/client-1";

fn managed() -> ClientInformation {
    ClientInformation {
        auth_method: AuthMethod::ClientSecretPost,
        secret: Some(Secret::new("secret-1")),
        secret_expires_at: Some(Timestamp::from_secs(NOW + 60)),
        registration_client_uri: Some(PLACE.to_owned()),
        registration_access_token: Some(Secret::new("manage-1")),
        ..public_client()
    }
}

/// What an issuer says of the client.
fn said() -> Value {
    json!({
        "client_id": "client-1", "client_secret": "secret-1",
        "client_secret_expires_at": NOW + 60, "client_id_issued_at": NOW,
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [REDIRECT], "client_name": "Claviger", "x_unknown": {"kept": true},
        "registration_client_uri": PLACE, "registration_access_token": "manage-1",
    })
}

fn answered(method: Method, status: u16, text: &str) -> World {
    World::new().raw(method, PLACE, status, &[JSON], text)
}

fn kept(managed: Managed) -> ClientInformation {
    match managed {
        Managed::Kept { client, .. } => *client,
        other => panic!("{other:?}"),
    }
}

fn text(secret: Option<&Secret>) -> Option<&str> {
    secret.map(Secret::expose)
}

#[test]
fn q10_reads_what_the_issuer_says_now() {
    let new = with(
        said(),
        &json!({
            "client_secret": "secret-2", "client_secret_expires_at": NOW + 9_000,
            "registration_access_token": "manage-2",
        }),
    );
    let world = answered(Method::GET, 200, &new.to_string());
    let client = kept(world.run(&mut read_registration(managed())));
    assert_eq!(text(client.secret.as_ref()), Some("secret-2"));
    assert_eq!(
        client.secret_expires_at,
        Some(Timestamp::from_secs(NOW + 9_000))
    );
    // The token before is of no use from now on (RFC 7592 §2.1).
    let token = text(client.registration_access_token.as_ref());
    assert_eq!(token, Some("manage-2"));
    let seen = &world.seen()[0];
    assert_eq!(
        (seen.sink, &seen.method),
        (Sink::Registration, &Method::GET)
    );
    assert_eq!(seen.header("authorization"), Some("Bearer manage-1"));
    assert!(seen.headers["authorization"].is_sensitive());
    assert!(seen.body.is_empty());
}

#[test]
fn q10_an_update_says_everything_back_with_the_last_secret_and_the_last_token() {
    let read = with(
        said(),
        &json!({"client_secret": "secret-2", "registration_access_token": "manage-2"}),
    );
    let renewed = with(
        said(),
        &json!({
            "client_secret": "secret-3", "client_secret_expires_at": 0,
            "registration_access_token": "manage-3",
        }),
    );
    let world = World::new()
        .raw(Method::GET, PLACE, 200, &[JSON], &read.to_string())
        .raw(Method::PUT, PLACE, 200, &[JSON], &renewed.to_string());
    let Managed::Kept { client, update } = world.run(&mut read_registration(managed())) else {
        panic!("it is there");
    };
    let client = kept(world.run(&mut update_registration(*client, update)));
    let sent = &world.seen()[1];
    assert_eq!(sent.header("authorization"), Some("Bearer manage-2"));
    let body = sent.json();
    assert_eq!(body["client_secret"], "secret-2");
    assert_eq!(body["client_name"], "Claviger");
    // What is left out would be forgotten there, whether we know it or not.
    assert_eq!(body["x_unknown"]["kept"], true);
    for theirs in [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ] {
        assert!(body.get(theirs).is_none(), "{theirs}");
    }
    assert_eq!(text(client.secret.as_ref()), Some("secret-3"));
    // RFC 7591 §3.2.1: 0 is never.
    assert_eq!(client.secret_expires_at, None);
    let token = text(client.registration_access_token.as_ref());
    assert_eq!(token, Some("manage-3"));
}

#[test]
fn q10_what_an_answer_does_not_say_is_as_it_was() {
    let terse = json!({"client_id": "client-1", "redirect_uris": [REDIRECT]});
    let world = answered(Method::GET, 200, &terse.to_string());
    let client = kept(world.run(&mut read_registration(managed())));
    assert!(client.says_the_same(&managed()));
    // A new secret of which no end is told has none; the old one keeps its own.
    let silent = with(terse, &json!({"client_secret": "secret-2"}));
    let world = answered(Method::GET, 200, &silent.to_string());
    let client = kept(world.run(&mut read_registration(managed())));
    assert_eq!(client.secret_expires_at, None);
}

#[test]
fn q10_a_broken_answer_changes_nothing() {
    let other = with(said(), &json!({"client_id": "client-2"}));
    let nameless = json!({"client_secret": "secret-2"});
    let texts = [
        other.to_string(),
        nameless.to_string(),
        "[]".to_owned(),
        "<html>signed out</html>".to_owned(),
        String::new(),
        "{\"client_id\":\"client-1\"".to_owned(),
    ];
    for broken in texts {
        for method in [Method::GET, Method::PUT] {
            let world = answered(method.clone(), 200, &broken);
            let ended = match method {
                Method::GET => world.run(&mut read_registration(managed())),
                _ => world.run(&mut update()),
            };
            assert!(matches!(ended, Managed::Unknown), "{broken}: {ended:?}");
        }
    }
}

#[test]
fn q10_a_refusal_is_told_apart_from_an_issuer_that_is_away() {
    for (status, is_refused) in [
        (400, true),
        (401, true),
        (403, true),
        (404, true),
        (405, true),
        (410, true),
        (501, true),
        (302, false),
        (429, false),
        (500, false),
        (503, false),
    ] {
        let world = answered(Method::GET, status, &said().to_string());
        let ended = world.run(&mut read_registration(managed()));
        let expected = if is_refused { "Refused" } else { "Unknown" };
        assert_eq!(format!("{ended:?}"), expected, "{status}");
        assert_eq!(world.seen().len(), 1, "asked once");
    }
    let world = World::new().fail(Method::GET, PLACE, FetchError::Timeout);
    let ended = world.run(&mut read_registration(managed()));
    assert!(matches!(ended, Managed::Unknown));
}

#[test]
fn q10_a_registration_is_taken_back() {
    for (status, is_gone) in [(204, true), (200, true), (401, false), (405, false)] {
        let world = answered(Method::DELETE, status, "");
        let ended: bool = world.run(&mut delete_registration(managed()));
        assert_eq!(ended, is_gone, "{status}");
        let seen = &world.seen()[0];
        assert_eq!(seen.header("authorization"), Some("Bearer manage-1"));
    }
    let world = World::new().fail(Method::DELETE, PLACE, FetchError::Broken);
    assert!(!world.run(&mut delete_registration(managed())));
}

#[test]
fn q10_nothing_is_asked_without_a_place_and_a_token() {
    let nowhere = ClientInformation {
        registration_client_uri: None,
        ..managed()
    };
    let tokenless = ClientInformation {
        registration_access_token: None,
        ..managed()
    };
    // A token that cannot stand in a header is sent nowhere, and shown nowhere.
    let unprintable = ClientInformation {
        registration_access_token: Some(Secret::new("manage\r\nx: y")),
        ..managed()
    };
    for client in [nowhere, tokenless, unprintable] {
        let world = World::new();
        let ended = world.run(&mut read_registration(client.clone()));
        assert!(matches!(ended, Managed::Unknown));
        assert!(!world.run(&mut delete_registration(client)));
        assert!(world.seen().is_empty());
    }
}

/// The management token is a credential of one place: neither a registration nor a later answer can
/// have it sent to another origin.
#[test]
fn a205_q10_the_management_token_follows_to_no_other_origin() {
    for elsewhere in [
        "https://evil.example/register/client-1",
        "https://issuer.example:8443/register/client-1",
        "http://issuer.example/register/client-1",
        "https://issuer.example@evil.example/register/client-1",
        "javascript:alert(1)",
    ] {
        let moved = with(said(), &json!({"registration_client_uri": elsewhere}));
        // As the first answer says it.
        let world = World::new().post(REGISTER, 201, &moved);
        let client = world.run(&mut first()).unwrap();
        assert_eq!(client.registration_client_uri, None, "{elsewhere}");
        // As a later answer says it.
        let world = World::new()
            .raw(Method::GET, PLACE, 200, &[JSON], &moved.to_string())
            .raw(Method::PUT, PLACE, 200, &[JSON], &moved.to_string());
        let Managed::Kept { client, update } = world.run(&mut read_registration(managed())) else {
            panic!("it is there");
        };
        assert_eq!(client.registration_client_uri.as_deref(), Some(PLACE));
        world.run(&mut update_registration(*client, update));
        assert_eq!(world.urls(), [PLACE, PLACE]);
    }
    // A redirect is no answer, and is not followed.
    let to = ("location", "https://evil.example/register/client-1");
    let world = World::new().raw(Method::GET, PLACE, 307, &[to], "");
    let ended = world.run(&mut read_registration(managed()));
    assert!(matches!(ended, Managed::Unknown));
    assert_eq!(world.urls(), [PLACE]);
}

/// A first registration.
fn first() -> Machine<Result<ClientInformation, RegisterError>> {
    register(Register {
        discovered: found(),
        existing: None,
        preset: None,
        document_url: None,
        redirect_uri: REDIRECT.to_owned(),
        client_name: "Claviger of Ada".to_owned(),
        scopes: None,
        quirks: quirks(),
    })
}

/// An update that is not based on an answer of this test.
fn update() -> Machine<Managed> {
    let world = answered(Method::GET, 200, &said().to_string());
    match world.run(&mut read_registration(managed())) {
        Managed::Kept { client, update } => update_registration(*client, update),
        other => panic!("{other:?}"),
    }
}
