//! Many who write at once: what they share, and what they do not.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claviger_store::StoreError;
use futures_util::FutureExt as _;
use futures_util::future::{join, join_all, join3, pending};
use sqlx::{ConnectOptions as _, Connection as _, query, query_scalar};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::Writer;
use crate::error::store_error;
use crate::file::prepare;
use crate::open::writing;
use crate::pool::{Pool, Unit};

async fn fresh() -> (TempDir, PathBuf, Pool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.db");
    prepare(&path).unwrap();
    let pool = Pool::open(&path).await.unwrap();
    let mut db = pool.writer().await.unwrap();
    for sql in [
        "CREATE TABLE notes (n INTEGER PRIMARY KEY, body TEXT)",
        "CREATE TABLE replies (n INTEGER REFERENCES notes (n) DEFERRABLE INITIALLY DEFERRED)",
    ] {
        query(sql).execute(&mut *db).await.unwrap();
    }
    drop(db);
    (dir, path, pool)
}

async fn note(db: &mut Unit, n: i64) -> Result<(), StoreError> {
    let insert = query("INSERT INTO notes (n) VALUES ($1)").bind(n);
    let done = insert.execute(&mut **db).await;
    done.map(drop).map_err(store_error)
}

async fn write(pool: &Pool, n: i64) -> Result<(), StoreError> {
    pool.write(|mut db| async move {
        note(&mut db, n).await?;
        db.keep().await
    })
    .await
}

/// What another process sees.
async fn notes(path: &Path) -> Vec<i64> {
    let mut db = writing(path).connect().await.unwrap();
    let all = query_scalar("SELECT n FROM notes ORDER BY n");
    let all = all.fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    all
}

/// How many commits stand in the log: the last frame of each says how large the file is after it.
fn commits(path: &Path) -> usize {
    let log = fs::read(path.with_extension("db-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let frame = 24 + usize::try_from(number(8)).unwrap();
    // What is behind the last commit is of an earlier round of the log: it has other salts.
    let is_current = |at: &usize| log[at + 8..at + 16] == log[16..24];
    (32..log.len() - 24)
        .step_by(frame)
        .take_while(is_current)
        .filter(|at| number(at + 4) > 0)
        .count()
}

/// Another process can write.
async fn is_free(path: &Path) -> bool {
    let mut db = writing(path).connect().await.unwrap();
    let begun = db.begin_with("BEGIN IMMEDIATE").await;
    begun.is_ok()
}

/// A future that is given up after some polls.
struct GivenUp<F>(Option<Pin<Box<F>>>, usize);

impl<F: Future> Future for GivenUp<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            self.0 = None;
        }
        self.1 = self.1.saturating_sub(1);
        match &mut self.0 {
            Some(inner) => inner.as_mut().poll(context).map(Some),
            None => Poll::Ready(None),
        }
    }
}

fn given_up<F: Future>(inner: F, polls: usize) -> GivenUp<F> {
    GivenUp(Some(Box::pin(inner)), polls)
}

