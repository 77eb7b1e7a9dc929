//! One file: reopened, shared by stores and by processes, and kept from others.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use claviger_model::Standing;
use claviger_store::contract::fixtures::{
    connection, credential, insert_servers, key, rows, server, tenant,
};
use claviger_store::{Guarded, Store as _};
use claviger_store_sqlite::SqliteStore;

#[expect(clippy::unwrap_used, reason = "a part of tests")]
async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).await.unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("claviger.db");
    let key = key("linear");
    let first = open(&path).await;
    insert_servers(&first, "t1").await;
    rows(&first)
        .replace_credential(
            &credential(&key, b"a"),
            &connection(&key, Standing::Connected),
        )
        .await
        .unwrap();
    let lease = rows(&first)
        .acquire_lease(&key, "a", 600_000)
        .await
        .unwrap();
    first.close().await.unwrap();
    drop(first);

    let second = open(&path).await;
    assert_eq!(
        rows(&second).find_credential(&key).await.unwrap(),
        Some(credential(&key, b"a"))
    );
    // A restart frees no lease: the token may be under way in another process.
    let taken = rows(&second).acquire_lease(&key, "b", 600_000).await;
    assert_eq!(taken.unwrap(), None);
    let lease = lease.unwrap();
    rows(&second).release_lease(&key, &lease).await.unwrap();
    let next = rows(&second).acquire_lease(&key, "b", 600_000).await;
    assert_eq!(next.unwrap().unwrap().epoch, lease.epoch + 1);
}

#[tokio::test]
async fn two_stores_on_one_file_exclude_and_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("claviger.db");
    let (one, two) = (open(&path).await, open(&path).await);
    insert_servers(&one, "t1").await;
    let key = key("linear");
    let before = two.data_version().await.unwrap();
    let standing = connection(&key, Standing::Connected);
    rows(&one)
        .replace_credential(&credential(&key, b"old"), &standing)
        .await
        .unwrap();
    assert_ne!(two.data_version().await.unwrap(), before);

    let held = rows(&one).acquire_lease(&key, "a", 600_000).await.unwrap();
    let refused = rows(&two).acquire_lease(&key, "b", 600_000).await.unwrap();
    assert_eq!(refused, None);
    let (ones, twos) = (rows(&one), rows(&two));
    let (mut first, mut second) = (credential(&key, b"1"), credential(&key, b"2"));
    (first.version, second.version) = (2, 2);
    let (first, second) = tokio::join!(
        ones.rotate_credential(b"old", &first, &standing),
        twos.rotate_credential(b"old", &second, &standing),
    );
    let written = [first.unwrap(), second.unwrap()];
    assert!(written.contains(&Guarded::Written(2)), "{written:?}");
    assert!(written.contains(&Guarded::Superseded), "{written:?}");
    rows(&one)
        .release_lease(&key, &held.unwrap())
        .await
        .unwrap();
    let next = rows(&two).acquire_lease(&key, "b", 600_000).await.unwrap();
    assert!(next.is_some());
}

// The other process is this same test, started again with the file's path as its last argument.
#[tokio::test]
async fn two_processes_on_one_file_exclude_and_see_each_other() {
    let key = key("linear");
    if let Some(path) = other_process() {
        let other = open(&path).await;
        let refused = rows(&other).acquire_lease(&key, "b", 600_000).await;
        assert_eq!(refused.unwrap(), None);
        rows(&other)
            .insert_server(&server("t1", "from-another-process"))
            .await
            .unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("claviger.db");
    let store = open(&path).await;
    insert_servers(&store, "t1").await;
    let held = rows(&store).acquire_lease(&key, "a", 600_000).await;
    assert!(held.unwrap().is_some());
    let before = store.data_version().await.unwrap();
    let name = "two_processes_on_one_file_exclude_and_see_each_other";
    let other = start_again(name, &path).output().unwrap();
    assert!(other.status.success(), "{other:?}");
    assert_ne!(store.data_version().await.unwrap(), before);
    let slug = server("t1", "from-another-process").slug;
    assert!(rows(&store).find_server(&slug).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_stores_may_make_the_file_at_once() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("claviger.db");
        let (a, b, c, d) = tokio::join!(open(&path), open(&path), open(&path), open(&path));
        insert_servers(&a, "t1").await;
        for store in [b, c, d] {
            let servers = store.tenant(&tenant("t1")).list_servers().await.unwrap();
            assert_eq!(servers.len(), 2);
        }
    }
}

// The other processes are this same test, started again with the file's path as last argument.
#[tokio::test]
async fn many_processes_may_make_the_file_at_once() {
    if let Some(path) = other_process() {
        let store = open(&path).await;
        assert_eq!(rows(&store).list_servers().await.unwrap(), []);
        return;
    }
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("claviger.db");
        let name = "many_processes_may_make_the_file_at_once";
        let others: Vec<_> = (0..4)
            .map(|_| start_again(name, &path).spawn().unwrap())
            .collect();
        for other in others {
            let done = other.wait_with_output().unwrap();
            assert!(done.status.success(), "{done:?}");
        }
    }
}

#[tokio::test]
async fn a210_every_file_it_makes_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("claviger.db")).await;
    insert_servers(&store, "t1").await;
    let mut names = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{entry:?}");
        names.push(entry.file_name());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "claviger.db",
            "claviger.db-lock",
            "claviger.db-shm",
            "claviger.db-wal"
        ]
    );
}

// A202: what was erased is not left in the file, its log or its free pages.
#[tokio::test]
async fn a202_nothing_erased_stays_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("claviger.db")).await;
    insert_servers(&store, "t1").await;
    let key = key("linear");
    let canary = b"canary-4f1c".repeat(900);
    let mut row = credential(&key, b"a");
    row.sealed.clone_from(&canary);
    let standing = connection(&key, Standing::NeedsSignIn);
    rows(&store)
        .replace_credential(&row, &standing)
        .await
        .unwrap();
    rows(&store)
        .end_credential(&key, b"a", &standing)
        .await
        .unwrap();
    store.close().await.unwrap();
    drop(store);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"canary-4f1c"));
    }
}

/// In the other process: the file it was given.
fn other_process() -> Option<PathBuf> {
    let last = env::args_os().next_back().map(PathBuf::from);
    // The first argument is absolute as well: the test binary itself.
    last.filter(|last| last.is_absolute() && last.extension().is_some_and(|kind| kind == "db"))
}

#[expect(clippy::unwrap_used, reason = "a part of tests")]
fn start_again(test: &str, path: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
