//! Several nodes on one PostgreSQL database.

use core::time::Duration;
use std::fs;

use claviger_testkit::postgres;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Claviger, Gateway, Upstream, ask, rpc};

/// Whole seconds, because `expires_in` knows no others; long enough for a busy machine.
const LIFE: Duration = Duration::from_secs(4);
const PAST: Duration = Duration::from_millis(4300);

async fn call(gateway: &Gateway) -> Answer {
    let call = json!({"name": "echo", "arguments": {"word": "hello"}});
    let mcp = gateway.mcp("up");
    ask(rpc(&mcp, Some(&gateway.token), "tools/call", &call)).await
}

fn is_done(answer: &Answer) -> bool {
    answer.status.is_success() && answer.json()["result"]["content"].is_array()
}

#[tokio::test]
async fn n14_two_nodes_are_one_gateway_and_one_refresh() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(LIFE).await;
    let (one, two) = (Claviger::on(&database), Claviger::on(&database));
    let first = one.serve().await;
    two.share_key_of(&one);
    let second = two.serve().await;
    assert_ne!(
        first.token, second.token,
        "each node has a token of its own"
    );

    // Through the admin socket of the first node, which serves.
    one.add("up", &upstream.url()).await;
    let signed_in = one.sign_in("up").await;
    assert_eq!(signed_in.code, 0, "{signed_in:?}");
    let since = Instant::now();
    while !is_done(&call(&second).await) {
        // The poll is every 250 ms; the rest is patience with a busy machine.
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "{}",
            second.log()
        );
        sleep(Duration::from_millis(50)).await;
    }

    sleep(PAST).await;
    let before = upstream.counts();
    let mut calls = JoinSet::new();
    for number in 0..8 {
        let gateway = if number % 2 == 0 { &first } else { &second };
        let call = json!({"name": "echo", "arguments": {"number": number}});
        let (mcp, token) = (gateway.mcp("up"), gateway.token.clone());
        calls.spawn(async move { ask(rpc(&mcp, Some(&token), "tools/call", &call)).await });
    }
    for answer in calls.join_all().await {
        assert!(is_done(&answer), "{answer:?}");
    }
    let after = upstream.counts();
    assert_eq!(after.refreshes - before.refreshes, 1, "{after:?}");
    assert_eq!(after.refused_refreshes, 0, "{after:?}");

    // Dropping it is SIGKILL.
    drop(first);
    sleep(PAST).await;
    let answer = call(&second).await;
    assert!(is_done(&answer), "{answer:?}\n{}", second.log());
    let counts = upstream.counts();
    assert_eq!(
        (counts.redemptions, counts.registrations),
        (1, 1),
        "{counts:?}"
    );
    // The first node's token is still good, for when it comes back.
    let first = one.serve().await;
    assert!(is_done(&call(&first).await), "{}", first.log());
}

#[tokio::test]
async fn a207_a_node_with_another_key_refuses_to_start_and_writes_nothing() {
    let Some(database) = postgres::database() else {
        return;
    };
    let one = Claviger::on(&database);
    assert_eq!(one.serve().await.stop().await, 0);
    let rows = || {
        let counts = ["vault_keys", "api_tokens", "servers", "epochs"].map(|table| {
            let all =
                format!("SELECT string_agg(t::text, ';' ORDER BY t::text) FROM claviger.{table} t");
            database.query(&all)
        });
        counts.join("|")
    };
    let before = rows();

    // Without a key file.
    let two = Claviger::on(&database);
    let refused = two.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("key file"), "{refused:?}");
    assert!(!two.data_dir().join("key").exists());
    assert!(!two.data_dir().join("token").exists());

    // With that of another installation.
    let other = Claviger::new();
    assert_eq!(other.serve().await.stop().await, 0);
    fs::copy(other.data_dir().join("key"), two.data_dir().join("key")).unwrap();
    let refused = two.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("same one"), "{refused:?}");
    assert!(!two.data_dir().join("token").exists());
    assert_eq!(rows(), before);
}

#[tokio::test]
async fn a_role_that_may_not_migrate_is_told_what_to_do() {
    let Some(database) = postgres::database() else {
        return;
    };
    let node = Claviger::new();
    let url = node.secret_file("url", &database.url());
    let mut command = node.command(&["status"]);
    command.env("CLAVIGER_STORE_URL_FILE", &url);
    let refused = crate::support::end(command).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("claviger store migrate"),
        "{refused:?}"
    );

    let owner = node.secret_file("owner-url", &database.owner_url());
    for (words, with_owner) in [(["store", "migrate"], true), (["server", "list"], false)] {
        let mut command = node.command(&words);
        command.env("CLAVIGER_STORE_URL_FILE", &url);
        if with_owner {
            command.env("CLAVIGER_STORE_OWNER_URL_FILE", &owner);
        }
        let ended = crate::support::end(command).await;
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
    }
}
