//! `claviger store`: check, and copy there and back.

use core::time::Duration;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use claviger_testkit::postgres;

use crate::support::{Claviger, Upstream, end};

/// The access token is over at the first call after a copy, so that the refresh token is used.
const LIFE: Duration = Duration::from_secs(2);

const CALL: [&str; 5] = ["call", "up", "echo", "--json", r#"{"word":"hello"}"#];

#[tokio::test]
async fn a_copy_to_postgres_and_back_keeps_a_working_credential() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(LIFE).await;
    let start = Claviger::new();
    start.add("up", &upstream.url()).await;
    assert_eq!(start.sign_in("up").await.code, 0);

    let owner = start.secret_file("owner-url", &database.owner_url());
    let words = ["store", "copy", "--json", "--to-postgres", &owner];
    let dry = start.must(&[&words[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry[0]["copied"]["credentials"], 1, "{dry:?}");
    assert_eq!(
        database.query("SELECT to_regnamespace('claviger') IS NULL"),
        "t"
    );
    let copied = start.must(&words).await;
    assert_eq!(copied[0]["copied"]["credentials"], 1, "{copied:?}");
    assert_eq!(copied[0]["copied"]["registrations"], 1, "{copied:?}");
    let again = start.run(&words).await;
    assert_eq!(again.code, 3, "{again:?}");
    assert_eq!(again.lines()[0]["error"], "not_empty");

    let node = Claviger::on(&database);
    node.share_key_of(&start);
    let checked = node.must(&["store", "check", "--json"]).await;
    assert_eq!(checked[0]["ok"], true, "{checked:?}");
    assert_eq!(checked[0]["checked"]["credentials"], 1, "{checked:?}");
    tokio::time::sleep(Duration::from_millis(2300)).await;
    let said = node.run(&CALL).await;
    assert_eq!(said.code, 0, "{said:?}");

    let back = Claviger::new();
    back.share_key_of(&node);
    let file = back.data_dir().join("claviger.db");
    let words = [
        "store",
        "copy",
        "--json",
        "--to-sqlite",
        file.to_str().unwrap(),
    ];
    node.must(&words).await;
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let checked = back.must(&["store", "check", "--json"]).await;
    assert_eq!(checked[0]["ok"], true, "{checked:?}");
    tokio::time::sleep(Duration::from_millis(2300)).await;
    let said = back.run(&CALL).await;
    assert_eq!(said.code, 0, "{said:?}");

    let counts = upstream.counts();
    assert_eq!(
        (counts.redemptions, counts.registrations),
        (1, 1),
        "{counts:?}"
    );
    assert_eq!(counts.refused_refreshes, 0, "{counts:?}");
}

#[tokio::test]
async fn a_copy_from_sqlite_to_sqlite_refuses_what_is_there_and_a_server_that_runs() {
    let claviger = Claviger::new();
    let target = claviger.scratch("copy.db");
    let words = [
        "store",
        "copy",
        "--json",
        "--to-sqlite",
        target.to_str().unwrap(),
    ];
    let nothing = claviger.run(&words).await;
    assert_eq!(nothing.code, 5, "{nothing:?}");
    assert!(!target.exists());

    claviger.add("up", "http://127.0.0.1:9/mcp").await;
    let gateway = claviger.serve().await;
    let refused = claviger.run(&words).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_eq!(refused.lines()[0]["error"], "server_runs");
    assert_eq!(gateway.stop().await, 0);

    claviger.must(&words).await;
    let refused = claviger.run(&words).await;
    assert_eq!(refused.lines()[0]["error"], "not_empty", "{refused:?}");
}

#[tokio::test]
async fn a205_a_server_that_was_repointed_in_the_database_is_found() {
    let Some(database) = postgres::database() else {
        return;
    };
    let upstream = Upstream::protected(Duration::from_mins(10)).await;
    let node = Claviger::on(&database);
    node.add("up", &upstream.url()).await;
    assert_eq!(node.sign_in("up").await.code, 0);
    node.must(&["store", "check", "--json"]).await;

    database.query("UPDATE claviger.servers SET url = 'http://127.0.0.1:9/mcp'");
    let found = node.run(&["store", "check", "--json"]).await;
    assert_eq!(found.code, 70, "{found:?}");
    let broken = &found.lines()[0]["checked"]["broken"];
    assert!(
        broken.as_array().is_some_and(|broken| !broken.is_empty()),
        "{found:?}"
    );
    assert_eq!(broken[0]["server"], "up", "{found:?}");
}

#[tokio::test]
async fn a_postgres_url_never_reaches_the_terminal() {
    let claviger = Claviger::new();
    fs::DirBuilder::new()
        .mode(0o700)
        .create(claviger.data_dir())
        .unwrap();
    let url = "postgres://app:hunter2@127.0.0.1:9/claviger";
    for words in [
        &["config", "show", "--origin"][..],
        &["config", "show", "--json"],
        &["status", "-vv"],
        &["store", "migrate", "-vv"],
    ] {
        let mut command = claviger.command(words);
        command.env("CLAVIGER_STORE_URL", url);
        let ended = end(command).await;
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!all.contains("hunter2"), "{words:?}: {all}");
        assert_eq!(ended.code == 0, words[0] == "config", "{words:?}: {all}");
    }
}
