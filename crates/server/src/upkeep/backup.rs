//! `backup`: everything as it is at one instant, in one file, tried before it gets its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_broker::{Act, Note};
use claviger_config::{AuditMode, Config};
use claviger_ports::failpoint;
use claviger_store_sqlite::{Depth, OpenError as DatabaseError, SqliteStore};
use serde::Serialize;

use super::check::causes;
use super::contents::Contents;
use super::draft::{Draft, beside};
use super::record::{auditor, tell};
use super::wrap::Recipients;
use super::{OnProgress, UpkeepError};
use crate::doors::Doors;
use crate::open::{self, Absent, OpenError};
use crate::places::Places;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// The database, for people.
    pub from: String,
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its schema version.
    pub schema: i64,
    /// What is in it.
    pub contents: Contents,
    /// Whether the audit log of what was backed up says so.
    pub is_recorded: bool,
}

/// How a backup is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupHow {
    /// A file that is there is replaced.
    pub may_replace: bool,
    /// It is wrapped for these age recipients, if there are any.
    pub recipients: Vec<String>,
}

/// Makes a backup while whoever likes works on the database. The file appears under its name only
/// when it is whole, opens with the key at hand, and is on the disk (F09).
pub async fn backup(
    config: &Config,
    file: &Path,
    how: &BackupHow,
    on_progress: OnProgress<'_>,
) -> Result<BackedUp, UpkeepError> {
    let recipients = Recipients::parse(&how.recipients)?;
    let places = Places::prepare(&config.data_dir).map_err(OpenError::from)?;
    refuse_what_is_there(&places, file, how.may_replace)?;
    let draft = Draft::begin(beside(file, ".part"))?;
    let (from, schema) = match config.store.shown() {
        Some(shown) => (shown, from_postgres(config, draft.path()).await?),
        None => from_sqlite(&places, draft.path()).await?,
    };
    let contents = if schema < SqliteStore::known_version() {
        // The backup stays as the older version wrote it, so that the older version can use it.
        let scratch = Draft::begin(beside(file, ".check.part"))?;
        let copied = fs::copy(draft.path(), scratch.path());
        copied.map_err(|source| unusable(scratch.path(), source))?;
        verify(config, scratch.path(), on_progress).await?
    } else {
        verify(config, draft.path(), on_progress).await?
    };
    refuse_damage(draft.path()).await?;
    let draft = match &recipients {
        Some(recipients) => wrapped(&draft, file, recipients)?,
        None => draft,
    };
    on_disk(draft.path())?;
    let bytes = fs::metadata(draft.path()).map_err(|source| unusable(draft.path(), source))?;
    // Before it has its name: whoever has it, the log knows of it.
    let is_recorded = record(config, file, schema, &contents).await?;
    failpoint!("backup.before_rename");
    draft.publish(file, how.may_replace)?;
    Ok(BackedUp {
        from,
        file: file.to_owned(),
        bytes: bytes.len(),
        schema,
        contents,
        is_recorded,
    })
}

/// The same for recipients alone. What was tried is gone when this is published.
fn wrapped(plain: &Draft, file: &Path, recipients: &Recipients) -> Result<Draft, UpkeepError> {
    let draft = Draft::begin(beside(file, ".age.part"))?;
    let mut from = fs::File::open(plain.path()).map_err(|source| unusable(plain.path(), source))?;
    let to = fs::OpenOptions::new().write(true).open(draft.path());
    let mut to = to.map_err(|source| unusable(draft.path(), source))?;
    let done = recipients.wrap(&mut from, &mut to);
    done.map_err(|source| unusable(draft.path(), source))?;
    Ok(draft)
}

