//! F36 and F37: another program on the machine holds the SQLite file.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Executor;
use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster, sqlite};
use crate::scenario::{Circumstances, Outcome, Scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let of = |ids, title, run| Scenario {
        ids,
        title,
        backend: None,
        is_alone: false,
        run,
    };
    vec![
        of("F36", "another process holds the write lock", |at| {
            Box::pin(locked(at))
        }),
        of("F37", "another process never ends its read", |at| {
            Box::pin(reading(at))
        }),
    ]
}

async fn locked(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let cluster = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
    let mut cluster = cluster.expect("SQLite is always there");
    let slugs = cluster.link(&issuer, 3).await;
    issuer.script(|script| script.life = Duration::from_hours(1));
    cluster.add(&issuer, "fresh").await;
    cluster.sign_in("fresh").await.unwrap();
    for round in 0..at.rounds(2, 50) {
        issuer.script(|script| script.life = Duration::from_secs(1));
        sleep(Duration::from_millis(1_050)).await;
        let mut lock = sqlite::open(&cluster.file()).await;
        lock.execute("BEGIN IMMEDIATE").await.unwrap();
        let began = Instant::now();
        let heard = cluster.call(0, "fresh").await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        outcome.highest("slowest fresh call ms", ms);
        outcome.must(heard.is_ok() && ms < 20_000, || {
            format!("round {round}: a fresh token waits for the database: {heard:?}, {ms} ms")
        });
        let began = Instant::now();
        let heard = cluster.call(0, &slugs[0]).await;
        outcome.highest("slowest refusal s", began.elapsed().as_secs());
        outcome.must(heard.is_err(), || {
            format!("round {round}: an expired token was served although nothing could be written")
        });
        outcome.must(began.elapsed() < Duration::from_secs(45), || {
            format!("round {round}: the caller waited {:?}", began.elapsed())
        });
        lock.execute("ROLLBACK").await.unwrap();
        for slug in &slugs {
            let verdict = judge(&cluster, slug).await;
            outcome.must(verdict == Verdict::Works, || {
                format!("round {round}: {slug}: {verdict:?}{}", cluster.talk())
            });
        }
        outcome.rounds += 1;
    }
    command(&mut outcome, &mut cluster).await;
    let counts = issuer.counts();
    outcome.must(counts.reuses == 0, || format!("sent twice: {counts:?}"));
    outcome
}

/// A command that opens the file itself gives up in words.
async fn command(outcome: &mut Outcome, cluster: &mut Cluster) {
    cluster.kill(0).await;
    let mut lock = sqlite::open(&cluster.file()).await;
    lock.execute("BEGIN IMMEDIATE").await.unwrap();
    let began = Instant::now();
    let words = [
        "server",
        "add",
        "late",
        "https://example.com/mcp",
        "--no-discover",
        "--json",
    ];
    let ended = cluster.places[0].run(&words).await;
    outcome.highest("slowest command s", began.elapsed().as_secs());
    // Nothing is broken, and the same may work later (docs/errors.md).
    let is_refused = ended.code == 75 && ended.stderr.contains("try again");
    outcome.must(
        is_refused && began.elapsed() < Duration::from_secs(45),
        || {
            format!(
                "a command under a foreign lock: {:?}, {ended:?}",
                began.elapsed()
            )
        },
    );
    lock.execute("ROLLBACK").await.unwrap();
    let ended = cluster.places[0].run(&words).await;
    outcome.must(ended.code == 0, || {
        format!("the same command afterwards: {ended:?}")
    });
}

/// The log is looked at once a minute, and a busy machine is slow.
const ALARM: Duration = Duration::from_mins(4);
/// `journal_size_limit`, and a little.
const MOST_LEFT_KIB: u64 = 72 * 1024;
/// Above what the gateway takes for usual, in MiB.
const MUCH_MIB: u64 = 272;

/// Another program writes more than the log should ever have: the gateway says so.
async fn alarm(outcome: &mut Outcome, cluster: &Cluster) {
    let mut writer = sqlite::open(&cluster.file()).await;
    for sql in [
        "PRAGMA synchronous = OFF",
        "CREATE TABLE ballast (bytes BLOB)",
        "INSERT INTO ballast VALUES (zeroblob(1048576))",
    ] {
        writer.execute(sql).await.unwrap();
    }
    for _ in 0..MUCH_MIB {
        let grow = "UPDATE ballast SET bytes = randomblob(1048576)";
        writer.execute(grow).await.unwrap();
    }
    drop(writer);
    let (since, log) = (Instant::now(), cluster.places[0].log());
    let is_said = || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        said.contains("log grows")
    };
    while !is_said() && since.elapsed() < ALARM {
        sleep(Duration::from_millis(200)).await;
    }
    outcome.count("alarms", u64::from(is_said()));
    outcome.must(is_said(), || {
        format!("nobody says that the log grows{}", cluster.talk())
    });
}

async fn reading(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    issuer.script(|script| (script.before_ms, script.after_ms) = ((0, 1), (0, 1)));
    let cluster = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
    let cluster = cluster.expect("SQLite is always there");
    let slugs = cluster.link(&issuer, 8).await;
    let mut reader = sqlite::open(&cluster.file()).await;
    reader.execute("BEGIN").await.unwrap();
    reader
        .execute("SELECT count(*) FROM credentials")
        .await
        .unwrap();
    let size = || {
        let wal = cluster.file().with_extension("db-wal");
        fs::metadata(wal).map_or(0, |file| file.len() / 1024)
    };
    for round in 0..at.rounds(6, 200) {
        sleep(Duration::from_millis(1_050)).await;
        for slug in &slugs {
            let verdict = judge(&cluster, slug).await;
            outcome.must(verdict == Verdict::Works, || {
                format!("round {round}: {slug}: {verdict:?}")
            });
        }
        outcome.highest("WAL KiB with the reader", size());
        outcome.rounds += 1;
    }
    let size_before = size();
    alarm(&mut outcome, &cluster).await;
    outcome.must(size() > size_before, || {
        "the log did not grow under a reader".to_owned()
    });
    reader.execute("ROLLBACK").await.unwrap();
    drop(reader);
    // What is written next writes the log back, and what is left is bounded.
    let since = Instant::now();
    while size() > MOST_LEFT_KIB && since.elapsed() < ALARM {
        sleep(Duration::from_millis(1_050)).await;
        for slug in &slugs {
            judge(&cluster, slug).await;
        }
    }
    outcome.highest("WAL KiB afterwards", size());
    let grown = size();
    outcome.must(grown <= MOST_LEFT_KIB, || {
        format!("the WAL has {grown} KiB after the reader left")
    });
    outcome
}
