//! `restore`: a backup becomes the installation, tried first and then put in place at once.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_broker::{Act, Auditor, Note};
use claviger_config::Config;
use claviger_crypto::base64url_encode;
use claviger_model::{Installation, Timestamp};
use claviger_ports::system::{SystemClock, SystemEntropy};
use claviger_ports::{Clock, Entropy};
use claviger_store::{Store, StoreError};
use claviger_store_sqlite::{SqliteStore, fold_log};
use serde::Serialize;

use super::backup::{not_open, open_draft, refuse_damage, unusable, verify};
use super::contents::Contents;
use super::draft::{Draft, beside, sync_directory};
use super::record::auditor;
#[cfg(feature = "postgres")]
use super::shared;
use super::wrap::{HEAD_BYTES, is_wrapped, unwrap};
use super::{OnProgress, UpkeepError};
use crate::installation::{remember, remembered};
use crate::open::{OpenError, Opened, open_copy};
use crate::places::Places;
use crate::remote::Remote;
use crate::socket;

/// How a backup is put in place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreHow {
    /// The original is gone: the copy may refresh and sign in from its first start on.
    pub is_live: bool,
    /// What is there is moved aside.
    pub may_replace: bool,
    /// The file with the age identity that a wrapped backup opens with.
    pub opens_with: Option<PathBuf>,
}

/// A backup that was put in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoredTo {
    /// The backup.
    pub file: PathBuf,
    /// The database, for people.
    pub to: String,
    /// Where what was there is now.
    pub moved_aside: Option<String>,
    /// Whether it waits for `restore --confirm-live`.
    pub is_held: bool,
    /// Counts the restores of this installation.
    pub restore_epoch: u64,
    /// What is in it.
    pub contents: Contents,
}

/// Puts a backup in place of nothing, or of what is moved aside. Whatever is wrong with it is said
/// before anything is written but a draft in the data directory.
pub async fn restore(
    config: &Config,
    file: &Path,
    how: &RestoreHow,
    on_progress: OnProgress<'_>,
) -> Result<RestoredTo, UpkeepError> {
    let places = Places::prepare(&config.data_dir).map_err(OpenError::from)?;
    let _claim = claim(&places).await?;
    let database = config.store.shown();
    let is_shared = database.is_some();
    let to = database.unwrap_or_else(|| places.database.display().to_string());
    let is_there = fs::symlink_metadata(&places.database).is_ok_and(|found| found.len() > 0);
    if !is_shared && is_there && !how.may_replace {
        return Err(UpkeepError::NotEmpty { place: to });
    }
    let there = shared_there(config, how).await?;
    let draft = Draft::begin(beside(&places.database, ".restoring"))?;
    copy_in(file, draft.path(), how.opens_with.as_deref())?;
    // Its version first: a later one's pages may mean what this one does not know.
    let version = SqliteStore::version_of(draft.path()).await;
    if version.map_err(|source| not_open(file, source))? == 0 {
        let path = file.to_owned();
        return Err(UpkeepError::NotABackup { path });
    }
    refuse_damage(draft.path()).await?;
    // F32: with another key it ends here, and says which one is needed.
    let contents = verify(config, draft.path(), on_progress).await?;
    let row = mark(config, &places, draft.path(), how, there).await?;
    let moved_aside = if is_shared {
        into_postgres(config, draft.path(), how).await?
    } else {
        let moved = is_there.then(|| aside(&places)).transpose()?;
        move_aside(&places, moved.as_deref()).await?;
        draft.publish(&places.database, true)?;
        moved.map(|path| path.display().to_string())
    };
    remember(&places, &row)?;
    Ok(RestoredTo {
        file: file.to_owned(),
        to,
        moved_aside,
        is_held: row.is_held,
        restore_epoch: row.restore_epoch,
        contents,
    })
}

/// No server may run, and none may start until the answer is dropped.
async fn claim(places: &Places) -> Result<File, UpkeepError> {
    let socket = places.admin_socket.clone();
    if Remote::find(&socket).await.is_some() {
        return Err(UpkeepError::Running { socket });
    }
    socket::claim(&places.data_dir).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => UpkeepError::Running { socket },
        _ => unusable(&places.data_dir, source),
    })
}

/// A copy of the file, under a name of ours. What others may read is not made readable by it.
fn copy_in(file: &Path, draft: &Path, identity: Option<&Path>) -> Result<(), UpkeepError> {
    let failed = |source| unusable(file, source);
    let mut from = File::open(file).map_err(failed)?;
    let mut head = Vec::new();
    let mut first = (&mut from).take(HEAD_BYTES as u64);
    first.read_to_end(&mut head).map_err(failed)?;
    let is_wrapped = is_wrapped(&head);
    let whole = io::Cursor::new(head).chain(from);
    let mut whole: Box<dyn Read> = match (is_wrapped, identity) {
        (true, Some(identity)) => unwrap(file, whole, identity)?,
        (true, None) => {
            let path = file.to_owned();
            return Err(UpkeepError::Wrapped { path });
        }
        (false, _) => Box::new(whole),
    };
    let mut to = fs::OpenOptions::new()
        .write(true)
        .mode(0o600)
        .open(draft)
        .map_err(|source| unusable(draft, source))?;
    let copied = io::copy(&mut whole, &mut to).and_then(|_bytes| to.sync_all());
    copied.map_err(|source| unusable(draft, source))
}

