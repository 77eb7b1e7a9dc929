//! One refresh per credential, however many callers and processes wait for it.

use core::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Claviger, Upstream, ask, end, rpc};

/// Whole seconds, because `expires_in` knows no others.
const LIFE: Duration = Duration::from_secs(2);
const PAST: Duration = Duration::from_millis(2300);

#[tokio::test]
async fn eight_parallel_calls_through_the_gateway_are_one_refresh() {
    let claviger = Claviger::new();
    let upstream = Upstream::protected(LIFE).await;
    claviger.add("up", &upstream.url()).await;
    let gateway = claviger.serve().await;
    assert_eq!(claviger.sign_in("up").await.code, 0);
    sleep(PAST).await;

    let before = upstream.counts();
    let mut calls = JoinSet::new();
    for number in 0..8 {
        let call = json!({"name": "echo", "arguments": {"number": number}});
        calls.spawn(ask(rpc(
            &gateway.mcp("up"),
            Some(&gateway.token),
            "tools/call",
            &call,
        )));
    }
    for answer in calls.join_all().await {
        assert!(answer.json()["result"]["content"].is_array(), "{answer:?}");
    }
    let after = upstream.counts();
    assert_eq!(after.refreshes - before.refreshes, 1, "{after:?}");
    assert_eq!(after.refused_refreshes, 0, "{after:?}");
}

#[tokio::test]
async fn two_processes_with_eight_calls_are_one_refresh() {
    let claviger = Claviger::new();
    // Long enough that eight processes on a slow machine take their turn within one life.
    let upstream = Upstream::protected(Duration::from_secs(6)).await;
    claviger.add("up", &upstream.url()).await;
    assert_eq!(claviger.sign_in("up").await.code, 0);
    sleep(Duration::from_millis(6300)).await;

    let before = upstream.counts();
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let command = claviger.command(&["call", "up", "echo", "--json", r#"{"word":"hello"}"#]);
        calls.spawn(end(command));
    }
    for ended in calls.join_all().await {
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let after = upstream.counts();
    assert_eq!(after.refreshes - before.refreshes, 1, "{after:?}");
    assert_eq!(after.refused_refreshes, 0, "{after:?}");
    assert_eq!(after.redemptions, 1, "{after:?}");
}

#[tokio::test]
async fn a_restart_after_a_kill_needs_no_second_sign_in() {
    let claviger = Claviger::new();
    let upstream = Upstream::protected(LIFE).await;
    claviger.add("up", &upstream.url()).await;
    let gateway = claviger.serve().await;
    assert_eq!(claviger.sign_in("up").await.code, 0);
    // Dropping it is SIGKILL.
    drop(gateway);
    sleep(PAST).await;

    let gateway = claviger.serve().await;
    let call = json!({"name": "echo", "arguments": {}});
    let answer = ask(rpc(
        &gateway.mcp("up"),
        Some(&gateway.token),
        "tools/call",
        &call,
    ))
    .await;
    assert!(answer.json()["result"]["content"].is_array(), "{answer:?}");
    let counts = upstream.counts();
    assert_eq!(
        (counts.redemptions, counts.registrations),
        (1, 1),
        "{counts:?}"
    );
}
