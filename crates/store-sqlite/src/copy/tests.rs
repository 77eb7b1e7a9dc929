//! Copies of a file that is in use, drafts, and damage.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;

use claviger_store::Store as _;
use claviger_store::contract::fixtures::{key_row, server, tenant};
use tempfile::TempDir;

use super::*;

async fn filled(name: &str) -> (TempDir, PathBuf, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let store = SqliteStore::open(&path).await.unwrap();
    let key = key_row(Some("default"), "tenant", 1);
    store.keys().insert_key(&key).await.unwrap();
    (dir, path, store)
}

async fn add(store: &SqliteStore, count: usize) {
    let rows = store.tenant(&tenant("default"));
    for number in 0..count {
        let mut row = server("default", &format!("server-{number}"));
        row.display_name = "x".repeat(2_000);
        rows.insert_server(&row).await.unwrap();
    }
}

#[tokio::test]
async fn f09_a_copy_of_a_file_in_use_is_whole_and_migrates_nothing() {
    let (dir, path, store) = filled("c.db").await;
    add(&store, 20).await;
    let to = dir.path().join("copy.part");
    fs::write(&to, "").unwrap();
    let version = SqliteStore::copy_file(&path, &to).await.unwrap();
    assert_eq!(version, SqliteStore::known_version());
    add_more(&store).await;
    let damage = SqliteStore::find_damage(&to, Depth::Integrity).await;
    assert_eq!(damage.unwrap(), Vec::<String>::new());
    let draft = fs::set_permissions(&to, fs::Permissions::from_mode(0o600));
    draft.unwrap();
    let copy = SqliteStore::open_draft(&to).await.unwrap();
    let rows = copy.tenant(&tenant("default"));
    assert_eq!(rows.list_servers().await.unwrap().len(), 20);
    copy.finish_draft(&to).await.unwrap();
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("copy"))
        .collect();
    names.sort();
    assert_eq!(names, ["copy.part"]);
}

async fn add_more(store: &SqliteStore) {
    let rows = store.tenant(&tenant("default"));
    let row = server("default", "later");
    rows.insert_server(&row).await.unwrap();
}

#[tokio::test]
async fn f09_nothing_is_copied_over_what_is_there() {
    let (dir, path, _store) = filled("c.db").await;
    let to = dir.path().join("mine");
    fs::write(&to, "mine").unwrap();
    assert!(SqliteStore::copy_file(&path, &to).await.is_err());
    assert_eq!(fs::read(&to).unwrap(), b"mine");
}

#[tokio::test]
async fn f35_one_flipped_page_is_found_by_the_quick_look() {
    let (_dir, path, store) = filled("c.db").await;
    add(&store, 50).await;
    store.close().await.unwrap();
    let quick = SqliteStore::find_damage(&path, Depth::Quick).await;
    assert_eq!(quick.unwrap(), Vec::<String>::new());
    let pages = fs::metadata(&path).unwrap().len() / 4_096;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // The head of a page in the middle: its kind, its cells.
    file.write_all_at(&[0xff; 16], pages / 2 * 4_096).unwrap();
    let quick = SqliteStore::find_damage(&path, Depth::Quick).await;
    assert!(!quick.unwrap().is_empty());
}

#[tokio::test]
async fn f35_a_file_without_its_head_is_refused_and_called_damaged() {
    let (_dir, path, store) = filled("c.db").await;
    store.close().await.unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0; 100], 0).unwrap();
    assert!(SqliteStore::open(&path).await.is_err());
    let quick = SqliteStore::find_damage(&path, Depth::Quick).await;
    assert!(!quick.unwrap().is_empty());
}

#[tokio::test]
async fn f37_the_log_is_written_back_while_the_file_is_in_use() {
    let (_dir, path, store) = filled("c.db").await;
    add(&store, 50).await;
    checkpoint(&path).await.unwrap();
    store.close().await.unwrap();
    fold_log(&path).await.unwrap();
    assert!(!beside(&path, "-wal").exists());
}
