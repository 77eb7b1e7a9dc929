//! `claviger backup` and `claviger restore`: made under load, put in place, held, called live.

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use claviger_testkit::postgres;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Claviger, Gateway, Upstream, ask, get, rpc};

/// Whole seconds, because `expires_in` knows no others; long enough for a busy machine.
const LIFE: Duration = Duration::from_secs(3);
const PAST: Duration = Duration::from_millis(3300);
const PATIENCE: Duration = Duration::from_secs(20);

async fn call(gateway: &Gateway) -> Answer {
    let call = json!({"name": "echo", "arguments": {"word": "hello"}});
    let mcp = gateway.mcp("up");
    ask(rpc(&mcp, Some(&gateway.token), "tools/call", &call)).await
}

fn is_done(answer: &Answer) -> bool {
    answer.status.is_success()
        && answer.json()["result"]["content"].is_array()
        && answer.json()["result"]["isError"] != true
}

async fn reason(claviger: &Claviger) -> Value {
    let lines = claviger.must(&["status", "up", "--json"]).await;
    lines[0]["reason"].clone()
}

/// An installation with the key of `other`, which was restored from `file`.
async fn restored(claviger: Claviger, other: &Claviger, words: &[&str]) -> (Claviger, Value) {
    claviger.share_key_of(other);
    let all = [&["restore", "--json"][..], words].concat();
    let lines = claviger.must(&all).await;
    (claviger, lines[0]["restored"].clone())
}

/// A backup that was made while callers go on: what is refreshed meanwhile is whole in it or not
/// in it.
async fn made_under_load(original: &Claviger, gateway: &Gateway) -> PathBuf {
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let call = json!({"name": "echo", "arguments": {"word": "hello"}});
        let (mcp, token) = (gateway.mcp("up"), gateway.token.clone());
        calls.spawn(async move { ask(rpc(&mcp, Some(&token), "tools/call", &call)).await });
    }
    let file = original.scratch("backup.db");
    let words = ["backup", "--json", file.to_str().unwrap()];
    let made = original.must(&words).await[0]["backup"].clone();
    assert_eq!(made["contents"]["credentials"], 1, "{made}");
    assert_eq!(made["contents"]["broken"], json!([]), "{made}");
    assert!(made["contents"]["opened"].as_u64() >= Some(2), "{made}");
    assert_eq!(made["contents"]["kek_ids"].as_array().unwrap().len(), 1);
    for answer in calls.join_all().await {
        assert!(is_done(&answer), "{answer:?}");
    }
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = original.run(&words).await;
    assert_eq!(
        (again.code, again.lines()[0]["error"].clone()),
        (3, json!("file_exists"))
    );
    file
}

async fn says_that_it_is_held(copy: &Claviger, gateway: &Gateway) {
    let ready = ask(get(&format!("{}/readyz", gateway.origin))).await;
    assert!(
        ready.status.is_success() && ready.text.contains("held"),
        "{ready:?}"
    );
    let refused = call(gateway).await;
    assert!(
        !is_done(&refused) && refused.text.contains("--confirm-live"),
        "{refused:?}"
    );
    let held = copy.must(&["status", "up", "--json"]).await;
    assert!(
        held[0]["hint"].as_str().unwrap().contains("--confirm-live"),
        "{held:?}"
    );
    let login = copy.run(&["login", "up", "--no-browser", "--json"]).await;
    assert_ne!(login.code, 0, "{login:?}");
}

