//! Client information: C-20 to C-34, M6, Q10, Q11, Q14 to Q20.

use claviger_client::{ClientInformation, Discovered, Preset, Register, RegisterError, register};
use claviger_crypto::Secret;
use claviger_model::{Fault, RegistrationOrigin, Timestamp};
use claviger_ports::FetchError;
use claviger_wire::{AuthMethod, ErrorCode, ScopeSet};
use http::Method;
use serde_json::{Value, json};

use crate::support::*;

const DOCUMENT: &str = "https://claviger.example/client.json";

fn wanted(discovered: Discovered) -> Register {
    Register {
        discovered,
        existing: None,
        preset: None,
        document_url: None,
        redirect_uri: REDIRECT.to_owned(),
        client_name: "Claviger of Ada".to_owned(),
        scopes: None,
        quirks: quirks(),
    }
}

fn ask(world: &World, input: Register) -> Result<ClientInformation, RegisterError> {
    world.run(&mut register(input))
}

fn answered(status: u16, document: &Value) -> World {
    World::new().post(REGISTER, status, document)
}

fn preset(secret: Option<&str>) -> Preset {
    Preset {
        client_id: "static".to_owned(),
        secret: secret.map(Secret::new),
        private_key: None,
        issuer: None,
    }
}

fn with_cimd() -> Discovered {
    found_with(&json!({ "client_id_metadata_document_supported": true }))
}

#[test]
fn c20_c21_c22_the_operators_client_comes_first() {
    let world = World::new();
    let client = ask(
        &world,
        Register {
            preset: Some(preset(Some("s"))),
            existing: Some(public_client()),
            document_url: Some(DOCUMENT.to_owned()),
            ..wanted(with_cimd())
        },
    )
    .unwrap();
    assert_eq!(client.client_id, "static");
    assert_eq!(client.origin, RegistrationOrigin::Static);
    assert_eq!(client.auth_method, AuthMethod::ClientSecretBasic);
    assert!(world.seen().is_empty());
}

#[test]
fn c57_a_secret_is_sent_as_the_issuer_takes_it() {
    for (methods, secret, expected) in [
        (
            json!(["client_secret_post"]),
            Some("s"),
            AuthMethod::ClientSecretPost,
        ),
        (
            json!(["client_secret_basic"]),
            Some("s"),
            AuthMethod::ClientSecretBasic,
        ),
        (json!(null), Some("s"), AuthMethod::ClientSecretBasic),
        (json!(["client_secret_basic"]), None, AuthMethod::None),
        (json!(["client_secret_basic"]), Some(""), AuthMethod::None),
    ] {
        let found = found_with(&json!({ "token_endpoint_auth_methods_supported": methods }));
        let input = Register {
            preset: Some(preset(secret)),
            ..wanted(found)
        };
        assert_eq!(
            ask(&World::new(), input).unwrap().auth_method,
            expected,
            "{methods}"
        );
    }
}

#[test]
fn c33_the_operators_client_of_another_issuer_is_an_error() {
    let input = Register {
        preset: Some(Preset {
            issuer: Some("https://before.example".to_owned()),
            ..preset(Some("s"))
        }),
        ..wanted(found())
    };
    let error = ask(&World::new(), input).unwrap_err();
    assert!(matches!(error, RegisterError::IssuerChanged { .. }));
    assert_eq!(error.fault(), Fault::Operator);
}

#[test]
fn c23_our_document_where_the_issuer_takes_one() {
    let world = World::new();
    let client = ask(
        &world,
        Register {
            document_url: Some(DOCUMENT.to_owned()),
            ..wanted(with_cimd())
        },
    )
    .unwrap();
    assert_eq!(client.client_id, DOCUMENT);
    assert_eq!(client.auth_method, AuthMethod::None);
    assert!(world.seen().is_empty(), "the document is theirs to fetch");
    // Not advertised: not used.
    let world = answered(201, &json!({ "client_id": "d" }));
    let client = ask(
        &world,
        Register {
            document_url: Some(DOCUMENT.to_owned()),
            ..wanted(found())
        },
    )
    .unwrap();
    assert_eq!(client.client_id, "d");
}

#[test]
fn c24_c25_a_document_url_no_issuer_may_take_is_not_used() {
    for url in [
        "http://claviger.example/client.json",
        "https://claviger.example/",
        "https://claviger.example",
        "https://claviger.example/a/../client.json",
        "https://claviger.example/client.json#x",
        "https://u@claviger.example/client.json",
        "https://CLAVIGER.example/client.json",
    ] {
        let world = answered(201, &json!({ "client_id": "d" }));
        let client = ask(
            &world,
            Register {
                document_url: Some(url.to_owned()),
                ..wanted(with_cimd())
            },
        )
        .unwrap();
        assert_eq!(client.client_id, "d", "{url}");
    }
}

