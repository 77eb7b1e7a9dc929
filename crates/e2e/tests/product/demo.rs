//! The newcomer's first command.

use core::time::Duration;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::support::{Claviger, ask, end, rpc};

#[tokio::test]
async fn the_demo_comes_through_and_shows_its_steps() {
    let claviger = Claviger::new();
    let mut command = claviger.command(&["demo"]);
    // Where nothing of the person's is named, nothing of the person's may be touched.
    command.env_remove("CLAVIGER_DATA_DIR");
    let ended = end(command).await;

    assert_eq!(ended.code, 0, "{ended:?}");
    let told = format!("{}{}", ended.stdout, ended.stderr).to_lowercase();
    for step in ["discover", "regist", "sign", "token", "refresh", "call"] {
        assert!(told.contains(step), "no word of `{step}` in:\n{told}");
    }
    assert!(
        told.contains(" ms") || told.contains("ms)"),
        "no times in:\n{told}"
    );
    for prefix in ["clv_at_", "clv_rt_", "clv_ac_"] {
        let secrets = told.match_indices(prefix).filter(|(at, _)| {
            let value = told.get(at + prefix.len()..).unwrap_or("");
            value
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .count()
                > 16
        });
        assert_eq!(secrets.count(), 0, "a whole token in:\n{told}");
    }
}

#[tokio::test]
async fn a_kept_demo_answers_a_protected_call() {
    let claviger = Claviger::new();
    let mut child = claviger
        .command(&["demo", "--keep", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let kept = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let value: Value = serde_json::from_str(&line).expect("a JSON object per line");
            if value["gateway"].is_string() {
                return value;
            }
        }
        panic!("the demo ended without saying where it is");
    };
    let kept = timeout(Duration::from_secs(20), kept)
        .await
        .expect("in time");

    let token = std::fs::read_to_string(kept["token_file"].as_str().unwrap()).unwrap();
    let url = kept["server_url"].as_str().unwrap();
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "e2e", "version": "1"},
    });
    let bare = ask(rpc(url, None, "initialize", &hello)).await;
    assert_eq!(bare.status.as_u16(), 401);
    let answer = ask(rpc(url, Some(token.trim()), "initialize", &hello)).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    assert!(
        answer.json()["result"]["serverInfo"].is_object(),
        "{answer:?}"
    );
    child.kill().await.unwrap();
}