#[tokio::test]
async fn f31_f33_an_old_backup_is_held_then_confirmed_and_tells_what_it_lost() {
    let upstream = Upstream::protected(LIFE).await;
    let original = Claviger::new();
    let gateway = original.serve().await;
    original.add("up", &upstream.url()).await;
    assert_eq!(original.sign_in("up").await.code, 0);

    let file = made_under_load(&original, &gateway).await;

    // The hour after the backup: the issuer rotates.
    sleep(PAST).await;
    assert!(is_done(&call(&gateway).await));
    let rotated = upstream.counts();
    assert!(rotated.refreshes >= 1, "{rotated:?}");
    let running = original
        .run(&["restore", "--json", file.to_str().unwrap()])
        .await;
    assert_eq!(
        (running.code, running.lines()[0]["error"].clone()),
        (3, json!("server_runs"))
    );
    assert_eq!(gateway.stop().await, 0);

    let words = [file.to_str().unwrap()];
    let (copy, done) = restored(Claviger::new(), &original, &words).await;
    assert_eq!(
        (done["is_held"].clone(), done["restore_epoch"].clone()),
        (json!(true), json!(1))
    );
    let gateway = copy.serve().await;
    assert_eq!(gateway.ready["held"], true);
    says_that_it_is_held(&copy, &gateway).await;
    assert_eq!(
        upstream.counts().refused_refreshes,
        0,
        "a held copy sends nothing"
    );

    copy.must(&["restore", "--confirm-live", "--json"]).await;
    let since = Instant::now();
    while reason(&copy).await != "restored" {
        assert!(!is_done(&call(&gateway).await));
        assert!(since.elapsed() < PATIENCE, "{}", gateway.log());
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(upstream.counts().refused_refreshes, 1);
    assert_eq!(copy.sign_in("up").await.code, 0);
    assert!(is_done(&call(&gateway).await));
}

#[tokio::test]
async fn f31_a_backup_that_nothing_happened_after_goes_on_without_a_sign_in() {
    let upstream = Upstream::protected(LIFE).await;
    let original = Claviger::new();
    original.add("up", &upstream.url()).await;
    assert_eq!(original.sign_in("up").await.code, 0);
    let file = original.scratch("backup.db");
    original
        .must(&["backup", "--json", file.to_str().unwrap()])
        .await;

    let words = ["--live", file.to_str().unwrap()];
    let (copy, done) = restored(Claviger::new(), &original, &words).await;
    assert_eq!(done["is_held"], false, "{done}");
    let gateway = copy.serve().await;
    assert!(is_done(&call(&gateway).await));
    // The walk after the start renews it, without anybody asking for it.
    let since = Instant::now();
    while upstream.counts().refreshes == 0 {
        assert!(since.elapsed() < PATIENCE, "{}", gateway.log());
        sleep(Duration::from_millis(50)).await;
    }
    sleep(PAST).await;
    assert!(is_done(&call(&gateway).await), "{}", gateway.log());
    let counts = upstream.counts();
    assert_eq!(
        (counts.redemptions, counts.refused_refreshes),
        (1, 0),
        "{counts:?}"
    );
}

#[tokio::test]
async fn f32_another_key_refuses_says_which_and_writes_nothing() {
    let original = Claviger::new();
    original.add("up", "http://127.0.0.1:9/mcp").await;
    let file = original.scratch("backup.db");
    let made = original
        .must(&["backup", "--json", file.to_str().unwrap()])
        .await;
    let wanted = made[0]["backup"]["contents"]["kek_ids"][0]
        .as_str()
        .unwrap()
        .to_owned();

    let (other, stranger) = (Claviger::new(), Claviger::new());
    stranger.add("mine", "http://127.0.0.1:9/mcp").await;
    other.share_key_of(&stranger);
    let refused = other.run(&["restore", file.to_str().unwrap()]).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains(&wanted), "{refused:?}");
    let left: Vec<_> = fs::read_dir(other.data_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("claviger.db"))
        .collect();
    assert_eq!(left, Vec::<String>::new());

    // Nor is what is there replaced by what does not open.
    let before = fs::read(stranger.data_dir().join("claviger.db")).unwrap();
    let words = ["restore", "--replace", file.to_str().unwrap()];
    assert_eq!(stranger.run(&words).await.code, 5);
    assert_eq!(
        fs::read(stranger.data_dir().join("claviger.db")).unwrap(),
        before
    );
}

