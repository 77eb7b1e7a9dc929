//! The audit log as its readers meet it: listed, exported, proved. Whatever is done to it behind
//! Claviger's back is named, and a kill leaves nothing to explain.

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use claviger_testkit::postgres::{self, Database};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Claviger, Ended, Gateway, Upstream, ask, rpc};

/// Whole seconds, because `expires_in` knows no others; long enough for a busy machine.
const LIFE: Duration = Duration::from_secs(3);
const PAST: Duration = Duration::from_millis(3300);

async fn call(gateway: &Gateway) {
    let call = json!({"name": "echo", "arguments": {"word": "hello"}});
    let mcp = gateway.mcp("up");
    let answer = ask(rpc(&mcp, Some(&gateway.token), "tools/call", &call)).await;
    assert!(answer.json()["result"]["content"].is_array(), "{answer:?}");
}

/// Everything that is listed, the oldest first.
async fn listed(node: &Claviger) -> Vec<Value> {
    node.must(&["audit", "list", "--limit", "10000", "--json"])
        .await
}

fn acts(entries: &[Value]) -> BTreeSet<&str> {
    entries
        .iter()
        .map(|one| one["act"].as_str().unwrap())
        .collect()
}

fn actor_of<'a>(entries: &'a [Value], act: &str) -> &'a str {
    let found = entries.iter().rfind(|one| one["act"] == act);
    found.unwrap_or_else(|| panic!("no {act}"))["actor"]
        .as_str()
        .unwrap()
}

async fn verified(node: &Claviger, more: &[&str]) -> (i32, Value) {
    let words = [&["audit", "verify", "--json"][..], more].concat();
    let ended: Ended = node.run(&words).await;
    let said = ended.lines().into_iter().next().unwrap_or_default();
    (ended.code, said)
}

async fn is_whole(node: &Claviger) {
    let (code, said) = verified(node, &[]).await;
    assert_eq!(
        (code, &said["ok"], &said["proved"]),
        (0, &json!(true), &json!(true)),
        "{said}"
    );
}

/// The database, as somebody has it open who should not.
enum Behind<'a> {
    File { database: PathBuf, kept: PathBuf },
    Shared(&'a Database),
}

impl Behind<'_> {
    fn of(node: &Claviger) -> Self {
        Self::File {
            database: node.data_dir().join("claviger.db"),
            kept: node.scratch("kept.db"),
        }
    }

    async fn sql(&self, statements: &str) {
        match self {
            Self::File { database, kept } => {
                let options = SqliteConnectOptions::new()
                    .filename(database)
                    .create_if_missing(true);
                let mut db: SqliteConnection = options.connect().await.unwrap();
                let all = format!("ATTACH '{}' AS kept; {statements}", kept.display());
                sqlx::raw_sql(AssertSqlSafe(all))
                    .execute(&mut db)
                    .await
                    .unwrap();
                db.close().await.unwrap();
            }
            Self::Shared(database) => {
                database.query(&statements.replace("main.", "claviger."));
            }
        }
    }

    async fn keep(&self) {
        if matches!(self, Self::Shared(_)) {
            self.sql("CREATE SCHEMA kept").await;
        }
        self.sql("CREATE TABLE kept.audit AS SELECT * FROM main.audit")
            .await;
    }

    async fn put_back(&self) {
        self.sql("DELETE FROM main.audit; INSERT INTO main.audit SELECT * FROM kept.audit")
            .await;
    }
}

/// What is done to a chain of `last` entries, and where and as what it must be found.
fn changes(chain: &str, last: usize) -> Vec<(String, usize, &'static str)> {
    let at = |seq: &str| format!("chain = '{chain}' AND seq = {seq}");
    let swap = [("2", "1000000"), ("3", "2"), ("1000000", "3")]
        .map(|(from, to)| format!("UPDATE main.audit SET seq = {to} WHERE {}", at(from)));
    let add = format!(
        "INSERT INTO main.audit SELECT chain, seq + 1, node, at, tenant_id, actor, act, object, \
         outcome, detail, count, mac FROM main.audit WHERE {}",
        at(&last.to_string())
    );
    vec![
        (
            format!(
                "UPDATE main.audit SET object = object || 'x' WHERE {}",
                at("2")
            ),
            2,
            "changed",
        ),
        (
            format!("UPDATE main.audit SET at = at + 1 WHERE {}", at("3")),
            3,
            "changed",
        ),
        (
            format!("UPDATE main.audit SET count = count + 1 WHERE {}", at("1")),
            1,
            "changed",
        ),
        (
            format!("DELETE FROM main.audit WHERE {}", at("2")),
            2,
            "missing",
        ),
        (
            format!("DELETE FROM main.audit WHERE {}", at("1")),
            1,
            "missing",
        ),
        (swap.join(";"), 2, "changed"),
        (add, last + 1, "changed"),
    ]
}

