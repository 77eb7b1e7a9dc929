//! The file as a whole: a copy of one instant, whether it is damaged, and its log.

use std::path::Path;

use claviger_store::StoreError;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::{ConnectOptions as _, Connection as _, query, query_scalar};

use crate::error::{is_busy, store_error};
use crate::file::{beside, remove_lock};
use crate::migrate::{Found, KNOWN};
use crate::open::probing;
use crate::pool::Pool;
use crate::store::{accept, probe};
use crate::{OpenError, SqliteStore, file, holder};

/// How thoroughly a file is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every page, and every index against its table. Takes as long as reading the file does.
    Integrity,
    /// Every page, without the indexes.
    Quick,
}

/// How many lines of the report on a damaged file are kept.
const MOST_LINES: usize = 5;

// === impl SqliteStore ===

impl SqliteStore {
    /// Opens a file that counts only when it is whole: nothing waits for the disk. It ends with
    /// [`SqliteStore::finish_draft`], and until then it is under a name that nobody opens.
    pub async fn open_draft(path: &Path) -> Result<Self, OpenError> {
        Self::open_as(path, true).await
    }

    /// Closes a draft and leaves one plain file, with no log and no lock beside it, on the disk.
    pub async fn finish_draft(&self, path: &Path) -> Result<(), OpenError> {
        let failed = |source| failed(path, source);
        let closed = self.close().await;
        closed.map_err(|error| failed(sqlx::Error::Protocol(error.to_string())))?;
        // Whoever looks at a backup on a disk that cannot be written needs no log for it.
        let plain = probing(path).journal_mode(SqliteJournalMode::Delete);
        let db = plain.connect().await.map_err(failed)?;
        db.close().await.map_err(failed)?;
        remove_lock(path)?;
        file::sync(path)
    }

    /// Copies a file that other processes may be writing, as it is at one instant, into `to`, which
    /// must be empty. Nothing is migrated. Answers the schema version.
    pub async fn copy_file(from: &Path, to: &Path) -> Result<i64, OpenError> {
        let version = Self::version_of(from).await?;
        let failed = |source| failed(from, source);
        let mut db = probing(from).connect().await.map_err(failed)?;
        let to = to.to_string_lossy();
        // Never the bytes of the live file: a page may be half-way between two commits.
        let copied = query("VACUUM INTO $1").bind(&*to).execute(&mut db).await;
        copied.map_err(failed)?;
        db.close().await.map_err(failed)?;
        Ok(version)
    }

    /// The schema version of a file, which stays as it is; 0 if it is empty. Refuses what this
    /// version cannot read.
    pub async fn version_of(path: &Path) -> Result<i64, OpenError> {
        let found = probe(path).await.map_err(|source| failed(path, source))?;
        let version = match found {
            Found::Version(version) => version,
            _ => 0,
        };
        accept(path, found)?;
        Ok(version)
    }

    /// The schema version of this binary.
    pub const fn known_version() -> i64 {
        KNOWN
    }

    /// What is damaged in a file, in the database's own words; nothing if it is well (F35).
    pub async fn find_damage(path: &Path, depth: Depth) -> Result<Vec<String>, OpenError> {
        let looked = async {
            let mut db = probing(path).connect().await?;
            let question = match depth {
                Depth::Integrity => "PRAGMA integrity_check(5)",
                Depth::Quick => "PRAGMA quick_check(5)",
            };
            let lines: Vec<String> = query_scalar(question).fetch_all(&mut db).await?;
            db.close().await?;
            Ok(lines)
        };
        match looked.await {
            Ok(mut lines) => {
                lines.retain(|line| line != "ok");
                lines.truncate(MOST_LINES);
                Ok(lines)
            }
            // A page that stops the look itself is damage as well.
            Err(error) if matches!(code(&error), Some(CORRUPT | NOT_A_DATABASE)) => {
                Ok(vec![error.to_string()])
            }
            Err(error) => Err(failed(path, error)),
        }
    }

    /// Ends what was under way when a backup was made: leases are over, open sign-ins are timed
    /// out and their sealed parts erased.
    pub async fn end_what_was_under_way(&self) -> Result<(), StoreError> {
        self.pool
            .write(|mut db| async move {
                for statement in [
                    "UPDATE leases SET expires_at_ms = 0",
                    "UPDATE sign_ins SET outcome = 'timed_out', sealed = x'', key_generation = NULL
             WHERE outcome IS NULL",
                    // Whoever read the feed of the original begins anew.
                    "UPDATE feed SET id = lower(hex(randomblob(16)))",
                ] {
                    query(statement)
                        .execute(&mut *db)
                        .await
                        .map_err(store_error)?;
                }
                db.keep().await
            })
            .await
    }

    /// Opens a file for good, or as a draft.
    pub(crate) async fn open_as(path: &Path, is_draft: bool) -> Result<Self, OpenError> {
        let failed = |source| failed(path, source);
        file::prepare(path)?;
        let lock = file::lock(path).await?;
        // Before anything else: the switch to WAL would change even a file that is then refused.
        let found = probe(path).await.map_err(failed)?;
        accept(path, found)?;
        let pool = if is_draft {
            Pool::open_draft(path).await
        } else {
            Pool::open(path).await
        };
        let pool = pool.map_err(failed)?;
        let store = Self::migrated(path, pool).await?;
        drop(lock);
        Ok(store)
    }
}

/// Writes the log of a file back as far as readers allow, and waits for none of them.
pub async fn checkpoint(path: &Path) -> Result<(), OpenError> {
    let failed = |source| failed(path, source);
    let mut db = probing(path).connect().await.map_err(failed)?;
    let written = query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut db);
    written.await.map_err(failed)?;
    db.close().await.map_err(failed)
}

/// Writes the log of a file back and takes it away, if nobody else has the file open.
pub async fn fold_log(path: &Path) -> Result<(), OpenError> {
    let failed = |source| failed(path, source);
    if !beside(path, "-wal").exists() {
        return Ok(());
    }
    let mut db = probing(path).connect().await.map_err(failed)?;
    let folded = query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut db);
    folded.await.map_err(failed)?;
    db.close().await.map_err(failed)
}

/// Why a file could not be opened or looked through.
pub(crate) fn failed(path: &Path, source: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    if is_busy(&source) {
        let holder = holder::find(&path);
        OpenError::Busy { path, holder }
    } else if code(&source) == Some(CORRUPT) {
        OpenError::Damaged { path, source }
    } else {
        OpenError::Database { path, source }
    }
}

const CORRUPT: i32 = 11;
const NOT_A_DATABASE: i32 = 26;

/// The low byte of an extended code.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error().and_then(DatabaseError::code)?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

#[cfg(test)]
mod tests;
