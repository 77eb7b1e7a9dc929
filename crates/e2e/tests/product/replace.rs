//! `claviger restore --replace` on PostgreSQL, behind `PgBouncer` as well.

use core::time::Duration;
use std::path::PathBuf;

use claviger_testkit::postgres::{self, Bouncer, Database};
use serde_json::{Value, json};

use crate::support::{Claviger, Upstream};

const CALL: [&str; 5] = ["call", "up", "echo", "--json", r#"{"word":"hello"}"#];

async fn slugs(node: &Claviger) -> Vec<String> {
    let servers = node.must(&["server", "list", "--json"]).await;
    let slug = |server: &Value| server["slug"].as_str().unwrap().to_owned();
    let mut slugs: Vec<_> = servers.iter().map(slug).collect();
    slugs.sort();
    slugs
}

async fn backup(node: &Claviger, name: &str) -> PathBuf {
    let file = node.scratch(name);
    node.must(&["backup", "--json", file.to_str().unwrap()])
        .await;
    file
}

fn schemas(database: &Database) -> Vec<String> {
    let all = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'claviger%' ORDER BY 1";
    database.query(all).lines().map(str::to_owned).collect()
}

/// The refusal of a restore that is to leave everything as it is.
async fn refused(node: &Claviger, words: &[&str], code: i32, error: &str) {
    let ended = node.run(&[&["restore", "--json"], words].concat()).await;
    assert_eq!(ended.code, code, "{ended:?}");
    assert_eq!(ended.lines()[0]["error"], json!(error), "{ended:?}");
}

#[tokio::test]
async fn f31_f33_a_backup_takes_the_place_of_a_shared_database_that_nobody_uses() {
    let Some(database) = postgres::database() else {
        return;
    };
    let Some(bouncer) = Bouncer::start(&database) else {
        return;
    };
    let upstream = Upstream::protected(Duration::from_mins(10)).await;
    let node = || Claviger::at(&bouncer.url(), &bouncer.owner_url());
    let (one, two) = (node(), node());
    one.add("up", &upstream.url()).await;
    assert_eq!(one.sign_in("up").await.code, 0);
    let file = backup(&one, "backup.db").await;
    let words = ["--replace", "--live", file.to_str().unwrap()];
    one.add("later", "http://127.0.0.1:9/mcp").await;

    // Another machine serves: it would go on with what it remembers.
    two.share_key_of(&one);
    let gateway = two.serve().await;
    refused(&one, &words, 3, "in_use").await;
    assert_eq!(gateway.stop().await, 0);
    refused(&one, &words[1..], 3, "not_empty").await;
    refused_with_another_key(node(), &words).await;
    assert_eq!(slugs(&one).await, ["later", "up"]);
    assert_eq!(schemas(&database), ["claviger"]);

    let done = one
        .must(&[&["restore", "--json"], &words[..]].concat())
        .await;
    let done = done[0]["restored"].clone();
    assert_eq!(done["restore_epoch"], 1, "{done}");
    let aside = done["moved_aside"].as_str().unwrap();
    let aside = aside.strip_prefix("the schema ").unwrap().to_owned();
    assert_eq!(schemas(&database), ["claviger", aside.as_str()]);
    assert_eq!(slugs(&one).await, ["up"]);
    let kept = format!("SELECT slug FROM {aside}.servers ORDER BY 1");
    assert_eq!(database.query(&kept), "later\nup");
    let said = one.run(&CALL).await;
    assert_eq!(said.code, 0, "{said:?}");
    // A data directory that remembers the first life follows into the second, and the other one
    // takes no part in it.
    let gateway = two.serve().await;
    assert_eq!(gateway.stop().await, 0);
    let fence = format!(
        "SELECT has_schema_privilege('claviger_test_app', '{aside}', 'USAGE'),
             has_schema_privilege('claviger_test_app', 'claviger', 'USAGE')"
    );
    assert_eq!(database.query(&fence), "f|t");

    // Another time, and held: the epoch goes on from what was replaced, not from the backup.
    let words = ["restore", "--json", "--replace", file.to_str().unwrap()];
    let again = node();
    again.share_key_of(&one);
    let done = again.must(&words).await[0]["restored"].clone();
    assert_eq!(
        (&done["restore_epoch"], &done["is_held"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(schemas(&database).len(), 3);
    one.must(&["restore", "--confirm-live", "--json"]).await;
    let checked = one.must(&["store", "check", "--json"]).await;
    assert_eq!(checked[0]["ok"], true, "{checked:?}");

    go_back(&one, &database, &aside).await;
    assert_eq!(slugs(&one).await, ["later", "up"]);
}

/// F32.
async fn refused_with_another_key(stranger: Claviger, words: &[&str]) {
    let foreign = Claviger::new();
    foreign.add("mine", "http://127.0.0.1:9/mcp").await;
    stranger.share_key_of(&foreign);
    refused(&stranger, words, 5, "not_open").await;
}

/// As docs/backup.md says.
async fn go_back(node: &Claviger, database: &Database, aside: &str) {
    database.query(&format!(
        "BEGIN; ALTER SCHEMA claviger RENAME TO claviger_wrong;
         ALTER SCHEMA {aside} RENAME TO claviger; COMMIT"
    ));
    node.must(&["store", "migrate", "--json"]).await;
    let rolled = node.run(&["server", "list", "--json"]).await;
    assert_eq!(rolled.code, 5, "an older epoch is said: {rolled:?}");
    node.must(&["restore", "--confirm-live", "--json"]).await;
}