/// Writes into the copy that it is one: what was under way is over, and the epoch is a new one.
async fn mark(
    config: &Config,
    places: &Places,
    draft: &Path,
    how: &RestoreHow,
    there: Option<Installation>,
) -> Result<Installation, UpkeepError> {
    let store = open_draft(draft).await?;
    let marked = async {
        let auditor = auditor_of(config, &store, draft).await?;
        let marked = mark_in(places, &store, how, there, &auditor).await;
        auditor.close().await;
        marked.map_err(|source| UpkeepError::Store {
            place: "copy",
            source,
        })
    };
    let marked = marked.await;
    let finished = store.finish_draft(draft).await;
    let row = marked?;
    finished.map_err(|source| not_open(draft, source))?;
    Ok(row)
}

/// The audit log of the copy, which says that it is one.
async fn auditor_of(
    config: &Config,
    store: &SqliteStore,
    draft: &Path,
) -> Result<Auditor, UpkeepError> {
    let (entropy, clock) = (Arc::new(SystemEntropy), Arc::new(SystemClock));
    let shown = draft.display().to_string();
    let opened = open_copy(config, Arc::new(store.clone()), shown, entropy, clock).await?;
    let is_shared = config.store.url.is_some();
    auditor(
        config,
        &Opened {
            is_shared,
            ..opened
        },
    )
}

async fn mark_in(
    places: &Places,
    store: &SqliteStore,
    how: &RestoreHow,
    there: Option<Installation>,
    auditor: &Auditor,
) -> Result<Installation, StoreError> {
    store.end_what_was_under_way().await?;
    let now = SystemClock.now();
    let known = store.installation().find_installation().await?;
    let is_new = known.is_none();
    let mut row = known.unwrap_or_else(|| new_installation(now));
    // Above all of them: a node that remembers the latest must not take this for an old copy.
    let here = remembered(places).filter(|here| here.id == row.id);
    let here = here.map_or(0, |here| here.restore_epoch);
    let there = there.filter(|there| there.id == row.id);
    let there = there.map_or(0, |there| there.restore_epoch);
    row.restore_epoch = row.restore_epoch.max(here).max(there).saturating_add(1);
    row.restored_at = Some(now);
    row.is_held = !how.is_live;
    let note = Note::new(Act::Restore, &row.id)
        .by(auditor.admin())
        .with("epoch", row.restore_epoch)
        .with("is_held", row.is_held);
    let (draft, rows) = auditor.change_installation(note).await?;
    if is_new {
        draft.settle(rows.insert_installation(&row).await)?;
    } else {
        draft.settle(rows.update_installation(&row).await)?;
    }
    Ok(row)
}

fn new_installation(now: Timestamp) -> Installation {
    Installation {
        id: base64url_encode(&SystemEntropy.id_bytes()),
        restore_epoch: 0,
        restored_at: None,
        is_held: false,
        created_at: now,
    }
}

/// A name beside the database that nobody has.
fn aside(places: &Places) -> Result<PathBuf, UpkeepError> {
    let now = SystemClock.now().as_secs();
    for number in 0..100 {
        let suffix = if number == 0 {
            format!(".before-restore-{now}")
        } else {
            format!(".before-restore-{now}-{number}")
        };
        let path = beside(&places.database, &suffix);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(path);
        }
    }
    let source = io::ErrorKind::AlreadyExists.into();
    Err(unusable(&places.database, source))
}

/// What is there gets a second name, and loses its own when the copy takes it. It may be damaged,
/// so it is not opened for more than to write its log back.
async fn move_aside(places: &Places, to: Option<&Path>) -> Result<(), UpkeepError> {
    let from = &places.database;
    let log = beside(from, "-wal");
    let failed = |source| unusable(from, source);
    if let Some(to) = to {
        if let Err(error) = fold_log(from).await {
            tracing::warn!(%error, "the log of the database that is moved aside stays beside it");
        }
        fs::hard_link(from, to).map_err(failed)?;
        if log.exists() {
            fs::hard_link(&log, beside(to, "-wal")).map_err(failed)?;
        }
        sync_directory(to).map_err(failed)?;
    }
    // A log belongs to whatever database it stands beside: left here, it would be played into the
    // copy.
    for suffix in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(from, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    sync_directory(from).map_err(failed)
}

/// Refuses a shared database that is in use where it is to be replaced, and answers what it says of
/// itself.
#[cfg(feature = "postgres")]
async fn shared_there(
    config: &Config,
    how: &RestoreHow,
) -> Result<Option<Installation>, UpkeepError> {
    if config.store.shown().is_none() || !how.may_replace {
        return Ok(None);
    }
    shared::refuse_if_used(config).await?;
    Ok(shared::installation_there(config).await)
}

#[cfg(feature = "postgres")]
async fn into_postgres(
    config: &Config,
    draft: &Path,
    how: &RestoreHow,
) -> Result<Option<String>, UpkeepError> {
    if how.may_replace {
        return shared::replace(config, draft).await;
    }
    shared::fill(config, draft).await.map(|()| None)
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "the same as with PostgreSQL")]
async fn shared_there(
    _config: &Config,
    _how: &RestoreHow,
) -> Result<Option<Installation>, UpkeepError> {
    Ok(None)
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "the same as with PostgreSQL")]
async fn into_postgres(
    _config: &Config,
    _draft: &Path,
    _how: &RestoreHow,
) -> Result<Option<String>, UpkeepError> {
    Err(OpenError::NoPostgres.into())
}
