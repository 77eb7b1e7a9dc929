//! F38: the whole product by every way to PostgreSQL: through `PgBouncer` in transaction mode, and
//! over TLS with `sslmode=verify-full`.

use core::time::Duration;

use claviger_testkit::postgres::{self, Bouncer, Database, Server};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Claviger, Gateway, Upstream, ask, rpc};

/// Whole seconds, because `expires_in` knows no others; long enough for a busy machine.
const LIFE: Duration = Duration::from_secs(4);
const PAST: Duration = Duration::from_millis(4300);
const PATIENCE: Duration = Duration::from_secs(20);

async fn call(gateway: &Gateway) -> Answer {
    let call = json!({"name": "echo", "arguments": {"word": "hello"}});
    ask(rpc(
        &gateway.mcp("up"),
        Some(&gateway.token),
        "tools/call",
        &call,
    ))
    .await
}

fn is_done(answer: &Answer) -> bool {
    answer.status.is_success()
        && answer.json()["result"]["content"].is_array()
        && answer.json()["result"]["isError"] != true
}

/// Waits until a node answers like this: what another one wrote arrives by the change feed.
async fn until(gateway: &Gateway, done: bool) {
    let since = Instant::now();
    loop {
        let answer = call(gateway).await;
        if is_done(&answer) == done {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "{answer:?}\n{}", gateway.log());
        sleep(Duration::from_millis(50)).await;
    }
}

fn summary(lines: &[Value]) -> &Value {
    let is_summary = |line: &&Value| line["line"] == "key_summary";
    lines.iter().find(is_summary).unwrap()
}

