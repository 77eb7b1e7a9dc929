//! The demo's server and its scripted browser against each other, over real loopback sockets.

use std::sync::Arc;

use axum::Router;
use axum::extract::RawQuery;
use axum::response::Html;
use axum::routing::get;
use bytes::Bytes;
use claviger_crypto::pkce_challenge;
use claviger_ports::Tasks;
use claviger_testkit::TokioTasks;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use url::Url;

use super::player::{Page, exchange};
use super::*;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn start(settings: DemoSettings) -> (RunningDemo, Arc<TokioTasks>) {
    let tasks = Arc::new(TokioTasks::new());
    let demo = ProtectedDemo::start(settings, Arc::<TokioTasks>::clone(&tasks));
    (demo.await.unwrap(), tasks)
}

async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Page {
    let url = Url::parse(url).unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(&url[url::Position::BeforePath..])
        .header(header::HOST, url.authority());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let address = url.socket_addrs(|| None).unwrap()[0];
    let request = request.body(Full::new(body.into())).unwrap();
    exchange(address, request).await.unwrap()
}

async fn get_json(url: &str) -> Value {
    let page = send(Method::GET, url, &[], "").await;
    assert_eq!(page.status, 200, "{url}");
    serde_json::from_str(&page.html).unwrap()
}

async fn post_form(url: &str, fields: &[(&str, &str)]) -> Value {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let page = send(Method::POST, url, &[kind], body).await;
    serde_json::from_str(&page.html).unwrap()
}

/// Somebody who waits for the callback.
async fn listener() -> (String, mpsc::Receiver<String>, TokioTasks) {
    let (tell, heard) = mpsc::channel(1);
    let app = Router::new().route(
        "/callback",
        get(move |RawQuery(query): RawQuery| async move {
            tell.send(query.unwrap_or_default()).await.unwrap();
            Html("<title>Signed in</title>")
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    let tasks = TokioTasks::new();
    tasks.spawn(
        "callback",
        Box::pin(async move { axum::serve(listener, app).await.unwrap() }),
    );
    (url, heard, tasks)
}

struct Tokens {
    client: String,
    access: String,
    refresh: String,
}

async fn register(endpoint: &str, callback: &str) -> String {
    let wanted = json!({
        "redirect_uris": [callback],
        "token_endpoint_auth_method": "none",
        "client_name": "Test",
    });
    let kind = ("content-type", "application/json");
    let page = send(Method::POST, endpoint, &[kind], wanted.to_string()).await;
    let registered: Value = serde_json::from_str(&page.html).unwrap();
    registered["client_id"].as_str().unwrap().to_owned()
}

async fn sign_in(demo: &RunningDemo) -> (Tokens, Played) {
    let metadata = get_json(&format!(
        "{}/.well-known/oauth-authorization-server",
        demo.issuer()
    ))
    .await;
    let place = |name: &str| metadata[name].as_str().unwrap().to_owned();
    let (callback, mut heard, _listening) = listener().await;
    let client = register(&place("registration_endpoint"), &callback).await;
    let mut url = Url::parse(&place("authorization_endpoint")).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", &client),
        ("redirect_uri", &callback),
        ("state", "st"),
        ("code_challenge", &pkce_challenge(VERIFIER)),
        ("code_challenge_method", "S256"),
        ("resource", demo.url()),
    ]);
    let played = play_browser(url.as_str()).await.unwrap();
    let query = heard.recv().await.unwrap();
    let answer: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
    assert_eq!(answer["state"], "st");
    assert_eq!(answer["iss"], demo.issuer());
    let tokens = post_form(
        &place("token_endpoint"),
        &[
            ("grant_type", "authorization_code"),
            ("code", &answer["code"]),
            ("redirect_uri", &callback),
            ("code_verifier", VERIFIER),
            ("client_id", &client),
            ("resource", demo.url()),
        ],
    )
    .await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text("access_token"), text("refresh_token"));
    let tokens = Tokens {
        client,
        access,
        refresh,
    };
    (tokens, played)
}

async fn mcp(demo: &RunningDemo, token: Option<&str>, session: &str, message: &Value) -> Page {
    let bearer = format!("Bearer {}", token.unwrap_or_default());
    let mut headers = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("connection", "close"),
    ];
    if token.is_some() {
        headers.push(("authorization", &bearer));
    }
    if !session.is_empty() {
        headers.push(("mcp-session-id", session));
        headers.push(("mcp-protocol-version", "2025-11-25"));
    }
    send(Method::POST, demo.url(), &headers, message.to_string()).await
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }})
}