#[tokio::test]
async fn f35_a_damaged_database_is_not_served_and_a_backup_takes_its_place() {
    let claviger = Claviger::new();
    for number in 0..12 {
        claviger
            .add(&format!("up{number}"), "http://127.0.0.1:9/mcp")
            .await;
    }
    let file = claviger.scratch("backup.db");
    claviger
        .must(&["backup", "--json", file.to_str().unwrap()])
        .await;
    let database = claviger.data_dir().join("claviger.db");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 4_096 / 2 * 4_096;
    bytes[middle..middle + 16].fill(0xff);
    fs::write(&database, &bytes).unwrap();

    let refused = claviger.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("claviger restore --replace"),
        "{refused:?}"
    );
    let there = claviger
        .run(&["restore", "--json", file.to_str().unwrap()])
        .await;
    assert_eq!(there.lines()[0]["error"], "not_empty", "{there:?}");
    let words = [
        "restore",
        "--json",
        "--replace",
        "--live",
        file.to_str().unwrap(),
    ];
    let done = claviger.must(&words).await;
    let aside = done[0]["restored"]["moved_aside"].as_str().unwrap();
    assert_eq!(
        fs::read(aside).unwrap(),
        bytes,
        "nothing of the old one is lost"
    );
    assert_eq!(claviger.serve().await.stop().await, 0);

    // F35: a backup whose own pages were hurt is no backup.
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 4_096 / 2 * 4_096;
    bytes[middle..middle + 16].fill(0xff);
    fs::write(&file, &bytes).unwrap();
    let refused = claviger.run(&words).await;
    assert_eq!(refused.code, 5, "{refused:?}");
}

#[tokio::test]
async fn f33_a_data_directory_does_not_follow_another_installation() {
    let (one, two) = (Claviger::new(), Claviger::new());
    for claviger in [&one, &two] {
        claviger.add("up", "http://127.0.0.1:9/mcp").await;
    }
    // As a person might who means well: the files, and all of them.
    for name in ["claviger.db", "claviger.db-wal", "claviger.db-shm", "key"] {
        let (from, to) = (one.data_dir().join(name), two.data_dir().join(name));
        if to.exists() {
            fs::remove_file(&to).unwrap();
        }
        if from.exists() {
            fs::copy(from, to).unwrap();
        }
    }
    let refused = two.run(&["status"]).await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("restore --confirm-live"),
        "{refused:?}"
    );
    two.must(&["restore", "--confirm-live", "--json"]).await;
    two.must(&["status", "--json"]).await;
}

#[tokio::test]
async fn f09_a_backup_of_postgres_is_one_file_that_either_backend_takes_back() {
    let (Some(first), Some(second)) = (postgres::database(), postgres::database()) else {
        return;
    };
    let upstream = Upstream::protected(LIFE).await;
    let node = Claviger::on(&first);
    let gateway = node.serve().await;
    node.add("up", &upstream.url()).await;
    assert_eq!(node.sign_in("up").await.code, 0);
    let file = node.scratch("backup.db");
    let made = node
        .must(&["backup", "--json", file.to_str().unwrap()])
        .await;
    assert_eq!(made[0]["backup"]["contents"]["credentials"], 1, "{made:?}");
    assert_eq!(gateway.stop().await, 0);

    let words = [file.to_str().unwrap()];
    let (elsewhere, done) = restored(Claviger::on(&second), &node, &words).await;
    assert_eq!(done["is_held"], true, "{done}");
    let full = elsewhere.run(&["restore", "--json", words[0]]).await;
    assert_eq!(full.lines()[0]["error"], "not_empty", "{full:?}");
    let checked = elsewhere.must(&["store", "check", "--json"]).await;
    assert_eq!(checked[0]["checked"]["credentials"], 1, "{checked:?}");

    let words = ["--live", file.to_str().unwrap()];
    let (small, _) = restored(Claviger::new(), &node, &words).await;
    sleep(PAST).await;
    let said = small
        .run(&["call", "up", "echo", "--json", r#"{"word":"hello"}"#])
        .await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(upstream.counts().refused_refreshes, 0);
}