/// Sign in, call, refresh once for two nodes, turn the keys, back up, log out: two nodes and the
/// command line, all of it by the same URLs.
async fn whole_walk(urls: impl Fn() -> (String, String)) {
    let upstream = Upstream::protected(LIFE).await;
    let node = || {
        let (url, owner_url) = urls();
        Claviger::at(&url, &owner_url)
    };
    let (one, two) = (node(), node());
    // Without a server: each command connects for itself.
    one.add("up", &upstream.url()).await;
    let first = one.serve().await;
    two.share_key_of(&one);
    let second = two.serve().await;
    assert_eq!(one.sign_in("up").await.code, 0, "{}", first.log());
    until(&first, true).await;
    until(&second, true).await;

    sleep(PAST).await;
    let before = upstream.counts().refreshes;
    let mut calls = JoinSet::new();
    for number in 0..12 {
        let gateway = if number % 2 == 0 { &first } else { &second };
        let (mcp, token) = (gateway.mcp("up"), gateway.token.clone());
        let call = json!({"name": "echo", "arguments": {"number": number}});
        calls.spawn(async move { ask(rpc(&mcp, Some(&token), "tools/call", &call)).await });
    }
    for answer in calls.join_all().await {
        assert!(is_done(&answer), "{answer:?}\n{}", second.log());
    }
    assert_eq!(upstream.counts().refreshes - before, 1);

    let turned = one.must(&["keys", "rotate", "--drop-old", "--json"]).await;
    assert_eq!(summary(&turned)["broken"], 0, "{turned:?}");
    assert_eq!(summary(&turned)["renewed"], 3, "{turned:?}");
    sleep(PAST).await;
    until(&second, true).await;
    let verified = two.must(&["keys", "verify", "--all", "--json"]).await;
    assert!(
        summary(&verified)["opened"].as_u64() >= Some(2),
        "{verified:?}"
    );
    let file = two.scratch("backup.db");
    let words = ["backup", "--json", file.to_str().unwrap()];
    let made = two.must(&words).await[0]["backup"].clone();
    assert_eq!(made["contents"]["credentials"], 1, "{made}");
    assert_eq!(made["contents"]["broken"], json!([]), "{made}");
    let proved = two.run(&["audit", "verify", "--json"]).await;
    assert_eq!(proved.code, 0, "{proved:?}");

    let ended = two.run(&["logout", "up", "--json"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    until(&first, false).await;
    until(&second, false).await;
    let counts = upstream.counts();
    assert_eq!((counts.redemptions, counts.refused_refreshes), (1, 0));
    assert!(counts.revocations >= 1, "{counts:?}");
    assert_eq!((first.stop().await, second.stop().await), (0, 0));
    let checked = one.must(&["store", "check", "--json"]).await;
    assert_eq!(checked[0]["ok"], true, "{checked:?}");
}

#[tokio::test]
async fn f38_two_nodes_live_behind_pgbouncer_in_transaction_mode() {
    let Some(database) = postgres::database() else {
        return;
    };
    let Some(bouncer) = Bouncer::start(&database) else {
        return;
    };
    whole_walk(|| (bouncer.url(), bouncer.owner_url())).await;
}

/// A server that speaks TLS with a certificate of an authority that nobody else knows.
struct Tls {
    server: Server,
    database: Database,
}

// === impl Tls ===

impl Tls {
    fn start() -> Option<Self> {
        let server = Server::start_on_loopback(&[])?;
        let database = server.database();
        for (name, content) in [("cert", PEER), ("key", KEY)] {
            let path = server.install(name, content);
            let set = format!("ALTER SYSTEM SET ssl_{name}_file = '{}'", path.display());
            database.query(&set);
        }
        database.query("ALTER SYSTEM SET ssl = on");
        server.crash();
        server.start_again();
        Some(Self { server, database })
    }

    /// Under this authority, by this name.
    fn url(&self, role: &str, host: &str, authority: &str) -> String {
        let (port, name) = (self.server.port(), self.database.name());
        let url = format!("postgres://{role}@{host}:{port}/{name}?sslmode=verify-full");
        match authority {
            "" => url,
            file => format!("{url}&sslrootcert={file}"),
        }
    }
}

const APP: &str = "claviger_test_app";
const OWNER: &str = "claviger_test_owner";
/// It vouches for the address 127.0.0.1, and not for `localhost`.
const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../egress/tests/data/ca.pem");
const STRANGER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/stranger.pem");
const PEER: &[u8] = include_bytes!("../../../egress/tests/data/peer.pem");
const KEY: &[u8] = include_bytes!("../../../egress/tests/data/peer.key.pem");

// N14, F25: another name, another authority, and none but the public ones.
#[tokio::test]
async fn f38_two_nodes_live_over_tls_and_a_stranger_in_the_middle_is_refused() {
    let Some(tls) = Tls::start() else {
        return;
    };
    for (host, authority, why) in [
        ("localhost", CA, "not valid for name \"localhost\""),
        ("127.0.0.1", STRANGER, "UnknownIssuer"),
        ("127.0.0.1", "", "UnknownIssuer"),
    ] {
        let url = |role| tls.url(role, host, authority);
        let node = Claviger::at(&url(APP), &url(OWNER));
        let refused = node.run(&["status"]).await;
        assert_eq!(refused.code, 5, "{refused:?}");
        let lines: Vec<_> = refused.stderr.lines().collect();
        let [error, because, cause, hint] = lines[..] else {
            panic!("{refused:?}");
        };
        assert!(
            error.starts_with("error: could not open PostgreSQL"),
            "{error}"
        );
        assert!(because.contains("TLS"), "{because}");
        assert!(cause.contains(why), "{cause}");
        assert!(
            hint.contains("hint: ") && hint.contains("sslrootcert"),
            "{hint}"
        );
        assert!(!node.data_dir().join("key").exists());
    }
    let is_empty = tls
        .database
        .query("SELECT to_regnamespace('claviger') IS NULL");
    assert_eq!(is_empty, "t", "nothing was written by way of a stranger");
    let url = |role| tls.url(role, "127.0.0.1", CA);
    whole_walk(|| (url(APP), url(OWNER))).await;
}
