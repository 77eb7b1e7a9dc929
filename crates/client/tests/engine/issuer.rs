//! The issuer's metadata: C-07 to C-11, C-15, C-32, C-33, C-42, C-69, Q28, Q31, Q32.

use claviger_client::{Discover, DiscoverError};
use claviger_model::Grant;
use claviger_ports::Reach;
use http::Method;
use serde_json::json;

use crate::support::*;

fn listed(issuers: &[&str]) -> World {
    World::new().get(
        PRM,
        &with(prm(), &json!({ "authorization_servers": issuers })),
    )
}

fn meta_with(members: &serde_json::Value) -> World {
    World::new()
        .get(PRM, &prm())
        .get(META, &with(metadata(ISSUER), members))
}

#[test]
fn c09_c15_an_issuer_without_a_path_has_two_places() {
    let world = listed(&[ISSUER]).get(OIDC, &metadata(ISSUER));
    world.discovered(input());
    assert_eq!(world.urls(), [PRM, META, OIDC]);
}

#[test]
fn c08_q31_an_issuer_with_a_path_has_three_and_the_root_is_not_one() {
    let issuer = "https://issuer.example/tenant1";
    let appended = "https://issuer.example/tenant1/.well-known/openid-configuration";
    let world = listed(&[issuer]).get(appended, &metadata(issuer));
    world.discovered(input());
    assert_eq!(
        world.urls(),
        [
            PRM,
            "https://issuer.example/.well-known/oauth-authorization-server/tenant1",
            "https://issuer.example/.well-known/openid-configuration/tenant1",
            appended,
        ]
    );
}

#[test]
fn c07_the_first_usable_issuer_is_taken_and_each_is_on_its_own() {
    let other = "https://other.example";
    let place = "https://other.example/.well-known/oauth-authorization-server";
    let world =
        listed(&["https://gone.example", "ftp://odd.example", other]).get(place, &metadata(other));
    assert_eq!(world.discovered(input()).issuer_id(), other);
    let none = listed(&[]);
    assert!(matches!(
        none.discover(input()),
        Err(DiscoverError::NoIssuer { .. })
    ));
    let gone = listed(&["https://gone.example"]);
    assert!(matches!(
        gone.discover(input()),
        Err(DiscoverError::NoIssuerMetadata { .. })
    ));
}

