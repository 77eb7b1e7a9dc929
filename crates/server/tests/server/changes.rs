//! `server set`: what it changes, what ends with it, and that every process knows at once.

use core::time::Duration;

use claviger_admin_api::{
    AddServer, Line, LogoutView, ProblemKind, Request, ServerView, SetServer,
};
use claviger_server::Gateway;
use claviger_server::demo::play_browser;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::acts::{bench, sign_in, standing};
use crate::support::{Answer, Place, Running, Upstream, act, done, problem, slug};

fn set(what: &Value) -> Request {
    let mut set = json!({ "slug": "demo" });
    let fields = what.as_object().unwrap().clone();
    set.as_object_mut().unwrap().extend(fields);
    let set: SetServer = serde_json::from_value(set).unwrap();
    Request::SetServer(Box::new(set))
}

/// What ended, and the server as it is now.
fn read(lines: Vec<Line>) -> (Vec<LogoutView>, ServerView) {
    let (mut ended, mut servers) = (Vec::new(), Vec::new());
    for line in done(lines) {
        match line {
            Line::LoggedOut(view) => ended.push(view),
            Line::Server(view) => servers.push(view),
            _ => {}
        }
    }
    assert_eq!(servers.len(), 1);
    (ended, servers.remove(0))
}

async fn connect(gateway: &dyn Gateway) {
    if standing(gateway).await == "connected" {
        return;
    }
    drop(
        sign_in(gateway, async |url| {
            play_browser(&url).await.unwrap();
        })
        .await,
    );
    assert_eq!(standing(gateway).await, "connected");
}

#[tokio::test]
async fn g6_each_setting_ends_connections_or_keeps_them() {
    let (_place, upstream, gateway) = bench().await;
    let (url, other) = (upstream.demo.url(), Upstream::start().await);
    upstream.add(&*gateway, "demo").await;
    let (ends, keeps) = (true, false);
    // Each stands on the one before it. What nobody can sign in with is undone by the next one.
    let cases = [
        (keeps, json!({})),
        (keeps, json!({ "display_name": "Another" })),
        (keeps, json!({ "enabled": false })),
        (keeps, json!({ "enabled": true })),
        (keeps, json!({ "scopes": ["notes:read", "notes:write"] })),
        (ends, json!({ "scopes": ["notes:read"] })),
        (keeps, json!({ "scopes": ["notes:read", "notes:write"] })),
        (keeps, json!({ "no_scopes": true })),
        (ends, json!({ "client_id": "other", "no_discover": true })),
        (keeps, json!({ "no_client": true })),
        (
            ends,
            json!({ "issuer": "https://other.example", "no_discover": true }),
        ),
        (keeps, json!({ "no_issuer": true })),
        (ends, json!({ "url": other.demo.url() })),
        (ends, json!({ "url": url })),
        (ends, json!({ "auth": "headers", "headers": ["X-Key: a"] })),
        (keeps, json!({ "headers": ["X-Key: b"] })),
        (keeps, json!({ "auth": "none" })),
        (keeps, json!({ "auth": "oauth" })),
    ];
    for (does, what) in cases {
        let undoes = ["no_client", "no_issuer"]
            .iter()
            .any(|key| what.get(key).is_some());
        let (_, view) = read(act(&*gateway, set(&json!({}))).await);
        let was_connected = view.auth == "oauth" && view.enabled && !undoes;
        if was_connected {
            connect(&*gateway).await;
        }
        let (ended, view) = read(act(&*gateway, set(&what)).await);
        assert_eq!(ended.len(), usize::from(does == ends), "{what}");
        if was_connected && does == keeps && view.auth == "oauth" {
            assert_eq!(standing(&*gateway).await, "connected", "{what}");
        }
        for one in ended {
            let told = (one.user.as_str(), one.at_issuer.as_str());
            assert_eq!(told, ("owner", "revoked"), "{what}");
        }
    }
    gateway.close().await;
}

#[tokio::test]
async fn k3_k4_secrets_go_with_the_kind_that_needs_them() {
    let (_place, upstream, gateway) = bench().await;
    let add = AddServer {
        client_id: Some(slug("me")),
        client_secret: Some(slug("secret")),
        issuer: Some(slug("https://issuer.example")),
        no_discover: true,
        ..upstream.as_server("demo")
    };
    done(act(&*gateway, Request::AddServer(Box::new(add))).await);
    let (_, view) = read(act(&*gateway, set(&json!({ "display_name": "kept" }))).await);
    assert!(view.has_client_secret);
    let headers = json!({ "auth": "headers", "headers": ["Authorization: Bearer k"] });
    let (_, view) = read(act(&*gateway, set(&headers)).await);
    assert_eq!(
        (view.auth.as_str(), view.has_client_secret),
        ("headers", false)
    );
    let back = json!({ "auth": "oauth", "no_discover": true });
    let (_, view) = read(act(&*gateway, set(&back)).await);
    assert_eq!(
        (view.auth.as_str(), view.has_client_secret),
        ("oauth", false)
    );
    assert_eq!(view.issuer, None);
    gateway.close().await;
}