#[tokio::test]
async fn who_waits_together_shares_a_commit() {
    let (_dir, path, pool) = fresh().await;
    let before = commits(&path);
    let all = join_all((0..64).map(|n| write(&pool, n))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let shared = commits(&path) - before;
    assert!(shared < 16, "{shared} commits for 64 transactions");
    assert_eq!(notes(&path).await, (0..64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_group_is_bounded() {
    let (_dir, path, pool) = fresh().await;
    let before = commits(&path);
    let all = join_all((0..200).map(|n| write(&pool, n))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let shared = commits(&path) - before;
    assert!((4..100).contains(&shared), "{shared} commits for 200");
    assert_eq!(notes(&path).await.len(), 200);
}

// Nobody else has to come along before a lone writer is answered, and then it is on the disk.
#[tokio::test]
async fn who_is_alone_commits_at_once() {
    let (_dir, path, pool) = fresh().await;
    let before = commits(&path);
    for n in 0..5 {
        write(&pool, n).await.unwrap();
        assert_eq!(commits(&path), before + 1 + usize::try_from(n).unwrap());
        assert!(is_free(&path).await);
    }
}

#[tokio::test]
async fn one_among_many_fails_alone() {
    let (_dir, path, pool) = fresh().await;
    write(&pool, 3).await.unwrap();
    // The second half of a unit fails, and its first half goes with it.
    let halves = |n: i64| {
        pool.write(move |mut db| async move {
            note(&mut db, 100 + n).await?;
            note(&mut db, n).await?;
            db.keep().await
        })
    };
    let all = join_all((0..8).map(halves)).await;
    for (n, answer) in all.iter().enumerate() {
        match answer {
            Err(StoreError::Conflict) => assert_eq!(n, 3),
            other => assert!(other.is_ok() && n != 3, "{n}: {other:?}"),
        }
    }
    let expected: Vec<i64> = (0..8).chain((100..108).filter(|n| *n != 103)).collect();
    assert_eq!(notes(&path).await, expected);
}

// What is wrong shows at the commit only: all are told, even who changed nothing, since it may
// have seen what is not there.
#[tokio::test]
async fn a_failed_commit_fails_everybody_and_nobody_after() {
    let (_dir, path, pool) = fresh().await;
    let wrong = pool.write(|mut db| async move {
        let reply = query("INSERT INTO replies (n) VALUES (99)");
        reply.execute(&mut *db).await.map_err(store_error)?;
        db.keep().await
    });
    let looked = pool.write(|mut db| async move {
        let count = query_scalar("SELECT count(*) FROM notes");
        let count: i64 = count.fetch_one(&mut *db).await.map_err(store_error)?;
        Ok(count)
    });
    let (wrong, good, looked) = join3(wrong, write(&pool, 1), looked).await;
    let told = [wrong.err(), good.err(), looked.err()];
    for error in told {
        let error = error.expect("nobody is told that it is done");
        let StoreError::Failed { source } = error else {
            panic!("{error}");
        };
        assert_eq!(source.to_string(), "the transaction could not be committed");
    }
    assert_eq!(notes(&path).await, [0_i64; 0]);
    write(&pool, 2).await.unwrap();
    assert_eq!(notes(&path).await, [2]);
}

#[tokio::test]
async fn f11_a_full_disk_fails_the_group_and_nobody_after() {
    let (_dir, path, pool) = fresh().await;
    write(&pool, 1).await.unwrap();
    let mut db = pool.writer().await.unwrap();
    let limit = "PRAGMA max_page_count = 1";
    query(limit).execute(&mut *db).await.unwrap();
    drop(db);
    let good = pool.write(|mut db| async move {
        let update = query("UPDATE notes SET body = 'kept'").execute(&mut *db);
        update.await.map_err(store_error)?;
        db.keep().await
    });
    let large = pool.write(|mut db| async move {
        // One row: SQLite keeps nothing to undo it with, and takes back the whole transaction.
        let insert = query("INSERT INTO notes VALUES (7, hex(zeroblob(100000)))");
        insert.execute(&mut *db).await.map_err(store_error)?;
        db.keep().await
    });
    let (good, large) = join(good, large).await;
    let told = |answer: Result<(), StoreError>| match answer {
        Err(StoreError::Failed { source }) => source.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(good), "the database took the transaction back");
    assert!(told(large).ends_with("database or disk is full"));
    let mut db = writing(&path).connect().await.unwrap();
    let body: Option<String> = query_scalar("SELECT body FROM notes")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(body, None);
    write(&pool, 2).await.unwrap();
    write(&pool, 3).await.unwrap();
}

// At every point at which a caller can be given up: the others are answered truly, what he did is
// there as a whole or not at all, and the lock is free in the end.
#[tokio::test]
async fn a_caller_who_is_given_up_takes_nobody_along() {
    let (_dir, path, pool) = fresh().await;
    let both = |n: i64| {
        pool.write(move |mut db| async move {
            note(&mut db, n).await?;
            note(&mut db, n + 1).await?;
            db.keep().await
        })
    };
    let mut is_done = false;
    let mut n = 0;
    for polls in 0.. {
        for is_first in [true, false] {
            let (left, right) = if is_first {
                (given_up(both(n), polls), given_up(both(n + 2), usize::MAX))
            } else {
                (given_up(both(n), usize::MAX), given_up(both(n + 2), polls))
            };
            let (left, right) = join(left, right).await;
            let (gone, stayed) = if is_first {
                (left, right)
            } else {
                (right, left)
            };
            is_done = gone.is_some();
            assert!(matches!(stayed, Some(Ok(()))), "{polls} {stayed:?}");
            let (gone, stayed) = if is_first { (n, n + 2) } else { (n + 2, n) };
            let stored = notes(&path).await;
            assert!(stored.contains(&stayed) && stored.contains(&(stayed + 1)));
            assert_eq!(stored.contains(&gone), stored.contains(&(gone + 1)));
            n += 4;
        }
        assert!(is_free(&path).await, "{polls}");
        if is_done {
            break;
        }
    }
}

#[tokio::test]
async fn callers_who_are_all_given_up_leave_nothing_open() {
    let (_dir, path, pool) = fresh().await;
    let mut n = 0;
    for polls in 0.. {
        let all = join_all((0..3).map(|at| given_up(write(&pool, n + at), polls))).await;
        assert!(is_free(&path).await, "{polls}");
        n += 3;
        if all.iter().any(Option::is_some) {
            break;
        }
    }
    write(&pool, n).await.unwrap();
    assert!(notes(&path).await.contains(&n));
}

#[tokio::test]
async fn a_panic_ends_its_own_unit_alone() {
    let (_dir, path, pool) = fresh().await;
    let panics = pool.write(|mut db| async move {
        note(&mut db, 50).await?;
        assert!(db.keep().now_or_never().is_none(), "it asks the database");
        panic!("on purpose");
        #[expect(unreachable_code, reason = "names the type of the answer")]
        Ok(())
    });
    let panics = AssertUnwindSafe(panics).catch_unwind();
    let (one, panicked, two) = join3(write(&pool, 1), panics, write(&pool, 2)).await;
    assert!(panicked.is_err());
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    write(&pool, 3).await.unwrap();
    let stored = notes(&path).await;
    assert!([1, 2, 3].iter().all(|n| stored.contains(n)), "{stored:?}");
}

#[tokio::test]
async fn who_waits_too_long_is_told_that_it_is_busy() {
    let (_dir, path, pool) = fresh().await;
    let connections = sqlx::pool::PoolOptions::new().max_connections(1);
    let connections = connections.connect_with(writing(&path)).await.unwrap();
    let writer = Writer::new(connections, Duration::from_millis(20));
    let (at_work, is_at_work) = oneshot::channel();
    let endless = writer.write(|db| async move {
        let _held = db;
        at_work.send(()).ok();
        pending::<Result<(), StoreError>>().await
    });
    let late = async {
        is_at_work.await.unwrap();
        writer.write(async |db| db.keep().await).await
    };
    tokio::select! {
        _ = endless => panic!("it has no end"),
        late = late => assert!(matches!(late, Err(StoreError::Busy)), "{late:?}"),
    }
    assert!(is_free(&path).await);
    write(&pool, 1).await.unwrap();
}
