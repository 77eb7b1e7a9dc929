//! The journal on a real disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use claviger_ports::system::SystemEntropy;
use futures_util::future::join_all;

use super::*;

fn journal(directory: &Path) -> FileJournal {
    FileJournal::new(directory.join("journal"), Arc::new(SystemEntropy))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory.join("journal")) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == "journal"))
        .collect()
}

fn open_in(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let open = scan(&bytes).unwrap().open;
    open.iter().map(|entry| entry.payload.to_vec()).collect()
}

/// A disk that fails: a file of this name in the directory says how often (`*` for ever).
pub(super) fn fault(path: &Path, name: &str) -> io::Result<()> {
    let place = path.parent().unwrap().join(name);
    let Ok(times) = fs::read_to_string(&place) else {
        return Ok(());
    };
    if times != "*" {
        fs::remove_file(&place).unwrap();
    }
    Err(io::Error::other("a test says so"))
}

/// Settling waits for nothing; what was settled before is written with the next entry.
async fn settled(journal: &FileJournal, id: EntryId) {
    journal.settle(id);
    let last = journal.append(b"last").await.unwrap();
    journal.settle(last);
}

#[tokio::test]
async fn f14_what_others_hold_is_seen_and_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, other) = (journal(dir.path()), journal(dir.path()));
    assert!(journal.peek().await.is_empty());
    let one = other.append(b"one").await.unwrap();
    journal.append(b"two").await.unwrap();
    let mut seen = journal.peek().await;
    seen.sort();
    assert_eq!(seen, [b"one".to_vec(), b"two".to_vec()]);
    assert!(journal.adopt().await.is_empty());
    settled(&other, one).await;
    assert!(!journal.peek().await.contains(&b"one".to_vec()));
}

#[tokio::test]
async fn f14_an_entry_is_on_disk_when_append_returns() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    assert!(files(dir.path()).is_empty());
    let one = journal.append(b"one").await.unwrap();
    let file = files(dir.path()).pop().unwrap();
    assert_eq!(open_in(&file), [b"one"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    settled(&journal, one).await;
    assert!(!open_in(&file).contains(&b"one".to_vec()));
}

#[tokio::test]
async fn the_file_is_locked_while_its_process_lives_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let one = journal.append(b"one").await.unwrap();
    let path = files(dir.path()).pop().unwrap();
    let other = fs::File::open(&path).unwrap();
    assert!(other.try_lock().is_err());
    drop(other);
    journal.settle(one);
    drop(journal);
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn f14_what_is_open_at_the_end_stays() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    journal.append(b"one").await.unwrap();
    drop(journal);
    assert_eq!(open_in(&files(dir.path())[0]), [b"one"]);
}

#[tokio::test]
async fn many_at_once_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let texts: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let ids = join_all(texts.iter().map(|text| journal.append(text.as_bytes()))).await;
    assert!(ids.iter().all(Result::is_ok));
    assert_eq!(open_in(&files(dir.path())[0]).len(), 200);
}

#[tokio::test]
async fn a_full_file_is_begun_anew_and_an_open_entry_outlives_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let kept = journal.append(b"kept").await.unwrap();
    let large = vec![1; 400_000];
    for _ in 0..6 {
        let id = journal.append(&large).await.unwrap();
        journal.settle(id);
    }
    // Everything before it is done when this is.
    let last = journal.append(b"last").await.unwrap();
    let all: Vec<Vec<u8>> = files(dir.path())
        .iter()
        .flat_map(|path| open_in(path))
        .collect();
    assert!(all.contains(&b"kept".to_vec()));
    let size: u64 = files(dir.path())
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert!(size < 2_400_000, "{size}");
    journal.settle(last);
    settled(&journal, kept).await;
    journal.append(b"last").await.unwrap();
    assert_eq!(files(dir.path()).len(), 1);
}

#[tokio::test]
async fn a210_a_directory_that_others_may_read_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("journal");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    let error = journal(dir.path()).append(b"one").await.unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::PermissionDenied);
    assert!(files(dir.path()).is_empty());
}

#[tokio::test]
async fn f12_after_a_failed_fsync_a_new_file_is_begun_and_the_old_one_never_synced_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let kept = journal.append(b"kept").await.unwrap();
    let first = files(dir.path()).pop().unwrap();
    fs::write(dir.path().join("journal/fail-sync"), "1").unwrap();
    let id = journal.append(b"one").await.unwrap();
    let second = files(dir.path());
    let second = second.iter().find(|path| **path != first).unwrap();
    assert_eq!(open_in(second), [b"one"]);
    // What was on disk before is still needed there.
    assert!(open_in(&first).contains(&b"kept".to_vec()));
    journal.append(b"two").await.unwrap();
    assert_eq!(open_in(second), [b"one".to_vec(), b"two".to_vec()]);
    journal.settle(kept);
    settled(&journal, id).await;
    assert!(!first.exists());
}

#[tokio::test]
async fn f11_f12_a_disk_that_keeps_failing_is_said_and_works_again_later() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    journal.append(b"one").await.unwrap();
    for fault in ["fail-sync", "fail-write"] {
        let place = dir.path().join("journal").join(fault);
        fs::write(&place, "*").unwrap();
        journal.append(b"lost").await.unwrap_err();
        fs::remove_file(&place).unwrap();
        journal.append(b"back").await.unwrap();
    }
    let all: Vec<Vec<u8>> = files(dir.path())
        .iter()
        .flat_map(|path| open_in(path))
        .collect();
    assert!(all.contains(&b"one".to_vec()) && all.contains(&b"back".to_vec()));
}

#[tokio::test]
async fn f14_another_process_takes_over_what_a_dead_one_left_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (dead, alive) = (journal(dir.path()), journal(dir.path()));
    let done = dead.append(b"done").await.unwrap();
    dead.append(b"one").await.unwrap();
    dead.append(b"two").await.unwrap();
    settled(&dead, done).await;
    alive.append(b"mine").await.unwrap();
    let next = journal(dir.path());
    assert_eq!(next.adopt().await, []);
    drop(dead);
    let adopted = next.adopt().await;
    let texts: Vec<&[u8]> = adopted.iter().map(|(_, entry)| entry.as_slice()).collect();
    assert_eq!(texts[..2], [b"one".as_slice(), b"two"]);
    // They are ours now, and nobody else's.
    assert_eq!(journal(dir.path()).adopt().await, []);
    for (id, _) in &adopted {
        next.settle(*id);
    }
    next.append(b"last").await.unwrap();
    // Of the two that live.
    assert_eq!(files(dir.path()).len(), 2);
}

#[tokio::test]
async fn what_cannot_be_used_is_set_aside_and_never_fatal() {
    let dir = tempfile::tempdir().unwrap();
    let dead = journal(dir.path());
    dead.append(b"strange").await.unwrap();
    drop(dead);
    let garbage = dir.path().join("journal/x.journal");
    fs::write(&garbage, "garbage").unwrap();
    let next = journal(dir.path());
    let adopted = next.adopt().await;
    assert_eq!(adopted.len(), 1);
    next.refuse(adopted[0].0);
    next.append(b"last").await.unwrap();
    let refused = fs::read_dir(dir.path().join("journal")).unwrap();
    let refused = refused.filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|found| found == "refused")
    });
    assert_eq!(refused.count(), 1);
    assert!(garbage.exists());
    assert_eq!(journal(dir.path()).adopt().await, []);
}