#[tokio::test]
async fn a205_a_secret_is_never_carried_to_another_host() {
    let (_place, upstream, gateway) = bench().await;
    let add = AddServer {
        headers: vec![slug("X-Key: canary")],
        ..upstream.as_server("demo")
    };
    done(act(&*gateway, Request::AddServer(Box::new(add))).await);
    let moved = json!({ "url": "https://elsewhere.example/mcp" });
    let refused = problem(act(&*gateway, set(&moved)).await);
    assert_eq!(
        (refused.kind, refused.code.as_str()),
        (ProblemKind::Usage, "secret_bound")
    );
    assert!(refused.hint.unwrap().contains("--header"));
    let again = json!({ "url": "https://elsewhere.example/mcp", "headers": ["X-Key: new"] });
    let (_, view) = read(act(&*gateway, set(&again)).await);
    assert_eq!(view.url, "https://elsewhere.example/mcp");
    // Another path of the same host is the same place.
    let path = json!({ "url": "https://elsewhere.example/other" });
    read(act(&*gateway, set(&path)).await);

    let client = json!({
        "auth": "oauth", "client_id": "me", "client_secret": "s",
        "issuer": "https://issuer.example", "no_discover": true,
    });
    read(act(&*gateway, set(&client)).await);
    let moved = json!({ "url": "https://third.example/mcp", "no_discover": true });
    let refused = problem(act(&*gateway, set(&moved)).await);
    assert_eq!(refused.code, "secret_bound");
    let dropped =
        json!({ "url": "https://third.example/mcp", "no_discover": true, "no_client": true });
    let (_, view) = read(act(&*gateway, set(&dropped)).await);
    assert!(!view.has_client_secret);
    gateway.close().await;
}

/// What is wrong with each.
const REFUSED: &[(&str, &str)] = &[
    ("invalid_url", r#"{"url": "mcp.example"}"#),
    ("invalid_url", r#"{"allow_private": false}"#),
    ("invalid_url", r#"{"issuer": "javascript:1"}"#),
    (
        "invalid_url",
        r#"{"client_metadata_url": "http://a.example/c"}"#,
    ),
    ("invalid_server", r#"{"display_name": "two\nlines"}"#),
    ("invalid_server", r#"{"auth": "magic"}"#),
    ("invalid_server", r#"{"auth": "headers"}"#),
    ("invalid_server", r#"{"headers": ["X: a"]}"#),
    ("invalid_server", r#"{"auth": "none", "client_id": "i"}"#),
    ("invalid_server", r#"{"grant": "password"}"#),
    ("invalid_server", r#"{"grant": "client_credentials"}"#),
    ("invalid_server", r#"{"client_secret": "s"}"#),
    (
        "invalid_server",
        r#"{"client_id": "i", "private_key": "k"}"#,
    ),
    // A019
    (
        "invalid_server",
        r#"{"client_id": "i", "client_secret": "s", "no_discover": true}"#,
    ),
    (
        "invalid_server",
        r#"{"client_id": "i", "client_secret": "s", "private_key": "k"}"#,
    ),
    (
        "invalid_server",
        r#"{"client_id": "i", "client_metadata_url": "https://a.example/c"}"#,
    ),
    ("invalid_server", r#"{"client_id": "i", "no_client": true}"#),
    (
        "invalid_server",
        r#"{"issuer": "https://i.example", "no_issuer": true}"#,
    ),
    ("invalid_server", r#"{"scopes": ["a"], "no_scopes": true}"#),
    ("invalid_server", r#"{"scopes": ["a\"b"]}"#),
];

#[tokio::test]
async fn what_cannot_be_set_is_refused_and_ends_nothing() {
    let (_place, upstream, gateway) = bench().await;
    upstream.add(&*gateway, "demo").await;
    connect(&*gateway).await;
    for (code, what) in REFUSED {
        let refused = problem(act(&*gateway, set(&serde_json::from_str(what).unwrap())).await);
        assert_eq!(refused.kind, ProblemKind::Usage, "{what}");
        assert_eq!(refused.code, *code, "{what}");
        assert!(refused.hint.is_some(), "{what}");
    }
    // K2: nothing is stored that does not answer.
    let nobody = json!({ "url": "http://127.0.0.1:9/mcp" });
    let unreachable = problem(act(&*gateway, set(&nobody)).await);
    assert_eq!(unreachable.kind, ProblemKind::Unreachable);
    assert_eq!(standing(&*gateway).await, "connected");
    gateway.close().await;
}

/// Waits until a call is answered as it should be: the promise is a second, the rest is patience
/// with a busy machine.
async fn until(running: &Running, is_right: impl Fn(&Answer) -> bool) {
    let began = Instant::now();
    loop {
        let answer = running.call("demo").await;
        if is_right(&answer) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{answer:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn g6_another_process_sends_nothing_old_once_it_was_told() {
    let (place, upstream, other) = (
        Place::new(),
        Upstream::start().await,
        Upstream::start().await,
    );
    let beside = place.open().await;
    upstream.add(&*beside, "demo").await;
    connect(&*beside).await;
    let running = place.serve().await;
    let is_served =
        |answer: &Answer| answer.status == StatusCode::OK && !answer.text.contains("/login/");
    until(&running, is_served).await;

    let (ended, _) = read(act(&*beside, set(&json!({ "url": other.demo.url() }))).await);
    assert_eq!(ended.len(), 1);
    until(&running, |answer| answer.text.contains("/login/")).await;
    assert_eq!(upstream.demo.counters().revocations, 1);
    connect(&*beside).await;
    until(&running, is_served).await;

    read(act(&*beside, set(&json!({ "enabled": false }))).await);
    until(&running, |answer| answer.status == StatusCode::NOT_FOUND).await;
    // K11
    let login = Request::Login {
        slug: slug("demo"),
        force: true,
    };
    let refused = problem(act(&*beside, login).await);
    assert_eq!(
        (refused.kind, refused.code.as_str()),
        (ProblemKind::Refused, "server_disabled")
    );
    assert!(refused.hint.unwrap().contains("--enable"));
    beside.close().await;
    running.stopped().await;
}
