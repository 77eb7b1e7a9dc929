//! The admin socket: what a command line of any age may say to it.

use core::time::Duration;

use claviger_admin_api::{Line, ProblemKind, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Place, Running, Upstream, act, done, read, slug};

fn message(body: &str) -> String {
    format!(
        "POST /admin/act HTTP/1.1\r\nHost: claviger\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn connect(running: &Running) -> UnixStream {
    UnixStream::connect(&running.ready.admin_socket)
        .await
        .unwrap()
}

/// Sends these bytes and reads all that comes back.
async fn say(running: &Running, bytes: &str) -> String {
    let mut stream = connect(running).await;
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut text = String::new();
    let reading = stream.read_to_string(&mut text);
    timeout(PATIENCE, reading)
        .await
        .expect("it answers")
        .unwrap();
    text
}

/// The one line of an answer that is a problem.
async fn refused(running: &Running, body: &str) -> Value {
    let text = say(running, &message(body)).await;
    let line = text.lines().find(|line| line.starts_with('{'));
    let line: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{text}"))).unwrap();
    assert_eq!(line["line"], "problem", "{line}");
    assert_eq!(line["kind"], "usage", "{line}");
    assert!(line["hint"].is_string(), "{line}");
    line
}

#[tokio::test]
async fn a165_what_it_does_not_know_is_a_usage_problem() {
    let place = Place::new();
    let running = place.serve().await;
    let server = json!({"op": "add_server", "slug": "a", "url": "https://a.example/"});
    for (field, value) in [
        ("command", json!("sh")),
        ("args", json!(["-c", "true"])),
        ("env", json!({"LD_PRELOAD": "x"})),
    ] {
        let mut body = server.clone();
        body[field] = value;
        let line = refused(&running, &body.to_string()).await;
        let message = line["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("unknown field `{field}`")),
            "{line}"
        );
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"op\":\"format_disk\"}",
        "{\"op\":\"status\",\"x\":1}",
    ] {
        refused(&running, body).await;
    }
    let nothing = done(act(&*place.open().await, Request::ListServers).await);
    assert_eq!(nothing, []);
    running.stopped().await;
}

#[tokio::test]
async fn a172_a_request_that_cannot_be_read_is_not_read_out() {
    let place = Place::new();
    let running = place.serve().await;
    for body in [
        json!({"op": "add_server", "slug": "a", "headers": "Authorization: CANARY"}),
        json!({"op": "add_server", "slug": "a", "client_secret": ["CANARY"]}),
        json!({"op": "add_server", "allow_private": "CANARY"}),
        json!({"op": "callback", "url": {"code": "CANARY"}}),
    ] {
        let line = refused(&running, &body.to_string()).await;
        assert!(!line.to_string().contains("CANARY"), "{line}");
    }
    running.stopped().await;
}

#[tokio::test]
async fn m3_a_client_that_goes_away_takes_its_sign_in_with_it() {
    let (place, upstream) = (Place::new(), Upstream::start().await);
    let running = place.serve().await;
    let gateway = place.open().await;
    upstream.add(&*gateway, "demo").await;
    let mut stream = connect(&running).await;
    let body = json!({"op": "login", "slug": "demo", "force": false}).to_string();
    stream.write_all(message(&body).as_bytes()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("sign_in_started") {
        let mut piece = [0; 4096];
        let count = timeout(PATIENCE, stream.read(&mut piece))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "{seen}");
        seen.push_str(core::str::from_utf8(&piece[..count]).unwrap());
    }
    drop(stream);

    // The next one is not told of a sign-in that nobody waits for any more.
    let another = async {
        loop {
            let mut stream = connect(&running).await;
            stream.write_all(message(&body).as_bytes()).await.unwrap();
            let mut seen = String::new();
            while !seen.contains("sign_in_started") && !seen.contains("sign_in_in_flight") {
                let mut piece = [0; 4096];
                let count = stream.read(&mut piece).await.unwrap();
                seen.push_str(core::str::from_utf8(&piece[..count]).unwrap());
            }
            if seen.contains("sign_in_started") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), another)
        .await
        .expect("the first one is cancelled");
    running.stopped().await;
}

#[tokio::test]
async fn other_requests_and_large_ones_are_refused() {
    let place = Place::new();
    let running = place.serve().await;
    for (bytes, status) in [
        (
            "GET /admin/act HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "405",
        ),
        (
            "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "404",
        ),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = say(&running, bytes).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{bytes}: {answer}"
        );
    }
    let large = json!({"op": "show_server", "slug": "x".repeat(5 << 20)}).to_string();
    let mut stream = connect(&running).await;
    // It may stop reading before everything is written.
    drop(stream.write_all(message(&large).as_bytes()).await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    assert!(!String::from_utf8_lossy(&answer).contains("unknown_server"));
    assert_eq!(running.call("none").await.status, 404);
    running.stopped().await;
}

#[tokio::test]
async fn a_command_line_finds_the_running_server_and_its_data_path() {
    let (place, upstream) = (Place::new(), Upstream::start().await);
    let running = place.serve().await;
    let gateway = place.open().await;
    assert!(format!("{gateway:?}").contains("Remote"), "{gateway:?}");
    upstream.add(&*gateway, "demo").await;
    // The server that runs knows it at once, without a poll.
    assert!(running.call("demo").await.text.contains("/login/"));
    let unknown = Request::Logout { slug: slug("none") };
    match act(&*gateway, unknown).await.pop() {
        Some(Line::Problem(problem)) => assert_eq!(problem.kind, ProblemKind::Refused),
        other => panic!("{other:?}"),
    }
    assert!(!read(&running.ready.token_file).is_empty());
    running.stopped().await;
}
