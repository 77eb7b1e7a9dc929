//! Which installation this is: what the database says of itself, and what the data directory
//! remembers of it.
//!
//! Two that send the same refresh tokens end each other's grants. So a data directory does not
//! follow a database that was swapped or rolled back under it, and a restored copy is held (F33).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use claviger_crypto::base64url_encode;
use claviger_model::{Installation, Timestamp};
use claviger_ports::Entropy;
use claviger_store::{Store, StoreError};

use crate::open::OpenError;
use crate::places::{Places, PlacesError};

/// What the data directory remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) id: String,
    pub(crate) restore_epoch: u64,
}

/// Finds the installation of a database, makes it at the first start, and refuses a database that
/// is not the one of this data directory.
pub(crate) async fn settle(
    places: &Places,
    store: &dyn Store,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<Installation, OpenError> {
    let (row, is_new) = find_or_make(store, entropy, now)
        .await
        .map_err(|source| OpenError::Store { source })?;
    let known = remembered(places);
    // A database that was just made replaces one that somebody took away on purpose.
    if let Some(known) = known.as_ref().filter(|_| !is_new) {
        if known.id != row.id {
            return Err(OpenError::OtherInstallation {
                here: known.id.clone(),
                found: row.id,
            });
        }
        if known.restore_epoch > row.restore_epoch {
            return Err(OpenError::RolledBack);
        }
    }
    let is_same =
        |known: &Remembered| known.id == row.id && known.restore_epoch == row.restore_epoch;
    if !known.as_ref().is_some_and(is_same) {
        remember(places, &row)?;
    }
    Ok(row)
}

async fn find_or_make(
    store: &dyn Store,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(Installation, bool), StoreError> {
    let rows = store.installation();
    if let Some(row) = rows.find_installation().await? {
        return Ok((row, false));
    }
    let row = Installation {
        id: base64url_encode(&entropy.id_bytes()),
        restore_epoch: 0,
        restored_at: None,
        is_held: false,
        created_at: now,
    };
    match rows.insert_installation(&row).await {
        Ok(()) => return Ok((row, true)),
        // Another process was first.
        Err(StoreError::Conflict) => {}
        Err(error) => return Err(error),
    }
    let row = rows.find_installation().await?;
    let row = row.ok_or(StoreError::Corrupt {
        what: "an installation that is there and is not",
    })?;
    Ok((row, true))
}

/// What the data directory remembers; nothing if it remembers nothing that can be read.
pub(crate) fn remembered(places: &Places) -> Option<Remembered> {
    let text = fs::read_to_string(&places.installation_file).ok()?;
    let (id, epoch) = text.trim().split_once(' ')?;
    Some(Remembered {
        id: id.to_owned(),
        restore_epoch: epoch.parse().ok()?,
    })
}

/// Remembers an installation, in place of another one.
pub(crate) fn remember(places: &Places, row: &Installation) -> Result<(), OpenError> {
    let path = &places.installation_file;
    let written = || -> io::Result<()> {
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        writeln!(file, "{} {}", row.id, row.restore_epoch)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|source| {
        PlacesError::Io {
            path: path.clone(),
            source,
        }
        .into()
    })
}
