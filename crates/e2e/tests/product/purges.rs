//! What one process changes, no other uses after a second: not the credential, and not a connection
//! that was made for it (G6).

use core::time::Duration;
use std::fs;
use std::sync::{Arc, Mutex};

use claviger_testkit::postgres;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Claviger, Gateway, Upstream, ask, rpc};

const LIFE: Duration = Duration::from_mins(10);
const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that answers commands, and another one that serves and holds things in memory.
struct Pair<'a> {
    commands: &'a Claviger,
    gateway: &'a Gateway,
    upstream: &'a Upstream,
}

/// A call: its number, when it was begun, and whether the tool answered.
type Call = (u64, Instant, bool);

/// Calls through the gateway, one after the other, until it is dropped.
struct Traffic {
    calls: Arc<Mutex<Vec<Call>>>,
    _calling: JoinSet<()>,
}

fn is_done(answer: &Answer) -> bool {
    answer.status.is_success()
        && answer.json()["result"]["content"][0]["text"].is_string()
        && answer.json()["result"]["isError"] != json!(true)
}

async fn call(gateway: &Gateway, number: u64) -> Answer {
    let call = json!({"name": "echo", "arguments": {"number": number}});
    let mcp = gateway.mcp("up");
    ask(rpc(&mcp, Some(&gateway.token), "tools/call", &call)).await
}

// === impl Traffic ===

impl Traffic {
    fn through(gateway: &Gateway, first: u64) -> Self {
        let (mcp, token) = (gateway.mcp("up"), gateway.token.clone());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (made, mut calling) = (Arc::clone(&calls), JoinSet::new());
        calling.spawn(async move {
            for number in first.. {
                let call = json!({"name": "echo", "arguments": {"number": number}});
                let begun = Instant::now();
                let answer = ask(rpc(&mcp, Some(&token), "tools/call", &call)).await;
                made.lock().unwrap().push((number, begun, is_done(&answer)));
                sleep(Duration::from_millis(20)).await;
            }
        });
        Self {
            calls,
            _calling: calling,
        }
    }