/// Does one thing after the other to the log; each is named with its chain and number.
async fn every_change_is_named(node: &Claviger, behind: &Behind<'_>) {
    let export = node.run(&["audit", "export"]).await.lines();
    let chains = export.iter().filter(|one| one["act"] == "audit.begin");
    let chain = chains
        .map(|one| one["chain"].as_str().unwrap())
        .max_by_key(|chain| export.iter().filter(|one| one["chain"] == **chain).count());
    let chain = chain.unwrap();
    let entries: Vec<_> = export.iter().filter(|one| one["chain"] == *chain).collect();
    let last = entries.len();
    assert!(last >= 4, "{entries:?}");
    behind.keep().await;
    for (done, seq, kind) in changes(chain, last) {
        behind.sql(&done).await;
        let (code, said) = verified(node, &[]).await;
        assert_eq!((code, &said["ok"]), (3, &json!(false)), "{done}: {said}");
        let problems = said["problems"].as_array().unwrap();
        let is_it =
            |one: &Value| one["chain"] == *chain && one["seq"] == seq && one["kind"] == kind;
        assert!(problems.iter().any(is_it), "{done}: {said}");
        // People are told as well, and where.
        let told = node.run(&["audit", "verify"]).await;
        assert_eq!(told.code, 3, "{told:?}");
        assert!(told.stdout.contains(chain), "{told:?}");
        behind.put_back().await;
        is_whole(node).await;
    }
}

/// An export is proved with the key file alone, and without it that is said.
async fn is_proved_elsewhere(node: &Claviger) {
    let file = node.scratch("audit.jsonl");
    let file = file.to_str().unwrap();
    node.must(&["audit", "export", "--output", file]).await;
    let (code, said) = verified(node, &["--file", file]).await;
    assert_eq!((code, &said["proved"]), (0, &json!(true)), "{said}");
    let (code, said) = verified(node, &["--against", file]).await;
    assert_eq!(code, 0, "{said}");

    let elsewhere = Claviger::new();
    let key = node.data_dir().join("key");
    let key = elsewhere.secret_file("key", &fs::read_to_string(key).unwrap());
    let (code, said) = verified(&elsewhere, &["--file", file, "--key-file", &key]).await;
    assert_eq!((code, &said["proved"]), (0, &json!(true)), "{said}");
    let keyless = elsewhere.run(&["audit", "verify", "--file", file]).await;
    assert_eq!(keyless.code, 5, "{keyless:?}");
    assert!(keyless.stderr.contains("--key-file"), "{keyless:?}");
    let (code, said) = verified(&elsewhere, &["--file", file, "--order-only"]).await;
    assert_eq!((code, &said["proved"]), (0, &json!(false)), "{said}");

    // A word of it changed, a line of it gone.
    let text = fs::read_to_string(file).unwrap();
    let changed = text.replacen("\"outcome\":\"ok\"", "\"outcome\":\"failed\"", 1);
    // Behind the one that goes stands another one of its chain.
    let lines: Vec<_> = text.lines().collect();
    let third = lines
        .iter()
        .position(|line| line.contains("\"seq\":3,"))
        .unwrap();
    let without = [&lines[..third - 1], &lines[third..]].concat().join("\n");
    for (text, in_order) in [(changed, 0), (without, 3)] {
        let forged = elsewhere.secret_file("forged.jsonl", &text);
        let (code, said) = verified(&elsewhere, &["--file", &forged, "--key-file", &key]).await;
        assert_eq!(code, 3, "{said}");
        let (code, said) = verified(&elsewhere, &["--file", &forged, "--order-only"]).await;
        assert_eq!(code, in_order, "{said}");
    }
}

fn everybody_is_named(node: &Claviger, all: &[Value], token: &Value) {
    // Who did it: over the socket and without one, each by the user id the system tells.
    let uid = fs::metadata(node.data_dir()).unwrap().uid();
    let (socket, cli) = (format!("socket:{uid}"), format!("cli:{uid}"));
    for act in [
        "server.set",
        "server.remove",
        "keys.rotate",
        "sign_in.begin",
        "credential.end",
    ] {
        assert_eq!(actor_of(all, act), socket, "{act}");
    }
    for act in ["server.add", "backup"] {
        assert_eq!(actor_of(all, act), cli, "{act}");
    }
    assert_eq!(actor_of(all, "credential.refresh"), "system");
    // With which token, by its id.
    let uses = all.iter().filter(|one| one["act"] == "credential.use");
    for one in uses {
        assert_eq!(
            (&one["actor"], &one["detail"]["token"]),
            (&json!("user:owner"), token)
        );
    }
}

