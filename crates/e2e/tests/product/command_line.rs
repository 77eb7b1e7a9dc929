//! Exit codes, errors a person can act on, and output a program can read.

use core::time::Duration;
use std::fs;

use serde_json::Value;

use crate::support::{Claviger, Ended, Upstream, end};

#[tokio::test]
async fn exit_codes_mean_what_they_say() {
    let claviger = Claviger::new();
    let upstream = Upstream::open().await;
    claviger.add("up", &upstream.url()).await;

    check(&claviger, &["status"], 0).await;
    check(&claviger, &["nonsense"], 2).await;
    check(&claviger, &["login"], 2).await;
    check(
        &claviger,
        &["server", "add", "Not A Slug", "http://127.0.0.1:9/mcp"],
        2,
    )
    .await;
    check(&claviger, &["call", "nosuch", "echo"], 3).await;
    check(
        &claviger,
        &[
            "server",
            "add",
            "up",
            &upstream.url(),
            "--no-discover",
            "--allow-private",
        ],
        3,
    )
    .await;
    // Nothing listens on the discard port.
    let gone = [
        "server",
        "add",
        "gone",
        "http://127.0.0.1:9/mcp",
        "--allow-private",
    ];
    check(&claviger, &gone, 4).await;
}

#[tokio::test]
async fn a_broken_config_file_is_exit_5_and_names_the_file() {
    let claviger = Claviger::new();
    let file = claviger.scratch("broken.toml");
    fs::write(&file, "[server\nlisten = 1").unwrap();

    let path = file.to_str().unwrap();
    let ended = claviger.run(&["--config", path, "status"]).await;
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("broken.toml"), "{ended:?}");
}

#[tokio::test]
async fn an_error_is_one_line_and_at_most_one_hint() {
    let claviger = Claviger::new();
    for words in [
        &["login", "nosuch"][..],
        &["call", "nosuch", "echo"],
        &["server", "show", "nosuch"],
        &[
            "server",
            "add",
            "gone",
            "http://127.0.0.1:9/mcp",
            "--allow-private",
        ],
    ] {
        let ended = claviger.run(words).await;
        let count = |start: &str| {
            ended
                .stderr
                .lines()
                .filter(|line| line.starts_with(start))
                .count()
        };
        assert_eq!(count("error:"), 1, "{words:?}: {ended:?}");
        assert_eq!(count("hint:"), 1, "{words:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "talk on stdout: {words:?}");
        assert!(!ended.stderr.contains("panicked"), "{words:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_private_address_needs_its_allowance() {
    let claviger = Claviger::new();
    let upstream = Upstream::open().await;

    let ended = claviger
        .run(&["server", "add", "up", &upstream.url(), "--json"])
        .await;
    assert_ne!(ended.code, 0, "{ended:?}");
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        told.contains("--allow-private"),
        "the way out is not named: {told}"
    );
    assert_eq!(
        claviger.must(&["server", "list", "--json"]).await,
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn json_is_one_object_per_line_wherever_data_is_printed() {
    let claviger = Claviger::new();
    let upstream = Upstream::protected(Duration::from_mins(10)).await;
    let url = upstream.url();

    let added = ["server", "add", "up", &url, "--allow-private", "--json"];
    let server = has_lines(&claviger, &added).await.pop().unwrap();
    assert_eq!(server["slug"], "up", "{server}");
    assert_eq!(
        server["issuer"].as_str(),
        url.strip_suffix("/mcp"),
        "{server}"
    );
    assert_eq!(server["sign_in"], "yes", "{server}");
    for words in [
        &["server", "list", "--json"][..],
        &["server", "show", "up", "--json"],
        &["status", "--json"],
        &["status", "up", "--json"],
        &["doctor", &url, "--allow-private", "--json"],
        &["server", "remove", "up", "--json"],
    ] {
        has_lines(&claviger, words).await;
    }
}

#[tokio::test]
async fn json_refusals_are_objects_too() {
    let claviger = Claviger::new();
    let ended = claviger.run(&["status", "nosuch", "--json"]).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    let line = ended.lines().pop().expect("an object on stdout");
    assert_eq!(line["error"], "unknown_server", "{line}");
    assert!(line["message"].is_string(), "{line}");
}

#[tokio::test]
async fn no_color_wins_over_forced_colour() {
    let claviger = Claviger::new();
    for words in [
        &["--help"][..],
        &["nonsense"],
        &["login", "nosuch"],
        &["status"],
    ] {
        let mut command = claviger.command(words);
        command.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
        let plain = end(command).await;
        assert!(!is_coloured(&plain), "{words:?}: {plain:?}");
    }
    let mut command = claviger.command(&["login", "nosuch"]);
    command.env("CLICOLOR_FORCE", "1");
    let forced = end(command).await;
    assert!(is_coloured(&forced), "nothing to switch off: {forced:?}");
}

#[tokio::test]
async fn a_pipe_gets_no_colour() {
    let claviger = Claviger::new();
    let ended = claviger.run(&["login", "nosuch"]).await;
    assert!(!is_coloured(&ended), "{ended:?}");
}

async fn check(claviger: &Claviger, words: &[&str], expected: i32) {
    let ended = claviger.run(words).await;
    assert_eq!(ended.code, expected, "{words:?}: {ended:?}");
}

async fn has_lines(claviger: &Claviger, words: &[&str]) -> Vec<Value> {
    let lines = claviger.must(words).await;
    assert!(!lines.is_empty(), "{words:?} prints no object");
    lines
}

fn is_coloured(ended: &Ended) -> bool {
    ended.stdout.contains('\u{1b}') || ended.stderr.contains('\u{1b}')
}