    /// The calls that were begun after an instant, once there are some.
    async fn after(&self, instant: Instant) -> Vec<Call> {
        let waiting_since = Instant::now();
        loop {
            let mut calls = self.calls.lock().unwrap().clone();
            calls.retain(|(_, begun, _)| *begun > instant);
            if calls.len() >= 5 {
                return calls;
            }
            assert!(waiting_since.elapsed() < PATIENCE, "calls go on");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

// === impl Pair ===

impl Pair<'_> {
    /// Until the gateway holds the credential, and attaches it.
    async fn holds(&self) {
        let since = Instant::now();
        while !is_done(&call(self.gateway, 0).await) {
            assert!(since.elapsed() < PATIENCE, "{}", self.gateway.log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The change keeps what is held: no call fails, and nothing is revoked.
    async fn keeps(&self, words: &[&str]) {
        let traffic = Traffic::through(self.gateway, 1_000);
        let begun = Instant::now();
        self.commands.must(words).await;
        traffic.after(Instant::now() + SECOND).await;
        let calls = traffic.after(begun).await;
        let failed: Vec<_> = calls.iter().filter(|(.., is_done)| !is_done).collect();
        assert!(failed.is_empty(), "{words:?}: {failed:?}");
        assert_eq!(self.upstream.revoked(), [], "{words:?}");
    }

    /// The change ends what is held: a second later no call brings the old token, or comes on a
    /// connection that ever carried it.
    async fn ends(&self, words: &[&str]) {
        self.holds().await;
        let before = self.upstream.arrived();
        let old = before.last().unwrap().authorization.clone();
        assert!(old.is_some());
        let first = before.len();
        let traffic = Traffic::through(self.gateway, 10_000);
        traffic.after(Instant::now()).await;
        self.commands.must(words).await;
        let calls = traffic.after(Instant::now() + SECOND).await;
        let arrived = self.upstream.arrived();
        let with_old = arrived.iter().filter(|one| one.authorization == old);
        let kept_open: Vec<_> = with_old.map(|one| one.connection).collect();
        for (number, _, is_done) in calls {
            assert!(!is_done, "{words:?}: call {number}\n{}", self.gateway.log());
            let late = arrived[first..]
                .iter()
                .filter(|one| one.arguments["number"] == json!(number));
            for one in late {
                assert_ne!(one.authorization, old, "{words:?}: call {number}");
                assert!(!kept_open.contains(&one.connection), "{words:?}: {one:?}");
            }
        }
    }

    async fn sign_in(&self) {
        let signed_in = self.commands.sign_in("up").await;
        assert_eq!(signed_in.code, 0, "{signed_in:?}");
        self.holds().await;
    }

    /// A client of the operator's, so that its secret may be renewed.
    async fn add(&self) {
        let (url, secret) = (
            self.upstream.url(),
            self.commands.secret_file("secret", "one"),
        );
        let origin = url.trim_end_matches("/mcp");
        let words = ["server", "add", "up", &url, "--issuer", origin];
        let client = ["--client-id", "operators", "--client-secret-file", &secret];
        let fixed = ["--no-discover", "--allow-private", "--json"];
        self.commands
            .must(&[&words[..], &client, &fixed].concat())
            .await;
    }

    async fn keeps_and_ends(&self) {
        self.add().await;
        self.sign_in().await;
        self.keeps(&["server", "set", "up", "--name", "Another", "--json"])
            .await;
        let secret = self.commands.secret_file("secret", "two");
        let words = ["server", "set", "up", "--client-secret-file", &secret];
        self.keeps(&[&words[..], &["--no-discover", "--json"]].concat())
            .await;
        let moved = format!("{}?moved", self.upstream.url());
        let words = ["server", "set", "up", "--url", &moved, "--allow-private"];
        self.ends(&[&words[..], &["--no-discover", "--json"]].concat())
            .await;
        assert_eq!(self.upstream.revoked().len(), 2);
        self.sign_in().await;
        self.ends(&["server", "remove", "up", "--json"]).await;
        assert_eq!(self.upstream.revoked().len(), 4);
    }
}

#[tokio::test]
async fn g6_n14_what_one_node_changes_no_other_uses_after_a_second() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(LIFE).await;
    let (one, two) = (Claviger::on(&database), Claviger::on(&database));
    let _first = one.serve().await;
    two.share_key_of(&one);
    let second = two.serve().await;
    let pair = Pair {
        commands: &one,
        gateway: &second,
        upstream: &upstream,
    };
    pair.keeps_and_ends().await;
}

#[tokio::test]
async fn g6_what_one_process_changes_in_a_file_no_other_uses_after_a_second() {
    let upstream = Upstream::protected(LIFE).await;
    let claviger = Claviger::new();
    let gateway = claviger.serve().await;
    // Commands that find no socket work on the file themselves.
    let socket = claviger.data_dir().join("admin.sock");
    fs::rename(&socket, claviger.scratch("admin.sock")).unwrap();
    let pair = Pair {
        commands: &claviger,
        gateway: &gateway,
        upstream: &upstream,
    };
    pair.keeps_and_ends().await;
}

#[tokio::test]
async fn two_changes_at_once_are_both_there_or_one_is_told() {
    let upstream = Upstream::open().await;
    let claviger = Claviger::new();
    claviger.add("up", &upstream.url()).await;
    // Each a process of its own, on one file.
    let name = ["server", "set", "up", "--name", "Another", "--json"];
    let off = ["server", "set", "up", "--disable", "--json"];
    let (named, switched) = tokio::join!(claviger.run(&name), claviger.run(&off));
    assert_eq!(
        (named.code, switched.code),
        (0, 0),
        "{named:?} {switched:?}"
    );
    let view = claviger.must(&["server", "show", "up", "--json"]).await;
    assert_eq!(view[0]["display_name"], "Another", "{view:?}");
    assert_eq!(view[0]["enabled"], false, "{view:?}");
    // The same setting: whoever is second follows the first, or is told.
    let names = ["One", "Two", "Three"];
    let words = names.map(|name| ["server", "set", "up", "--name", name]);
    let [one, two, three] = words.each_ref().map(|words| claviger.run(words));
    let (one, two, three) = tokio::join!(one, two, three);
    let view = claviger.must(&["server", "show", "up", "--json"]).await;
    let mut done = Vec::new();
    for (name, ended) in names.into_iter().zip([one, two, three]) {
        if ended.code == 0 {
            done.push(name);
        } else {
            assert_eq!(ended.code, 3, "{ended:?}");
            assert!(ended.stderr.contains("meanwhile"), "{ended:?}");
        }
    }
    let name = view[0]["display_name"].as_str().unwrap();
    assert!(done.contains(&name), "{done:?}: {name}");
}
