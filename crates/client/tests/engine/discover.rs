//! The probe and the resource metadata: C-01 to C-06, Q29 to Q31, Q33.

use claviger_client::{Discover, DiscoverError, Discovery, EventOutcome, Start, UnreachableCause};
use claviger_ports::{FetchError, Sink};
use claviger_wire::ResourceMismatch;
use http::Method;
use serde_json::json;

use crate::support::*;

fn probing() -> Discover {
    Discover::new(SERVER, quirks())
}

fn probed(status: u16, headers: &[(&str, &str)]) -> World {
    World::usual().raw(Method::POST, SERVER, status, headers, "")
}

#[test]
fn c01_a_401_begins_discovery_where_its_challenge_says() {
    let place = "https://mcp.example/custom/metadata/location.json";
    let challenge = format!("Bearer resource_metadata=\"{place}\", scope=\"x\"");
    let world = probed(401, &[("www-authenticate", &challenge)]).get(place, &prm());
    let found = world.discovered(probing());
    assert_eq!(world.urls(), [SERVER, place, META]);
    assert_eq!(found.challenge.unwrap().scope.unwrap().to_string(), "x");
}

#[test]
fn c01_the_probe_speaks_to_servers_of_both_eras() {
    let world = probed(401, &[]);
    world.discovered(probing());
    let probe = &world.seen()[0];
    assert_eq!(probe.sink, Sink::Probe);
    assert_eq!(probe.json()["method"], "initialize");
    assert_eq!(
        probe.header("accept"),
        Some("application/json, text/event-stream")
    );
    assert_eq!(probe.header("authorization"), None);

    let world = probed(401, &[]);
    world.discovered(Discover {
        protocol_version: Some("2026-07-28".to_owned()),
        ..probing()
    });
    let probe = &world.seen()[0];
    let meta = &probe.json()["params"]["_meta"];
    assert_eq!(probe.json()["method"], "server/discover");
    assert_eq!(
        meta["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    assert_eq!(probe.header("mcp-protocol-version"), Some("2026-07-28"));
}

#[test]
fn q33_a_403_that_means_401_is_one() {
    let world = probed(
        403,
        &[("www-authenticate", "Bearer error=\"invalid_token\"")],
    );
    assert!(world.discovered(probing()).challenge.is_some());
}

#[test]
fn q33_a_server_that_answers_may_still_have_a_sign_in() {
    let world = probed(200, &[JSON]);
    assert_eq!(world.discovered(probing()).issuer_id(), ISSUER);
}

#[test]
fn m5_a_server_without_a_sign_in_is_told_from_a_broken_one() {
    let open = World::new().raw(Method::POST, SERVER, 200, &[JSON], "{}");
    assert_eq!(open.discover(probing()), Ok(Discovery::Open));
    let half = World::new()
        .raw(Method::POST, SERVER, 200, &[JSON], "{}")
        .status(PRM, 500);
    assert_eq!(half.discover(probing()), Ok(Discovery::Open));
    // Nothing is guessed for a server that asked for nothing.
    assert_eq!(open.urls(), [SERVER, PRM, PRM_ROOT]);
    let odd = World::new().raw(Method::POST, SERVER, 400, &[JSON], "{}");
    assert_eq!(
        odd.discover(probing()),
        Err(DiscoverError::ProbeRefused { status: 400 })
    );
    // Asked in both eras, once each.
    assert_eq!(odd.urls(), [SERVER, SERVER, PRM, PRM_ROOT]);
    let down = World::new().fail(Method::POST, SERVER, FetchError::Timeout);
    let error = down.discover(probing()).unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[test]
fn q33_c01_m5_a_server_of_the_stateless_era_alone_is_asked_in_its_own() {
    for status in [400, 404, 405] {
        let refused = || World::new().raw(Method::POST, SERVER, status, &[JSON], "{}");
        let open = refused().raw(Method::POST, SERVER, 200, &[JSON], "{}");
        assert_eq!(open.discover(probing()), Ok(Discovery::Open), "{status}");
        let second = &open.seen()[1];
        let meta = &second.json()["params"]["_meta"];
        assert_eq!(second.json()["method"], "server/discover");
        assert_eq!(
            meta["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
        assert_eq!(second.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(second.header("mcp-method"), Some("server/discover"));

        let place = "https://mcp.example/custom/metadata.json";
        let challenge = format!("Bearer resource_metadata=\"{place}\"");
        let guarded = refused()
            .raw(
                Method::POST,
                SERVER,
                401,
                &[("www-authenticate", &challenge)],
                "",
            )
            .get(place, &prm())
            .get(META, &metadata(ISSUER));
        assert_eq!(guarded.discovered(probing()).issuer_id(), ISSUER);
        assert_eq!(guarded.urls(), [SERVER, SERVER, place, META]);
    }
}

#[test]
fn q33_the_second_probe_makes_nothing_worse_and_is_not_sent_for_a_known_revision() {
    for (status, second) in [(400, 503), (404, 429), (405, 400)] {
        let world = World::new()
            .raw(Method::POST, SERVER, status, &[JSON], "{}")
            .raw(Method::POST, SERVER, second, &[JSON], "{}");
        let refused = Err(DiscoverError::ProbeRefused { status });
        assert_eq!(world.discover(probing()), refused);
    }
    for (status, version) in [(403, None), (400, Some("2025-11-25"))] {
        let world = World::new().raw(Method::POST, SERVER, status, &[JSON], "{}");
        let input = Discover {
            protocol_version: version.map(str::to_owned),
            ..probing()
        };
        assert!(world.discover(input).is_err());
        assert_eq!(world.urls(), [SERVER, PRM, PRM_ROOT]);
    }
}

#[test]
fn c02_c04_the_path_form_comes_first_and_the_root_is_not_touched() {
    let world = World::usual();
    let found = world.discovered(input());
    assert_eq!(world.urls(), [PRM, META]);
    assert_eq!(found.resource_metadata_url.as_deref(), Some(PRM));
}

#[test]
fn c04_q31_the_root_is_asked_when_the_path_form_is_missing() {
    let document = json!({ "resource": "https://mcp.example", "authorization_servers": [ISSUER] });
    let world = World::new()
        .get(PRM_ROOT, &document)
        .get(META, &metadata(ISSUER));
    let found = world.discovered(input());
    assert_eq!(world.urls(), [PRM, PRM_ROOT, META]);
    // Q29, A005: a parent at a path boundary; its text goes out as it came.
    assert_eq!(found.resource.as_str(), "https://mcp.example");
    assert!(found.deviations.iter().any(|one| one.id == "Q29"));
}

#[test]
fn c04_a_server_at_the_root_has_one_place() {
    let world = World::new();
    let input = Discover {
        server_url: "https://mcp.example/".to_owned(),
        ..input()
    };
    world.discovered(input);
    assert_eq!(
        world.urls()[0],
        "https://mcp.example/.well-known/oauth-protected-resource"
    );
    assert_eq!(
        world
            .urls()
            .iter()
            .filter(|url| url.contains("protected-resource"))
            .count(),
        1
    );
}

#[test]
fn c03_the_challenged_place_is_asked_before_the_known_ones() {
    let place = "https://mcp.example/x";
    let world = World::usual();
    world.discovered(challenged(&format!("Bearer resource_metadata=\"{place}\"")));
    assert_eq!(world.urls(), [place, PRM, META]);
}

#[test]
fn a003_a_place_on_another_origin_is_not_asked() {
    let header = "Bearer resource_metadata=\"https://evil.example/prm\"";
    let world = World::usual();
    let (end, events) = world.discover_told(challenged(header));
    assert!(end.is_ok());
    assert_eq!(world.urls(), [PRM, META]);
    let refused = events
        .iter()
        .find(|event| event.outcome == EventOutcome::Refused)
        .unwrap();
    assert_eq!(refused.deviations[0].id, "A003");
    for odd in [
        "javascript:x",
        "http://mcp.example/prm",
        "https://mcp.example:8443/prm",
    ] {
        let world = World::usual();
        let found = world.discover(challenged(&format!("Bearer resource_metadata=\"{odd}\"")));
        assert!(found.is_ok());
        assert_eq!(world.urls(), [PRM, META], "{odd}");
    }
}

#[test]
fn a003_an_operator_may_admit_another_origin() {
    let place = "https://meta.example/prm";
    let input = Discover {
        quirks: quirks_of("mcp.example", "metadata_origins=[\"https://meta.example\"]"),
        ..challenged(&format!("Bearer resource_metadata=\"{place}\""))
    };
    let world = World::usual().get(place, &prm());
    world.discovered(input);
    assert_eq!(world.urls(), [place, META]);
}

#[test]
fn c06_a004_metadata_of_another_resource_stops_it_before_the_issuer() {
    let document = with(prm(), &json!({ "resource": "https://evil.example/mcp" }));
    let world = World::new()
        .get(PRM, &document)
        .get(PRM_ROOT, &prm())
        .get(META, &metadata(ISSUER));
    let error = world.discover(input()).unwrap_err();
    assert!(matches!(
        error,
        DiscoverError::ResourceMismatch {
            why: ResourceMismatch::Origin,
            ..
        }
    ));
    assert_eq!(world.urls(), [PRM]);
}

#[test]
fn a005_neighbors_are_refused() {
    for resource in [
        "https://mcp.example/a/mcp-evil",
        "https://mcp.example/a/mc",
        "https://mcp.example/A/mcp",
        "https://mcp.example/a/mcp?x=1",
        "https://mcp.example/a/mcp/below",
        "http://mcp.example/a/mcp",
    ] {
        let world = World::new().get(PRM, &with(prm(), &json!({ "resource": resource })));
        let error = world.discover(input()).unwrap_err();
        assert!(
            matches!(error, DiscoverError::ResourceMismatch { .. }),
            "{resource}: {error}"
        );
        assert_eq!(world.urls(), [PRM]);
    }
}

#[test]
fn q29_a_proxy_that_forgot_https_is_named() {
    let document = with(prm(), &json!({ "resource": "http://mcp.example/a/mcp" }));
    let error = World::new()
        .get(PRM, &document)
        .discover(input())
        .unwrap_err();
    assert!(error.to_string().contains("TLS proxy"), "{error}");
}

#[test]
fn q30_a_page_or_another_document_is_no_answer() {
    for (status, header, body) in [
        (200, HTML, "<html><script>{\"resource\":\"x\"}</script>"),
        (200, HTML, "{\"resource\":\"https://mcp.example/a/mcp\"}"),
        (200, JSON, "{\"hello\":1}"),
        (200, JSON, "[]"),
        (403, HTML, "blocked"),
        (307, ("location", "https://evil.example/"), ""),
    ] {
        let world = World::new()
            .raw(Method::GET, PRM, status, &[header], body)
            .get(PRM_ROOT, &prm())
            .get(META, &metadata(ISSUER));
        world.discovered(input());
        assert_eq!(world.urls(), [PRM, PRM_ROOT, META], "{status} {body}");
    }
}

#[test]
fn q30_no_answer_is_not_read_as_no_sign_in() {
    let world = World::new().status(PRM, 503).status(PRM_ROOT, 404);
    let error = world.discover(input()).unwrap_err();
    assert!(matches!(
        error,
        DiscoverError::Unreachable {
            cause: UnreachableCause::Status(503),
            ..
        }
    ));
    // Nothing of the old revision is tried on the strength of an outage.
    assert_eq!(world.urls(), [PRM, PRM_ROOT]);
}

#[test]
fn c70_an_address_that_is_not_allowed_is_the_operators_to_allow() {
    let blocked = FetchError::Blocked { reason: "private" };
    let world = World::new().fail(Method::GET, PRM, blocked);
    let error = world.discover(input()).unwrap_err();
    assert_eq!(error.fault(), claviger_model::Fault::Operator);
    assert!(!error.is_transient());
}

#[test]
fn a008_a_redirect_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let to = ("location", "http://127.0.0.1/meta");
        let world = World::new().raw(Method::GET, PRM, status, &[to], "").raw(
            Method::GET,
            PRM_ROOT,
            status,
            &[to],
            "",
        );
        let error = world.discover(input()).unwrap_err();
        assert_eq!(error, DiscoverError::NoResourceMetadata);
        assert!(
            world
                .urls()
                .iter()
                .all(|url| url.starts_with("https://mcp.example/"))
        );
    }
}

#[test]
fn a015_hostile_documents_are_no_answer() {
    let deep = format!(
        "{{\"resource\":{}1{}}}",
        "[".repeat(9_999),
        "]".repeat(9_999)
    );
    let doubled =
        "{\"resource\":\"https://mcp.example/a/mcp\",\"resource\":\"https://evil.example\"}";
    let marked = format!("\u{feff}{}", prm());
    for body in [
        deep.as_str(),
        doubled,
        marked.as_str(),
        "{\"resource\":\"\\ud800\"}",
    ] {
        let world = World::new().raw(Method::GET, PRM, 200, &[JSON], body);
        let error = world.discover(input()).unwrap_err();
        assert_eq!(error, DiscoverError::NoResourceMetadata);
    }
}

#[test]
fn a_challenge_can_be_skipped_to() {
    let world = World::usual();
    let found = world.discovered(Discover {
        start: Start::WellKnown,
        ..probing()
    });
    assert_eq!(found.server_url, SERVER);
    assert!(world.seen().iter().all(|seen| seen.method == Method::GET));
}

#[test]
fn a_server_url_that_cannot_be_used_is_refused_unasked() {
    for url in [
        "ftp://mcp.example",
        "https://u:p@mcp.example",
        "mcp.example",
        "https://a b",
    ] {
        let world = World::new();
        let error = world.discover(Discover {
            server_url: url.to_owned(),
            ..input()
        });
        assert!(
            matches!(error, Err(DiscoverError::ServerUrl { .. })),
            "{url}"
        );
        assert!(world.seen().is_empty());
    }
}