async fn call(demo: &RunningDemo, token: &str, tool: &str, arguments: &Value) -> Value {
    let hello = mcp(demo, Some(token), "", &initialize()).await;
    assert_eq!(hello.status, 200, "{}", hello.html);
    let session = hello.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(mcp(demo, Some(token), &session, &ready).await.status, 202);
    let message = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": tool, "arguments": arguments,
    }});
    let answer = mcp(demo, Some(token), &session, &message).await;
    let found = answer
        .html
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
        .find(|value| value["id"] == 2);
    found.unwrap_or_else(|| panic!("no answer in {}", answer.html))["result"].clone()
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn r01_r02_r03_the_challenge_leads_to_the_issuer() {
    let (demo, _tasks) = start(DemoSettings::default()).await;
    let refused = mcp(&demo, None, "", &initialize()).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    let place = format!("{}/.well-known/oauth-protected-resource/mcp", demo.issuer());
    assert_eq!(
        challenge,
        format!("Bearer scope=\"notes:read\", resource_metadata=\"{place}\"")
    );
    let metadata = get_json(&place).await;
    assert_eq!(metadata["resource"], demo.url());
    assert_eq!(metadata["authorization_servers"], json!([demo.issuer()]));
    demo.stopped().await;
}

#[tokio::test]
async fn a_played_sign_in_calls_tools_and_refreshes_when_the_token_ends() {
    let (demo, tasks) = start(DemoSettings {
        access_ttl_s: 60,
        ..DemoSettings::default()
    })
    .await;
    let (tokens, played) = sign_in(&demo).await;
    assert_eq!(
        (played.status.as_u16(), played.title.as_str()),
        (200, "Signed in")
    );
    let story: Vec<_> = played
        .steps
        .iter()
        .map(|step| (step.method.as_str(), step.status.as_u16()))
        .collect();
    assert_eq!(story, [("GET", 200), ("POST", 303), ("GET", 200)]);
    // Neither code nor state is in what gets told.
    assert!(played.steps.iter().all(|step| !step.place.contains('?')));

    let who = call(&demo, &tokens.access, "whoami", &json!({})).await;
    let who: Value = serde_json::from_str(text(&who)).unwrap();
    assert_eq!(who["subject"], "alice");
    assert_eq!(who["scopes"], "notes:read");
    assert_eq!(who["client"], tokens.client);
    let sum = call(&demo, &tokens.access, "add", &json!({"a": 19, "b": 23})).await;
    assert_eq!(text(&sum), "42");
    let wrong = call(
        &demo,
        &tokens.access,
        "add",
        &json!({"a": i64::MAX, "b": 1}),
    )
    .await;
    assert_eq!(wrong["isError"], true);

    demo.advance(60);
    let late = mcp(&demo, Some(&tokens.access), "", &initialize()).await;
    assert_eq!(late.status, 401);
    let challenge = late.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""));
    let fresh = post_form(
        &format!("{}/token", demo.issuer()),
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", &tokens.refresh),
            ("client_id", &tokens.client),
        ],
    )
    .await;
    let fresh = fresh["access_token"].as_str().unwrap();
    let notes = call(&demo, fresh, "notes_list", &json!({})).await;
    assert!(text(&notes).contains("porter"));

    let counters = demo.counters();
    assert_eq!(counters.registrations, 1);
    assert_eq!(counters.approvals, 1);
    assert_eq!(counters.redemptions, 1);
    assert_eq!(counters.refreshes, 1);
    assert_eq!(counters.reuses, 0);
    assert_eq!(counters.calls, 3);
    demo.stopped().await;
    tasks.finished().await;
}

#[tokio::test]
async fn a149_r23_another_host_or_origin_is_turned_away() {
    let (demo, _tasks) = start(DemoSettings::default()).await;
    let place = format!("{}/.well-known/oauth-authorization-server", demo.issuer());
    let address = Url::parse(&place).unwrap().socket_addrs(|| None).unwrap()[0];
    let request = Request::get("/.well-known/oauth-authorization-server")
        .header(header::HOST, "evil.example")
        .body(Full::default())
        .unwrap();
    assert_eq!(exchange(address, request).await.unwrap().status, 421);

    let (tokens, _) = sign_in(&demo).await;
    let bearer = format!("Bearer {}", tokens.access);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("origin", "https://evil.example"),
    ];
    let refused = send(Method::POST, demo.url(), &headers, initialize().to_string()).await;
    assert_eq!(refused.status, 403);
    demo.stopped().await;
}

#[tokio::test]
async fn the_scripted_browser_goes_nowhere_but_loopback() {
    for url in [
        "https://127.0.0.1/",
        "http://example.com/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
    ] {
        let error = play_browser(url).await.unwrap_err();
        let elsewhere = matches!(
            error,
            DemoError::Visit {
                source: PlayError::Elsewhere
            }
        );
        assert!(elsewhere, "{url}");
    }
}

#[tokio::test]
async fn a_page_of_error_ends_the_visit() {
    let (demo, _tasks) = start(DemoSettings::default()).await;
    let played = play_browser(&format!("{}/authorize?client_id=x", demo.issuer()))
        .await
        .unwrap();
    assert_eq!(played.status, 400);
    assert_eq!(played.title, "This sign-in cannot go on");
    assert_eq!(demo.counters(), DemoCounters::default());
    demo.stopped().await;
}
