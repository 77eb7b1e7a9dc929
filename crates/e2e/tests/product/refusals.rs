//! Databases that a command must not touch: one that somebody else holds, and one that this version
//! would misread.

use std::fs;
use std::process;

use claviger_testkit::postgres;
use sqlx::{Connection as _, raw_sql};

use crate::support::{Claviger, sqlite};

const NOWHERE: &str = "http://127.0.0.1:9/mcp";

// F36: a bounded wait, and then an end that a script can tell from a failure.
#[tokio::test]
async fn f36_a_locked_database_is_code_75_and_the_hint_names_who_holds_it() {
    let claviger = Claviger::new();
    claviger.add("up", NOWHERE).await;
    let mut holder = sqlite::open(&claviger.data_dir().join("claviger.db")).await;
    raw_sql("BEGIN IMMEDIATE")
        .execute(&mut holder)
        .await
        .unwrap();
    let refused = claviger.run(&["server", "list", "--json"]).await;
    assert_eq!(refused.code, 75, "{refused:?}");
    let line = &refused.lines()[0];
    assert_eq!(line["error"], "busy", "{line}");
    let hint = line["hint"].as_str().unwrap();
    assert!(
        !hint.contains('\n') && hint.contains("in a moment"),
        "{hint}"
    );
    if cfg!(target_os = "linux") {
        // The lock is this test's.
        let us = format!("process {} (", process::id());
        assert!(hint.contains(&us), "{hint}");
    }
    raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    claviger.must(&["server", "list", "--json"]).await;
}

#[tokio::test]
async fn f34_a_later_version_marks_a_file_that_this_one_would_misread() {
    let claviger = Claviger::new();
    claviger.add("up", NOWHERE).await;
    let file = claviger.data_dir().join("claviger.db");
    let later = "UPDATE needs SET format = format + 1, version = '9.9.9'";
    sqlite::change(&file, later).await;
    let before = fs::read(&file).unwrap();
    let backup = claviger.scratch("backup.db");
    for words in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["server", "list"],
        &["keys", "rotate"],
        &["backup", backup.to_str().unwrap()],
        &["store", "migrate"],
        &["store", "check"],
    ] {
        let refused = claviger.run(words).await;
        assert_eq!(refused.code, 5, "{words:?}: {refused:?}");
        assert!(refused.stderr.contains("Claviger 9.9.9"), "{refused:?}");
        assert!(refused.stderr.contains("hint: "), "{refused:?}");
        assert!(!refused.stderr.contains("panicked"), "{refused:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!backup.exists());
    // That version takes its mark back, or is the one that runs.
    sqlite::change(&file, "UPDATE needs SET format = format - 1").await;
    claviger.must(&["server", "list", "--json"]).await;
}

#[tokio::test]
async fn f34_a_later_version_marks_a_shared_database_that_this_one_would_misread() {
    let Some(database) = postgres::database() else {
        return;
    };
    let node = Claviger::on(&database);
    node.add("up", NOWHERE).await;
    let update = "UPDATE claviger.needs SET version = '9.9.9', format = format";
    database.query(&format!("{update} + 1"));
    let rows = || database.query("SELECT * FROM claviger.needs, claviger.epochs ORDER BY 4");
    let before = rows();
    for words in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["server", "list"],
        &["store", "migrate"],
    ] {
        let refused = node.run(words).await;
        assert_eq!(refused.code, 5, "{words:?}: {refused:?}");
        assert!(refused.stderr.contains("Claviger 9.9.9"), "{refused:?}");
        assert!(refused.stderr.contains("hint: "), "{refused:?}");
    }
    assert_eq!(rows(), before);
    database.query(&format!("{update} - 1"));
    node.must(&["server", "list", "--json"]).await;
}

// What a default build cannot do is said before anything is written.
#[tokio::test]
async fn a_recipient_in_a_build_without_age_is_refused() {
    let claviger = Claviger::new();
    claviger.add("up", NOWHERE).await;
    let file = claviger.scratch("backup.age");
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let words = ["backup", "--recipient", recipient, file.to_str().unwrap()];
    let ended = claviger.run(&words).await;
    // A build with it makes one.
    if ended.code == 0 {
        assert!(fs::read(&file).unwrap().starts_with(b"age-encryption.org/"));
        return;
    }
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("feature `age`"), "{ended:?}");
    assert!(!file.exists());
}