/// Says in the audit log that a copy of everything is made. A database that takes no entry is all
/// the more in need of a backup, so that is said and not refused; but in strict mode nothing
/// happens that is not recorded.
async fn record(
    config: &Config,
    file: &Path,
    schema: i64,
    contents: &Contents,
) -> Result<bool, UpkeepError> {
    // Opening it for an entry would migrate what the older version shall go on with.
    if schema != SqliteStore::known_version() {
        return Ok(false);
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let note = Note::new(Act::Backup, name)
        .with("servers", contents.servers)
        .with("credentials", contents.credentials)
        .with("epoch", contents.restore_epoch);
    let recorded = async {
        let doors = Doors::open(config, Vec::new())?;
        let (entropy, clock) = (Arc::clone(&doors.entropy), Arc::clone(&doors.clock));
        let opened = open::open(config, entropy, clock, Absent::Refuse).await?;
        let auditor = auditor(config, &opened)?;
        let told = tell(&auditor, note).await;
        auditor.close().await;
        told.map_err(|source| UpkeepError::Store {
            place: "audit log",
            source,
        })
    };
    match recorded.await {
        Ok(()) => Ok(true),
        Err(error) if config.audit.mode == AuditMode::Strict => Err(error),
        Err(error) => {
            tracing::warn!(error = %causes(&error), "the audit log does not take the entry of a backup");
            Ok(false)
        }
    }
}

/// Opens a copy with the key of this installation, counts, and opens a sample.
pub(super) async fn verify(
    config: &Config,
    path: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Contents, UpkeepError> {
    let store = open_draft(path).await?;
    let contents = async {
        let doors = Doors::open(config, Vec::new())?;
        let (entropy, clock) = (Arc::clone(&doors.entropy), Arc::clone(&doors.clock));
        let shown = path.display().to_string();
        let opened =
            open::open_copy(config, Arc::new(store.clone()), shown, entropy, clock).await?;
        let broker = doors.broker(config, &opened, None)?;
        Contents::read(&*opened.store, &broker, on_progress).await
    };
    let contents = contents.await;
    let finished = store.finish_draft(path).await;
    let contents = contents?;
    finished.map_err(|source| not_open(path, source))?;
    Ok(contents)
}

pub(super) async fn open_draft(path: &Path) -> Result<SqliteStore, UpkeepError> {
    let opened = SqliteStore::open_draft(path).await;
    opened.map_err(|source| not_open(path, source))
}

/// Every page and every index of a copy.
pub(super) async fn refuse_damage(path: &Path) -> Result<(), UpkeepError> {
    let damage = SqliteStore::find_damage(path, Depth::Integrity).await;
    let damage = damage.map_err(|source| not_open(path, source))?;
    if damage.is_empty() {
        return Ok(());
    }
    Err(UpkeepError::Damaged {
        path: path.to_owned(),
        what: damage.join("; "),
    })
}

pub(super) fn not_open(path: &Path, source: DatabaseError) -> UpkeepError {
    let path = path.to_owned();
    OpenError::Database { path, source }.into()
}

pub(super) fn unusable(path: &Path, source: std::io::Error) -> UpkeepError {
    let path = path.to_owned();
    UpkeepError::File { path, source }
}

fn on_disk(path: &Path) -> Result<(), UpkeepError> {
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| unusable(path, source))
}

fn refuse_what_is_there(
    places: &Places,
    file: &Path,
    may_replace: bool,
) -> Result<(), UpkeepError> {
    let Ok(there) = fs::symlink_metadata(file) else {
        return Ok(());
    };
    let is_database = match (fs::canonicalize(file), fs::canonicalize(&places.database)) {
        (Ok(file), Ok(database)) => file == database,
        _ => false,
    };
    if may_replace && there.is_file() && !is_database {
        return Ok(());
    }
    let path = file.to_owned();
    Err(UpkeepError::FileExists { path })
}

async fn from_sqlite(places: &Places, to: &Path) -> Result<(String, i64), UpkeepError> {
    let from = &places.database;
    let shown = from.display().to_string();
    if !fs::metadata(from).is_ok_and(|found| found.len() > 0) {
        return Err(OpenError::NothingYet { place: shown }.into());
    }
    let copied = SqliteStore::copy_file(from, to).await;
    let schema = copied.map_err(|source| not_open(from, source))?;
    Ok((shown, schema))
}

#[cfg(feature = "postgres")]
async fn from_postgres(config: &Config, to: &Path) -> Result<i64, UpkeepError> {
    use super::copy::{Copied, Work};

    let source = open::postgres::connect_as_is(&config.store).await?;
    let snapshot = source.snapshot().await;
    let snapshot = snapshot.map_err(|source| UpkeepError::Store {
        place: "database",
        source,
    })?;
    let target = open_draft(to).await?;
    let mut work = Work {
        from: Arc::new(snapshot.clone()),
        to: Some(Arc::new(target.clone())),
        copied: Copied {
            to: to.display().to_string(),
            ..Copied::default()
        },
    };
    let copied = work.everything(&mut |_| {}).await;
    drop(work);
    snapshot.close().await;
    // It keeps its instant on a connection of the source.
    drop(snapshot);
    source.close().await;
    let finished = target.finish_draft(to).await;
    copied?;
    finished.map_err(|source| not_open(to, source))?;
    Ok(SqliteStore::known_version())
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "the same as with PostgreSQL")]
async fn from_postgres(_config: &Config, _to: &Path) -> Result<i64, UpkeepError> {
    Err(OpenError::NoPostgres.into())
}