#[test]
fn c07_the_list_of_a_hostile_server_is_cut() {
    let many: Vec<String> = (0..500).map(|i| format!("https://i{i}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let world = listed(&many);
    world.discover(input()).unwrap_err();
    assert!(world.seen().len() < 20);
}

#[test]
fn c11_a006_a007_another_issuers_document_is_not_used() {
    for answered in [
        "https://evil.example",
        "https://issuer.example/",
        "https://ISSUER.example",
        "https://issuer.example:443",
        "https://issuer%2Eexample",
        "http://issuer.example",
    ] {
        let world = meta_with(&json!({ "issuer": answered }));
        let error = world.discover(input()).unwrap_err();
        assert!(
            matches!(error, DiscoverError::IssuerMismatch { .. }),
            "{answered}: {error}"
        );
        // Q28: both strings are reported.
        assert!(error.to_string().contains(answered), "{error}");
    }
}

#[test]
fn a006_a_document_without_issuer_is_not_used() {
    let mut document = metadata(ISSUER);
    document.as_object_mut().unwrap().remove("issuer");
    let world = World::new().get(PRM, &prm()).get(META, &document);
    assert!(matches!(
        world.discover(input()),
        Err(DiscoverError::NoIssuerMetadata { .. })
    ));
}

#[test]
fn q28_an_alias_of_the_quirk_file_may_answer() {
    let other = "https://cf.issuer.example";
    let lines = format!("aliases=[{{ listed=\"{ISSUER}\", issuer=\"{other}\" }}]");
    let world = World::new().get(PRM, &prm()).get(META, &metadata(other));
    let found = world.discovered(Discover {
        quirks: quirks_of("issuer.example", &lines),
        ..input()
    });
    // What it calls itself is what `iss` will be compared with.
    assert_eq!(found.issuer_id(), other);
    assert!(found.deviations.iter().any(|one| one.id == "Q28"));
}

#[test]
fn a019_q28_an_alias_leads_to_the_pinned_issuer_or_nowhere() {
    let other = "https://cf.issuer.example";
    let lines = format!("aliases=[{{ listed=\"{ISSUER}\", issuer=\"{other}\" }}]");
    let pinned = || Discover {
        pinned_issuer: Some(other.to_owned()),
        quirks: quirks_of("issuer.example", &lines),
        ..input()
    };
    let world = World::new().get(PRM, &prm()).get(META, &metadata(other));
    assert_eq!(world.discovered(pinned()).issuer_id(), other);
    assert!(matches!(
        World::usual().discover(pinned()),
        Err(DiscoverError::IssuerChanged { .. })
    ));
}

#[test]
fn c42_a020_without_s256_nothing_begins() {
    for methods in [json!(["plain"]), json!([]), json!(null), json!("plain")] {
        let world = meta_with(&json!({ "code_challenge_methods_supported": methods }));
        assert!(
            matches!(world.discover(input()), Err(DiscoverError::NoS256 { .. })),
            "{methods}"
        );
    }
}

#[test]
fn q32_the_quirk_file_knows_who_does_s256_all_the_same() {
    let by_file = || Discover {
        quirks: quirks_of("issuer.example", "s256_unadvertised=true"),
        ..input()
    };
    let found =
        meta_with(&json!({ "code_challenge_methods_supported": null })).discovered(by_file());
    assert!(found.deviations.iter().any(|one| one.id == "Q32"));
    // A list that says otherwise is believed.
    let plain = meta_with(&json!({ "code_challenge_methods_supported": ["plain"] }));
    assert!(matches!(
        plain.discover(by_file()),
        Err(DiscoverError::NoS256 { .. })
    ));
}

#[test]
fn client_credentials_need_neither_a_page_nor_pkce() {
    let world = meta_with(&json!({
        "authorization_endpoint": null, "code_challenge_methods_supported": null
    }));
    assert!(matches!(
        world.discover(input()),
        Err(DiscoverError::Endpoint {
            which: "authorization",
            ..
        })
    ));
    let found = world.discovered(Discover {
        grant: Grant::ClientCredentials,
        ..input()
    });
    assert_eq!(found.issuer.authorization_endpoint, None);
}

#[test]
fn a016_a_dangerous_page_makes_the_document_unusable() {
    for endpoint in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "\u{1}vbscript:x",
    ] {
        let world = meta_with(&json!({ "authorization_endpoint": endpoint }));
        let (end, events) = world.discover_told(input());
        assert!(matches!(end, Err(DiscoverError::NoIssuerMetadata { .. })));
        // Neither stored nor shown.
        assert!(!format!("{end:?}{events:?}").contains(endpoint));
    }
}

#[test]
fn c69_plain_http_to_another_machine_is_refused() {
    for field in ["token_endpoint", "authorization_endpoint"] {
        let world = meta_with(&json!({ field: "http://issuer.example/x" }));
        assert!(
            matches!(world.discover(input()), Err(DiscoverError::Endpoint { .. })),
            "{field}"
        );
    }
    let world = meta_with(&json!({ "registration_endpoint": "http://issuer.example/r" }));
    assert_eq!(world.discovered(input()).issuer.registration_endpoint, None);
}

#[test]
fn c69_c71_an_operator_may_open_a_private_host_but_no_page_on_it() {
    let issuer = "http://10.0.0.7:9000";
    let place = "http://10.0.0.7:9000/.well-known/oauth-authorization-server";
    let world = || listed(&[issuer]).get(place, &metadata(issuer));
    assert!(world().discover(input()).is_err());
    let opened = || Discover {
        reach: Reach::public().with_private_host("10.0.0.7"),
        ..input()
    };
    assert!(matches!(
        world().discover(opened()),
        Err(DiscoverError::Endpoint {
            which: "authorization",
            ..
        })
    ));
    let page = json!({ "authorization_endpoint": "https://10.0.0.7/authorize" });
    let world = listed(&[issuer]).get(place, &with(metadata(issuer), &page));
    assert_eq!(world.discovered(opened()).issuer_id(), issuer);
}

#[test]
fn a018_a_token_endpoint_elsewhere_is_noted() {
    let google = meta_with(&json!({ "token_endpoint": "https://oauth2.example/token" }));
    let found = google.discovered(input());
    assert!(found.deviations.iter().any(|one| one.id == "A018"));
    let cognito = json!({
        "token_endpoint": "https://hosted.example/token",
        "authorization_endpoint": "https://hosted.example/authorize",
    });
    let found = meta_with(&cognito).discovered(input());
    assert!(found.deviations.iter().any(|one| one.id == "A018"));
}

/// A hostile issuer that shows an honest page would be handed the honest one's code.
#[test]
fn a018_an_authorization_page_whose_code_goes_elsewhere_is_refused() {
    let mixed = json!({
        "authorization_endpoint": "https://honest.example/authorize",
        "registration_endpoint": "https://honest.example/register",
    });
    let three = json!({
        "token_endpoint": "https://evil.example/token",
        "authorization_endpoint": "https://honest.example/authorize",
    });
    for shape in [&mixed, &three] {
        let error = meta_with(shape).discover(input()).unwrap_err();
        let is_page = matches!(
            error,
            DiscoverError::Endpoint {
                which: "authorization",
                ..
            }
        );
        assert!(is_page, "{shape}");
        let known = meta_with(shape).discovered(Discover {
            quirks: quirks_of(
                "issuer.example",
                "endpoint_hosts=[\"honest.example\", \"evil.example\"]",
            ),
            ..input()
        });
        assert!(known.deviations.is_empty(), "{shape}");
    }
}

#[test]
fn a018_no_client_is_registered_with_a_third_party() {
    let elsewhere = json!({ "registration_endpoint": "https://honest.example/register" });
    let found = meta_with(&elsewhere).discovered(input());
    assert_eq!(found.issuer.registration_endpoint, None);
    assert!(found.deviations.iter().any(|one| one.id == "A018"));
    let hosted = json!({
        "token_endpoint": "https://hosted.example/token",
        "registration_endpoint": "https://hosted.example/register",
    });
    let found = meta_with(&hosted).discovered(input());
    assert!(found.issuer.registration_endpoint.is_some());
}

#[test]
fn a019_c33_a_pinned_issuer_is_not_left() {
    let pinned = |issuer: &str| Discover {
        pinned_issuer: Some(issuer.to_owned()),
        ..input()
    };
    let world = World::usual();
    let error = world
        .discover(pinned("https://before.example"))
        .unwrap_err();
    assert!(
        matches!(&error, DiscoverError::IssuerChanged { pinned, offered }
        if pinned == "https://before.example" && offered == ISSUER)
    );
    assert_eq!(world.urls(), [PRM], "the new issuer is not even asked");
    // Listed second, it is the only one asked.
    let world = listed(&["https://new.example", ISSUER]).get(META, &metadata(ISSUER));
    world.discovered(pinned(ISSUER));
    assert_eq!(world.urls(), [PRM, META]);
}

#[test]
fn c32_the_issuer_we_know_is_preferred_while_it_is_listed() {
    let place = "https://new.example/.well-known/oauth-authorization-server";
    let world = || {
        listed(&["https://new.example", ISSUER])
            .get(META, &metadata(ISSUER))
            .get(place, &metadata("https://new.example"))
    };
    let known = Discover {
        preferred_issuer: Some(ISSUER.to_owned()),
        ..input()
    };
    assert_eq!(world().discovered(known).issuer_id(), ISSUER);
    assert_eq!(
        world().discovered(input()).issuer_id(),
        "https://new.example"
    );
}

#[test]
fn a014_html_with_json_inside_is_no_metadata() {
    let world = World::new()
        .get(PRM, &prm())
        .raw(
            Method::GET,
            META,
            200,
            &[HTML],
            &metadata(ISSUER).to_string(),
        )
        .get(OIDC, &metadata(ISSUER));
    world.discovered(input());
    assert_eq!(world.urls(), [PRM, META, OIDC]);
}

#[test]
fn q30_an_issuer_that_does_not_answer_is_unreachable() {
    let world = World::new()
        .get(PRM, &prm())
        .status(META, 502)
        .status(OIDC, 404);
    let error = world.discover(input()).unwrap_err();
    assert!(error.is_transient(), "{error}");
}