#[test]
fn c28_c29_c34_q16_q20_what_is_asked_for() {
    let world = answered(201, &json!({ "client_id": "d" }));
    let client = ask(
        &world,
        Register {
            scopes: Some(ScopeSet::parse_lossy("b a")),
            ..wanted(found())
        },
    )
    .unwrap();
    let body = world.seen()[0].json();
    assert_eq!(body["application_type"], "native");
    assert_eq!(
        body["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(body["response_types"], json!(["code"]));
    assert_eq!(body["redirect_uris"], json!([REDIRECT]));
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert_eq!(body["scope"], "a b");
    assert_eq!(body["client_name"], "Claviger of Ada");
    assert!(body.get("software_version").is_some());
    // Q16, Keycloak: nothing null, nothing unknown.
    assert!(!body.to_string().contains("null") && body.get("resource").is_none());
    assert_eq!(client.redirect_uri.as_deref(), Some(REDIRECT));
    assert_eq!(client.issuer, ISSUER);

    let world = answered(201, &json!({ "client_id": "d" }));
    ask(
        &world,
        Register {
            redirect_uri: "https://gateway.example/callback/c1".to_owned(),
            ..wanted(found())
        },
    )
    .unwrap();
    let body = world.seen()[0].json();
    assert_eq!(body["application_type"], "web");
    assert!(body.get("scope").is_none());
}

#[test]
fn c57_asks_for_a_way_the_issuer_takes() {
    for (methods, expected) in [
        (json!(["none", "client_secret_basic"]), "none"),
        (json!(["client_secret_post"]), "client_secret_post"),
        // Servers on the Python SDK list both and do Basic only by halves: the first one counts.
        (
            json!(["client_secret_post", "client_secret_basic"]),
            "client_secret_post",
        ),
        (
            json!([
                "private_key_jwt",
                "client_secret_basic",
                "client_secret_post"
            ]),
            "client_secret_basic",
        ),
        (json!(null), "client_secret_basic"),
    ] {
        let found = found_with(&json!({ "token_endpoint_auth_methods_supported": methods }));
        let world = answered(201, &json!({ "client_id": "d", "client_secret": "s" }));
        ask(&world, wanted(found)).unwrap();
        assert_eq!(
            world.seen()[0].json()["token_endpoint_auth_method"],
            expected
        );
    }
}

#[test]
fn c30_a_refused_redirect_is_tried_once_as_web() {
    let world = answered(400, &json!({ "error": "invalid_redirect_uri" })).post(
        REGISTER,
        201,
        &json!({ "client_id": "d" }),
    );
    assert!(ask(&world, wanted(found())).is_ok());
    let kinds: Vec<Value> = world
        .seen()
        .iter()
        .map(|seen| seen.json()["application_type"].clone())
        .collect();
    assert_eq!(kinds, ["native", "web"]);
    let world = answered(400, &json!({ "error": "invalid_redirect_uri" }));
    let error = ask(&world, wanted(found())).unwrap_err();
    assert!(matches!(&error, RegisterError::Refused { refusal, .. }
        if refusal.code == Some(ErrorCode::InvalidRedirectUri)));
    assert_eq!(world.seen().len(), 2);
    assert!(error.to_string().contains("--client-id"), "{error}");
}

#[test]
fn q15_an_allow_list_is_told_without_its_text() {
    let world = World::new().raw(Method::POST, REGISTER, 403, &[HTML], "only Figma hunter2");
    let error = ask(&world, wanted(found())).unwrap_err();
    assert!(matches!(&error, RegisterError::Refused { refusal, .. } if refusal.status == 403));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn q14_c20_without_any_way_a_person_is_told_what_to_do() {
    let found = found_with(&json!({ "registration_endpoint": null }));
    let input = Register {
        quirks: quirks_of(
            "issuer.example",
            "console_url=\"https://issuer.example/apps\"",
        ),
        ..wanted(found)
    };
    let error = ask(&World::new(), input).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, RegisterError::BringYourOwn { .. }));
    for part in [
        ISSUER,
        REDIRECT,
        "https://issuer.example/apps",
        "--client-id",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // An endpoint that is not there is none.
    let error = ask(&World::new(), wanted(crate::support::found())).unwrap_err();
    assert!(matches!(error, RegisterError::BringYourOwn { .. }));
}

#[test]
fn c31_c32_m6_what_we_hold_is_reused_at_the_same_issuer_only() {
    let world = World::new();
    let input = Register {
        existing: Some(public_client()),
        ..wanted(found())
    };
    assert_eq!(ask(&world, input.clone()).unwrap().client_id, "client-1");
    assert!(world.seen().is_empty());

    let mut foreign = public_client();
    foreign.issuer = "https://issuer.example/".to_owned();
    let mut moved = public_client();
    moved.redirect_uri = Some("http://127.0.0.1:1/callback/c1".to_owned());
    for existing in [foreign, moved] {
        let world = answered(201, &json!({ "client_id": "new" }));
        let input = Register {
            existing: Some(existing),
            ..input.clone()
        };
        assert_eq!(ask(&world, input).unwrap().client_id, "new");
        assert!(
            !world.seen()[0]
                .body
                .windows(8)
                .any(|part| part == b"client-1")
        );
    }
}

#[test]
fn q10_a_secret_that_has_ended_or_soon_will_is_renewed() {
    for (ends, expected) in [
        (NOW - 1, "new"),
        (NOW + 60, "new"),
        (NOW + 9_000, "client-1"),
    ] {
        let existing = ClientInformation {
            secret: Some(Secret::new("s")),
            secret_expires_at: Some(Timestamp::from_secs(ends)),
            ..public_client()
        };
        let world = answered(201, &json!({ "client_id": "new" }));
        let input = Register {
            existing: Some(existing),
            ..wanted(found())
        };
        assert_eq!(ask(&world, input).unwrap().client_id, expected, "{ends}");
    }
}

#[test]
fn q11_q16_q17_what_was_granted_is_kept_whole() {
    let granted = json!({
        "client_id": "d", "client_secret": "s", "client_secret_expires_at": NOW + 9_000,
        "token_endpoint_auth_method": "client_secret_post", "client_uri": null, "tos_uri": "",
        "registration_client_uri": "https://issuer.example/r/d", "registration_access_token": "rat",
    });
    for status in [200, 201] {
        let client = ask(&answered(status, &granted), wanted(found())).unwrap();
        assert_eq!(client.auth_method, AuthMethod::ClientSecretPost);
        assert_eq!(client.secret.as_ref().unwrap().expose(), "s");
        assert_eq!(
            client.secret_expires_at,
            Some(Timestamp::from_secs(NOW + 9_000))
        );
        assert_eq!(
            client.registration_access_token.as_ref().unwrap().expose(),
            "rat"
        );
    }
}

#[test]
fn q17_an_empty_secret_is_none_and_a_secret_without_a_word_is_sent_as_taken() {
    for (secret, method, expected) in [
        (json!(""), json!("client_secret_basic"), AuthMethod::None),
        (json!(null), json!("client_secret_basic"), AuthMethod::None),
        (json!("s"), json!(null), AuthMethod::ClientSecretBasic),
        (json!("s"), json!("none"), AuthMethod::None),
        (
            json!("s"),
            json!("tls_client_auth"),
            AuthMethod::ClientSecretBasic,
        ),
    ] {
        let granted = json!({
            "client_id": "d", "client_secret": secret, "token_endpoint_auth_method": method
        });
        let client = ask(&answered(201, &granted), wanted(found())).unwrap();
        assert_eq!(client.auth_method, expected, "{secret} {method}");
    }
}

#[test]
fn q19_a_narrowed_grant_is_noted() {
    let granted = json!({ "client_id": "d", "grant_types": ["authorization_code"] });
    let mut machine = register(wanted(found()));
    answered(201, &granted).run(&mut machine).unwrap();
    let events = machine.drain_events();
    assert!(
        events
            .iter()
            .flat_map(|one| &one.deviations)
            .any(|one| one.id == "Q19")
    );
}

#[test]
fn a_registration_that_does_not_answer_is_unreachable() {
    let world = World::new().fail(Method::POST, REGISTER, FetchError::Timeout);
    let error = ask(&world, wanted(found())).unwrap_err();
    assert!(error.is_transient());
    let world = World::new().raw(Method::POST, REGISTER, 201, &[HTML], "<html>");
    assert!(matches!(
        ask(&world, wanted(found())),
        Err(RegisterError::Answer { .. })
    ));
}

#[test]
fn c55_a_redirect_that_would_show_the_code_is_refused_before_anything_is_asked() {
    for redirect in [
        "http://gateway.example/c",
        "myapp:/c",
        "https://g.example/c#x",
    ] {
        let world = World::new();
        let input = Register {
            redirect_uri: redirect.to_owned(),
            ..wanted(found())
        };
        assert!(matches!(
            ask(&world, input),
            Err(RegisterError::Redirect { .. })
        ));
        assert!(world.seen().is_empty());
    }
}