#[tokio::test]
async fn n11_what_a_person_does_is_listed_exported_and_proved() {
    let upstream = Upstream::protected(LIFE).await;
    let node = Claviger::new();
    node.add("up", &upstream.url()).await;
    let gateway = node.serve().await;
    assert_eq!(node.sign_in("up").await.code, 0);
    call(&gateway).await;
    sleep(PAST).await;
    call(&gateway).await;
    node.must(&["server", "set", "up", "--name", "Upstream", "--json"])
        .await;
    node.must(&["keys", "rotate", "--json"]).await;
    let file = node.scratch("backup.db");
    let made = node
        .must(&["backup", "--json", file.to_str().unwrap()])
        .await;
    assert_eq!(made[0]["backup"]["is_recorded"], true, "{made:?}");
    node.must(&["logout", "up", "--json"]).await;
    node.must(&["server", "remove", "up", "--yes", "--json"])
        .await;
    let token = {
        let tokens = listed(&node).await;
        let made = tokens.iter().find(|one| one["act"] == "api_token.create");
        made.unwrap()["object"].clone()
    };
    assert_eq!(gateway.stop().await, 0);

    let all = listed(&node).await;
    let found = acts(&all);
    for act in [
        "api_token.create",
        "audit.end",
        "backup",
        "credential.end",
        "credential.refresh",
        "credential.store",
        "credential.use",
        "keys.rotate",
        "registration.create",
        "server.add",
        "server.remove",
        "server.set",
        "sign_in.begin",
        "sign_in.end",
    ] {
        assert!(found.contains(act), "no {act} in {found:?}");
    }
    everybody_is_named(&node, &all, &token);
    is_whole(&node).await;
    is_proved_elsewhere(&node).await;
    every_change_is_named(&node, &Behind::of(&node)).await;
}

/// Kills come at any time, so several do.
#[tokio::test]
async fn a226_a_killed_gateway_leaves_a_log_that_is_whole() {
    let upstream = Upstream::protected(LIFE).await;
    let mut node = Claviger::new();
    node.set("CLAVIGER_AUDIT_MODE", "strict");
    node.add("up", &upstream.url()).await;
    let mut gateway = node.serve().await;
    assert_eq!(node.sign_in("up").await.code, 0);
    for round in 0..4_u64 {
        let mut calls = JoinSet::new();
        for _ in 0..8 {
            let call = json!({"name": "echo", "arguments": {}});
            let (mcp, token) = (gateway.mcp("up"), gateway.token.clone());
            calls.spawn(async move { ask(rpc(&mcp, Some(&token), "tools/call", &call)).await });
        }
        // Between the first answer and the last.
        let first = calls.join_next().await.unwrap().unwrap();
        assert!(first.json()["result"]["content"].is_array(), "{first:?}");
        sleep(Duration::from_millis(round * 3)).await;
        drop(gateway);
        calls.abort_all();
        while calls.join_next().await.is_some() {}
        is_whole(&node).await;
        gateway = node.serve().await;
    }
    call(&gateway).await;
    assert_eq!(gateway.stop().await, 0);
    is_whole(&node).await;
    // In strict mode no answer went out whose use is not there.
    let all = listed(&node).await;
    let uses = all.iter().filter(|one| one["act"] == "credential.use");
    let counted: u64 = uses.map(|one| one["count"].as_u64().unwrap()).sum();
    assert!(counted >= 5, "{counted}");
}

#[tokio::test]
async fn n11_two_nodes_on_one_database_keep_one_log() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(Duration::from_mins(10)).await;
    let (one, two) = (Claviger::on(&database), Claviger::on(&database));
    let first = one.serve().await;
    two.share_key_of(&one);
    let second = two.serve().await;
    one.add("up", &upstream.url()).await;
    assert_eq!(one.sign_in("up").await.code, 0);
    let since = tokio::time::Instant::now();
    loop {
        let call = json!({"name": "echo", "arguments": {}});
        let mcp = second.mcp("up");
        let answer = ask(rpc(&mcp, Some(&second.token), "tools/call", &call)).await;
        if answer.status.is_success() && answer.json()["result"]["content"].is_array() {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{answer:?}");
        sleep(Duration::from_millis(50)).await;
    }
    call(&first).await;
    two.must(&["keys", "rotate", "--json"]).await;
    assert_eq!(first.stop().await, 0);
    // Dropping it is SIGKILL.
    call(&second).await;
    drop(second);
    is_whole(&one).await;
    is_whole(&two).await;

    let second = two.serve().await;
    call(&second).await;
    assert_eq!(second.stop().await, 0);
    let all = listed(&one).await;
    let uses = all.iter().filter(|one| one["act"] == "credential.use");
    let nodes: BTreeSet<_> = uses.map(|one| one["node"].to_string()).collect();
    assert_eq!(nodes.len(), 2, "{all:?}");
    is_whole(&one).await;
    is_proved_elsewhere(&one).await;
    every_change_is_named(&one, &Behind::Shared(&database)).await;
}
