//! `claviger store copy`: which tables it copies, both ways, counted from outside.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use claviger_testkit::postgres::{self, Database};

use crate::support::{Claviger, Upstream, sqlite};

/// What a copy has, row by row.
const COPIED: [&str; 11] = [
    "api_tokens",
    "audit",
    "connections",
    "credentials",
    "installation",
    "needs",
    "registrations",
    "revocations",
    "server_keys",
    "servers",
    "vault_keys",
];

/// What lives for minutes, or belongs to one database: sign-ins in flight, leases, and what a
/// database counts for those who watch it.
const ITS_OWN: [&str; 6] = [
    "changes",
    "epochs",
    "feed",
    "leases",
    "migrations",
    "sign_ins",
];

type Counts = BTreeMap<String, String>;

/// Every table that is counted, and nothing that nobody decided about.
fn decided(tables: impl IntoIterator<Item = String>) -> Vec<String> {
    let known: BTreeSet<&str> = COPIED.iter().chain(&ITS_OWN).copied().collect();
    let mut copied = Vec::new();
    for table in tables {
        assert!(known.contains(&*table), "is `{table}` copied or not?");
        if COPIED.contains(&&*table) {
            copied.push(table);
        }
    }
    copied
}

async fn in_file(file: &Path) -> Counts {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut counts = Counts::new();
    for table in decided(sqlite::lines(file, tables).await) {
        let count = format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
        counts.insert(table, sqlite::lines(file, &count).await.concat());
    }
    counts
}

fn in_postgres(database: &Database) -> Counts {
    let tables = database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'claviger'");
    let tables = decided(tables.lines().map(str::to_owned));
    tables
        .into_iter()
        .map(|table| {
            let count = database.query(&format!("SELECT count(*) FROM claviger.{table}"));
            (table, count)
        })
        .collect()
}

/// Something in every table: two sign-ins, fixed headers, an end that the issuer never heard of,
/// keys of two generations.
async fn filled() -> Claviger {
    let start = Claviger::new();
    let upstream = Upstream::protected(Duration::from_mins(10)).await;
    let gone = Upstream::protected(Duration::from_mins(10)).await;
    start.add("up", &upstream.url()).await;
    start.add("gone", &gone.url()).await;
    let headers = start.secret_file("headers", "X-Key: value");
    let headers = format!("@{headers}");
    let words = ["server", "add", "fixed", "http://127.0.0.1:9/mcp"];
    let more = ["--no-discover", "--allow-private", "--json", "--header"];
    start
        .must(&[&words[..], &more[..], &[headers.as_str()]].concat())
        .await;
    // Its first start makes an API token.
    assert_eq!(start.serve().await.stop().await, 0);
    for slug in ["up", "gone"] {
        assert_eq!(start.sign_in(slug).await.code, 0);
    }
    drop(gone);
    start.run(&["logout", "gone", "--json"]).await;
    start.must(&["keys", "rotate", "--json"]).await;
    start
}

#[tokio::test]
async fn g3_a_copy_has_every_table_both_ways() {
    let Some(database) = postgres::database() else {
        return;
    };
    let start = filled().await;
    let file = start.data_dir().join("claviger.db");
    let before = in_file(&file).await;
    assert_eq!(before.len(), COPIED.len(), "{before:?}");
    for (table, count) in &before {
        assert_ne!(count, "0", "nothing was put into {table}");
    }

    let owner = start.secret_file("owner-url", &database.owner_url());
    let words = ["store", "copy", "--json", "--to-postgres", &owner];
    let told = start.must(&words).await[0]["copied"].clone();
    for (table, member) in [
        ("audit", "audit_entries"),
        ("revocations", "revocations"),
        ("vault_keys", "keys"),
    ] {
        assert_eq!(told[member].to_string(), before[table], "{told}");
    }
    assert_eq!(in_file(&file).await, before, "the source stays as it is");
    assert_eq!(in_postgres(&database), before);

    let node = Claviger::on(&database);
    node.share_key_of(&start);
    let back = Claviger::new();
    back.share_key_of(&start);
    let target = back.data_dir().join("claviger.db");
    let words = ["store", "copy", "--json", "--to-sqlite"];
    node.must(&[&words[..], &[target.to_str().unwrap()]].concat())
        .await;
    assert_eq!(in_file(&target).await, before);
    // Whoever read what changed in the one begins anew at the other: no number means the same.
    let feed = "SELECT id FROM feed";
    assert_ne!(
        sqlite::lines(&file, feed).await,
        sqlite::lines(&target, feed).await
    );
    let checked = back.must(&["store", "check", "--json"]).await;
    assert_eq!(checked[0]["ok"], true, "{checked:?}");
    let proved = back.run(&["audit", "verify", "--json"]).await;
    assert_eq!(proved.code, 0, "{proved:?}");
}
