//! `claviger keys`, under traffic, on both databases, and what the process gives up.

use core::time::Duration;
use std::fs;
use std::path::Path;

use claviger_testkit::postgres;
use serde_json::Value;

use crate::support::{Claviger, Gateway, Upstream};

const CALL: [&str; 5] = ["call", "up", "echo", "--json", r#"{"word":"hello"}"#];

/// The access token is over soon, so that calls refresh while keys are turned.
const LIFE: Duration = Duration::from_secs(2);

fn summary(lines: &[Value]) -> &Value {
    let is_summary = |line: &&Value| line["line"] == "key_summary";
    lines.iter().find(is_summary).unwrap()
}

/// A new key file takes the place of the one in the data directory, which only unwraps from now on.
async fn new_kek(node: &mut Claviger) {
    let data = node.data_dir();
    let old = node.secret_file("old-key", &fs::read_to_string(data.join("key")).unwrap());
    fs::remove_file(data.join("key")).unwrap();
    node.must(&["keys", "new", data.join("key").to_str().unwrap(), "--json"])
        .await;
    node.set("CLAVIGER_KEYS_OLD_FILES", &old);
}

async fn kek_ids(node: &Claviger) -> Vec<String> {
    let keys = node.must(&["keys", "list", "--json"]).await;
    let wrapped = keys.iter().filter(|key| key["purpose"] != "sentinel");
    let mut ids: Vec<_> = wrapped.map(|key| key["kek_id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    ids
}

#[tokio::test]
async fn n10_keys_and_key_file_are_changed_under_a_running_gateway() {
    let upstream = Upstream::protected(LIFE).await;
    let mut node = Claviger::new();
    node.add("up", &upstream.url()).await;
    assert_eq!(node.sign_in("up").await.code, 0);
    let gateway = node.serve().await;
    let dry = node.must(&["keys", "rotate", "--dry-run", "--json"]).await;
    assert_eq!(summary(&dry)["renewed"], 3, "{dry:?}");
    let before = node.must(&["keys", "list", "--json"]).await;

    // Calls go on all the time; every few of them refreshes.
    let calling = async {
        for _ in 0..6 {
            let said = node.run(&CALL).await;
            assert_eq!(said.code, 0, "{said:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let turning = async {
        for _ in 0..3 {
            let turned = node.must(&["keys", "rotate", "--json"]).await;
            assert_eq!(summary(&turned)["broken"], 0, "{turned:?}");
        }
    };
    tokio::join!(calling, turning);
    let after = node.must(&["keys", "list", "--json"]).await;
    assert_eq!(after.len(), before.len() + 9, "{after:?}");
    let verified = node.must(&["keys", "verify", "--all", "--json"]).await;
    assert!(
        summary(&verified)["opened"].as_u64() >= Some(2),
        "{verified:?}"
    );
    assert_eq!(gateway.stop().await, 0);

    // Another key file: first it only wraps what is new, then everything, then the old one may go.
    let old = kek_ids(&node).await;
    new_kek(&mut node).await;
    let gateway = node.serve().await;
    assert_eq!(kek_ids(&node).await, old);
    let wrapped = node.must(&["keys", "rotate", "--kek", "--json"]).await;
    assert_eq!(summary(&wrapped)["rewrapped"], 13, "{wrapped:?}");
    let again = node.must(&["keys", "rotate", "--kek", "--json"]).await;
    assert_eq!(summary(&again)["rewrapped"], 0, "{again:?}");
    assert_eq!(node.run(&CALL).await.code, 0);
    assert_eq!(gateway.stop().await, 0);
    assert!(kek_ids(&node).await != old);
    node.set("CLAVIGER_KEYS_OLD_FILES", "");
    tokio::time::sleep(LIFE).await;
    let said = node.run(&CALL).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(upstream.counts().refused_refreshes, 0);
}

#[tokio::test]
async fn n10_a_dry_run_foretells_what_the_rotation_then_tells() {
    let upstream = Upstream::protected(LIFE).await;
    let node = Claviger::new();
    node.add("up", &upstream.url()).await;
    assert_eq!(node.sign_in("up").await.code, 0);
    let listed = || node.must(&["keys", "list", "--json"]);
    let before = listed().await;
    let of = |lines: &[Value], word: &str| -> Vec<Value> {
        let found = lines.iter().filter(|line| line["line"] == word);
        found.cloned().collect()
    };
    let words = ["keys", "rotate", "--json"];
    let dry = node.must(&[&words[..], &["--dry-run"]].concat()).await;
    assert_eq!(listed().await, before, "a dry run does nothing");
    assert_eq!(summary(&dry)["dry_run"], true, "{dry:?}");
    let wet = node.must(&words).await;
    for member in ["renewed", "resealed", "broken"] {
        assert_eq!(summary(&dry)[member], summary(&wet)[member], "{member}");
    }
    assert!(summary(&wet)["resealed"].as_u64() >= Some(2), "{wet:?}");
    assert_eq!(of(&dry, "key_step"), of(&wet, "key_step"));
    let told = of(&wet, "key_progress").pop().unwrap();
    assert_eq!(told["done"], told["total"], "{wet:?}");
    assert_eq!(told["done"], summary(&wet)["resealed"], "{wet:?}");
    // And so does the proof.
    let proved = node.must(&["keys", "verify", "--all", "--json"]).await;
    let told = of(&proved, "key_progress").pop().unwrap();
    assert_eq!(told["done"], told["total"], "{proved:?}");
    assert_eq!(told["done"], summary(&proved)["opened"], "{proved:?}");
}

#[tokio::test]
async fn a207_a208_a_key_that_is_left_out_too_early_is_named_and_nothing_is_written() {
    let upstream = Upstream::protected(LIFE).await;
    let mut node = Claviger::new();
    node.add("up", &upstream.url()).await;
    assert_eq!(node.sign_in("up").await.code, 0);
    let old = kek_ids(&node).await;
    new_kek(&mut node).await;
    node.set("CLAVIGER_KEYS_OLD_FILES", "");
    let database = node.data_dir().join("claviger.db");
    let before = fs::read(&database).unwrap();
    for words in [
        &["serve", "--json"][..],
        &["status", "--json"],
        &["keys", "list", "--json"],
        &["keys", "rotate", "--kek", "--json"],
    ] {
        let refused = node.run(words).await;
        assert_eq!(refused.code, 5, "{words:?}: {refused:?}");
        let id = old[0].trim_matches('"');
        assert!(refused.stderr.contains(id), "{refused:?}");
        assert!(refused.stderr.contains("hint: "), "{refused:?}");
    }
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[tokio::test]
async fn a207_a_wrong_key_writes_nothing_into_postgres() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(LIFE).await;
    let node = Claviger::on(&database);
    node.add("up", &upstream.url()).await;
    assert_eq!(node.sign_in("up").await.code, 0);
    let turned = node.must(&["keys", "rotate", "--json"]).await;
    assert_eq!(summary(&turned)["renewed"], 3, "{turned:?}");
    let all = "SELECT string_agg(t::text, ';' ORDER BY t::text) FROM claviger.vault_keys AS t";
    let before = database.query(all);
    let right = fs::read_to_string(node.data_dir().join("key")).unwrap();
    let wrong = node.scratch("wrong");
    node.must(&["keys", "new", wrong.to_str().unwrap(), "--json"])
        .await;
    fs::copy(&wrong, node.data_dir().join("key")).unwrap();
    let refused = node.run(&["server", "list", "--json"]).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert_eq!(database.query(all), before);
    fs::write(node.data_dir().join("key"), right).unwrap();
    assert_eq!(node.run(&CALL).await.code, 0);
    let verified = node.must(&["keys", "verify", "--all", "--json"]).await;
    assert_eq!(summary(&verified)["broken"], 0, "{verified:?}");
}

#[tokio::test]
async fn a210_a_key_from_the_environment_is_said_and_never_shown() {
    let key = Claviger::new();
    key.must(&["server", "list", "--json"]).await;
    let text = fs::read_to_string(key.data_dir().join("key")).unwrap();
    let mut node = Claviger::new();
    node.set("CLAVIGER_KEYS_SOURCE", "env");
    let refused = node.run(&["server", "list", "--json"]).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(!node.data_dir().join("key").exists());
    node.set("CLAVIGER_KEY", text.trim());
    let mut all = String::new();
    for words in [
        &["keys", "list"][..],
        &["config", "show", "--origin"],
        &["config", "show", "--json"],
        &["keys", "verify", "--all", "-vv"],
    ] {
        let ended = node.run(words).await;
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        all.push_str(&ended.stdout);
        all.push_str(&ended.stderr);
    }
    assert!(all.contains("CLAVIGER_KEY"), "{all}");
    let secret = text.trim().trim_start_matches("claviger-kek-1:");
    for piece in secret.as_bytes().windows(12) {
        let is_shown = all.as_bytes().windows(12).any(|found| found == piece);
        assert!(!is_shown, "{all}");
    }
    assert!(!node.data_dir().join("key").exists());
}

fn core_limit(gateway: &Gateway) -> Option<String> {
    let pid = gateway.ready["pid"].as_u64()?;
    let limits =
        fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("limits")).ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))?;
    Some(
        line.split_whitespace()
            .skip(4)
            .take(2)
            .collect::<Vec<_>>()
            .join(" "),
    )
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a211_the_server_leaves_no_core() {
    let gateway = Claviger::new().serve().await;
    assert_eq!(core_limit(&gateway).as_deref(), Some("0 0"));
    assert_eq!(gateway.stop().await, 0);
}
