//! The yardsticks: what the disk and the databases do at best for as many bytes, and the journal.

use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use claviger_ports::Journal;
use claviger_ports::system::SystemEntropy;
use claviger_server::journal;
use tempfile::TempDir;

use crate::house::House;
use crate::load::{Load, now};
use crate::place::Plain;

/// The size of the row of a credential, about.
const BYTES: usize = 1_500;

/// One row for each worker of a table that is in nobody's way, written by plain sqlx: a beginning,
/// one statement, a commit.
pub(crate) struct Bare {
    plain: Plain,
}

/// The rescue journal of a process.
pub(crate) struct Journaled {
    journal: Arc<dyn Journal>,
    _folder: TempDir,
}

const UPDATE: &str = "UPDATE bare SET body = $2 WHERE n = $1";

// === impl Bare ===

impl Bare {
    pub(crate) async fn new(house: &House) -> Result<Self> {
        let plain = house.home.plain().await?;
        let bytes = match plain {
            Plain::Postgres(_) => "BYTEA",
            Plain::Sqlite(_) => "BLOB",
        };
        let mut statements = vec![format!(
            "CREATE TABLE bare (n BIGINT PRIMARY KEY, body {bytes} NOT NULL)"
        )];
        statements.extend((0..32).map(|n| format!("INSERT INTO bare VALUES ({n}, '')")));
        for statement in statements {
            let statement = sqlx::AssertSqlSafe(statement);
            match &plain {
                Plain::Postgres(pool) => {
                    sqlx::query(statement).execute(pool).await?;
                }
                Plain::Sqlite(pool) => {
                    sqlx::query(statement).execute(pool).await?;
                }
            }
        }
        Ok(Self { plain })
    }

    pub(crate) async fn update(&self, call: usize) -> Result<()> {
        let n = i64::try_from(call % 32)?;
        let mut body = vec![0; BYTES];
        // Another one each time, in case somebody looks.
        body[..8].copy_from_slice(&call.to_be_bytes());
        let changed = match &self.plain {
            Plain::Postgres(pool) => {
                let mut unit = pool.begin().await?;
                let update = sqlx::query(UPDATE).bind(n).bind(body);
                let done = update.execute(&mut *unit).await?;
                unit.commit().await?;
                done.rows_affected()
            }
            Plain::Sqlite(pool) => {
                let mut unit = pool.begin_with("BEGIN IMMEDIATE").await?;
                let update = sqlx::query(UPDATE).bind(n).bind(body);
                let done = update.execute(&mut *unit).await?;
                unit.commit().await?;
                done.rows_affected()
            }
        };
        ensure!(changed == 1, "{changed} rows");
        Ok(())
    }

    pub(crate) async fn close(self) {
        match self.plain {
            Plain::Postgres(pool) => pool.close().await,
            Plain::Sqlite(pool) => pool.close().await,
        }
    }
}

// === impl Journaled ===

impl Journaled {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("no folder")?;
        let path = folder.path().join("journal");
        let journal = journal::open(path, Arc::new(SystemEntropy));
        Ok(Self {
            journal,
            _folder: folder,
        })
    }

    pub(crate) async fn append(&self) -> Result<()> {
        let entry = self.journal.append(&[b'x'; BYTES]).await?;
        self.journal.settle(entry);
        Ok(())
    }
}

/// Appends as many bytes and waits for the disk, each worker in a file of its own.
pub(crate) fn fsync(in_flight: usize, span: Duration) -> Result<Load> {
    let folder = tempfile::tempdir().context("no folder")?;
    let begun = now();
    let workers = thread::scope(|scope| {
        let path = folder.path();
        let worker = |number: usize| scope.spawn(move || appends(path, number, span));
        let workers: Vec<_> = (0..in_flight).map(worker).collect();
        let ended = workers.into_iter().map(|worker| {
            let ended = worker.join();
            ended.map_err(|_panic| anyhow!("a worker ended badly"))?
        });
        ended.collect::<Result<Vec<Vec<Duration>>>>()
    })?;
    Ok(Load::new(begun.elapsed(), workers.concat()))
}

fn appends(folder: &Path, number: usize, span: Duration) -> Result<Vec<Duration>> {
    let path = folder.join(number.to_string());
    let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
    let (begun, mut latencies) = (now(), Vec::new());
    while begun.elapsed() < span {
        let before = now();
        file.write_all(&[b'x'; BYTES])?;
        file.sync_data()?;
        latencies.push(before.elapsed());
    }
    Ok(latencies)
}
