//! What the commands on keys ask for and say.

use claviger_admin_api::{KeyProgress, KeyStep, KeySummary, KeyView, Line, ProblemKind};
use serde_json::json;

use crate::testing::{Bench, Fake, problem};

fn key(tenant: Option<&str>, purpose: &str, generation: u32, is_newest: bool) -> Line {
    Line::Key(KeyView {
        tenant: tenant.map(str::to_owned),
        purpose: purpose.to_owned(),
        generation,
        kek_id: "0123456789abcdef".to_owned(),
        is_first_kek: is_newest,
        is_newest,
        rows: tenant.map(|_| 7),
        created_at: "2026-11-21T10:00:00Z".to_owned(),
    })
}

#[tokio::test]
async fn keys_list_is_a_table_of_ids() {
    let bench = Bench::new(Fake::saying(vec![
        key(None, "mac", 1, true),
        key(Some("default"), "tenant", 1, false),
        key(Some("default"), "tenant", 2, true),
        Line::Done,
    ]));
    let ran = bench.run(&["keys", "list"]).await;
    assert_eq!(
        ran.out,
        "\
KEY             GENERATION  SEALS   WRAPPED BY              MADE
mac             1 (in use)  -       0123456789abcdef        2026-11-21T10:00:00Z
tenant default  1           7 rows  0123456789abcdef (old)  2026-11-21T10:00:00Z
tenant default  2 (in use)  7 rows  0123456789abcdef        2026-11-21T10:00:00Z
"
    );
    assert_eq!(ran.err, "next: claviger keys rotate --kek\n");
    let ran = bench.run(&["keys", "list", "--json"]).await;
    assert_eq!(ran.out.lines().count(), 3);
}

#[tokio::test]
async fn n10_a_rotation_says_how_far_it_has_come() {
    let bench = Bench::new(Fake::saying(vec![
        Line::KeyStep(KeyStep {
            step: "renewed".to_owned(),
            what: "tenant default, generation 1".to_owned(),
            why: None,
        }),
        Line::KeyProgress(KeyProgress {
            tenant: "default".to_owned(),
            done: 100,
            total: Some(240),
            per_second: 5000,
        }),
        Line::KeySummary(KeySummary {
            renewed: 3,
            resealed: 240,
            ..KeySummary::default()
        }),
        Line::Done,
    ]));
    let ran = bench.run(&["keys", "rotate", "--drop-old"]).await;
    assert_eq!(ran.code, 0);
    assert_eq!(ran.out, "✓ done: 3 keys made, 240 rows sealed anew\n");
    assert!(
        ran.err.contains("default: 100 of 240 rows, 5000 a second"),
        "{}",
        ran.err
    );
    let asked = json!({"op": "rotate_keys", "kek": false, "drop_old": true, "dry_run": false});
    assert_eq!(bench.asked()[0], asked);
    let ran = bench
        .run(&["keys", "rotate", "--kek", "--dry-run", "--json"])
        .await;
    assert_eq!(ran.out.lines().count(), 3);
}

#[tokio::test]
async fn keys_verify_names_what_is_broken_and_fails() {
    let bench = Bench::new(Fake::saying(vec![
        Line::KeyStep(KeyStep {
            step: "broken".to_owned(),
            what: "the key mac, generation 1".to_owned(),
            why: Some("the wrapped key was refused".to_owned()),
        }),
        Line::KeySummary(KeySummary {
            opened: 3,
            broken: 1,
            ..KeySummary::default()
        }),
        problem(ProblemKind::Bug, "does_not_open"),
    ]));
    let ran = bench.run(&["keys", "verify", "--all"]).await;
    assert_eq!(ran.code, 70);
    assert!(
        ran.err
            .contains("✗ the key mac, generation 1 does not open"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("3 rows opened, 1 broken"), "{}", ran.out);
    assert_eq!(bench.asked()[0], json!({"op": "verify_keys", "all": true}));
}

#[tokio::test]
async fn keys_new_makes_a_file_once() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key-2");
    let path = path.to_str().unwrap();
    let bench = Bench::new(Fake::saying(Vec::new()));
    assert_eq!(bench.run(&["keys", "new", path]).await.code, 0);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.starts_with("claviger-kek-1:"));
    let ran = bench.run(&["keys", "new", path]).await;
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(!ran.out.contains(text.trim()) && !ran.err.contains(text.trim()));
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
