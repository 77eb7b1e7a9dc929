//! N14: a sign-in that one node begins, and another finishes.

use core::time::Duration;
use std::process::Stdio;

use claviger_testkit::postgres::{self, Database};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Answer, Claviger, Gateway, Upstream, ask, get, rpc};

const LIFE: Duration = Duration::from_mins(10);
const PATIENCE: Duration = Duration::from_secs(20);

/// What stands before both nodes.
const PUBLIC: &str = "https://gateway.example";

/// `claviger login` that waits for its person.
struct Login {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

// === impl Login ===

impl Login {
    fn start(node: &Claviger) -> Self {
        let mut child = node
            .command(&["login", "up", "--no-browser", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The line that has this member.
    async fn line_with(&mut self, member: &str) -> Value {
        let finding = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let line: Value = serde_json::from_str(&line).unwrap();
                if !line[member].is_null() {
                    return line;
                }
            }
            panic!("no `{member}`");
        };
        timeout(PATIENCE, finding).await.expect("it says so")
    }

    /// The person agrees: where the browser is sent.
    async fn callback(&mut self) -> String {
        let line = self.line_with("authorization_url").await;
        let url = line["authorization_url"].as_str().unwrap().to_owned();
        let answer = ask(get(&url)).await;
        let callback = answer.header("location").expect("a way back").to_owned();
        assert!(callback.starts_with(PUBLIC), "{callback}");
        callback
    }
}

/// Two nodes behind one name, with one server.
async fn nodes(database: &Database, upstream: &Upstream) -> [(Claviger, Gateway); 2] {
    let (mut one, mut two) = (Claviger::on(database), Claviger::on(database));
    for node in [&mut one, &mut two] {
        node.set("CLAVIGER_SERVER_PUBLIC_URL", PUBLIC);
    }
    let first = one.serve().await;
    two.share_key_of(&one);
    let second = two.serve().await;
    one.add("up", &upstream.url()).await;
    [(one, first), (two, second)]
}

/// What the balancer does with a callback.
async fn deliver(gateway: &Gateway, callback: &str) -> Answer {
    let path = callback.strip_prefix(PUBLIC).unwrap();
    ask(get(&format!("{}{path}", gateway.origin))).await
}

async fn serves(gateway: &Gateway) {
    let call = json!({"name": "echo", "arguments": {"word": "hello"}});
    let since = Instant::now();
    loop {
        let answer = ask(rpc(
            &gateway.mcp("up"),
            Some(&gateway.token),
            "tools/call",
            &call,
        ))
        .await;
        if answer.status.is_success() && answer.json()["result"]["content"].is_array() {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "{answer:?}\n{}", gateway.log());
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn n14_m4_begun_at_one_node_and_finished_at_another() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(LIFE).await;
    let [(one, first), (_two, second)] = nodes(&database, &upstream).await;
    let mut login = Login::start(&one);
    let callback = login.callback().await;
    let page = deliver(&second, &callback).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}\n{}", second.log());

    let ended = login.line_with("outcome").await;
    assert_eq!(ended["outcome"], "success", "{ended}");
    assert_eq!(ended["standing"], "connected", "{ended}");
    let status = timeout(PATIENCE, login.child.wait()).await.unwrap();
    assert_eq!(status.unwrap().code(), Some(0));
    serves(&first).await;
    serves(&second).await;

    // A074: once is enough, wherever it comes again.
    for gateway in [&first, &second] {
        let again = deliver(gateway, &callback).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST, "{again:?}");
        assert!(again.text.contains("No sign-in is waiting"), "{again:?}");
    }
    assert_eq!(upstream.counts().redemptions, 1);
}

#[tokio::test]
async fn n14_a_node_that_is_killed_takes_no_sign_in_along() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(LIFE).await;
    let [(one, first), (_two, second)] = nodes(&database, &upstream).await;
    let mut login = Login::start(&one);
    let callback = login.callback().await;
    // Dropping it is SIGKILL.
    drop(first);
    let page = deliver(&second, &callback).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}\n{}", second.log());
    serves(&second).await;
    // The first one comes back to what the second one stored.
    let first = one.serve().await;
    serves(&first).await;
    assert_eq!(upstream.counts().redemptions, 1);
}
