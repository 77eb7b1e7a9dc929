//! `restore --confirm-live`: this installation is the live one, says whoever runs it.

use std::sync::Arc;

use claviger_broker::{Act, Auditor, Note};
use claviger_config::Config;
use claviger_model::Installation;
use claviger_ports::system::{SystemClock, SystemEntropy};
use claviger_store::StoreError;
use serde::Serialize;

use super::UpkeepError;
use super::record::{auditor, tell};
use crate::installation::remember;
use crate::open::{self, Absent};

/// An installation that was called the live one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// The database, for people.
    pub database: String,
    /// The installation.
    pub cluster_id: String,
    /// Whether it was held until now.
    pub was_held: bool,
}

/// Lets a held copy refresh and sign in again, on every node within a second, and lets this data
/// directory belong to whatever database it is configured with.
pub async fn confirm_live(config: &Config) -> Result<Confirmed, UpkeepError> {
    let (entropy, clock) = (Arc::new(SystemEntropy), Arc::new(SystemClock));
    let opened = open::open(config, entropy, clock, Absent::Refuse).await?;
    let row = opened.store.installation().find_installation().await;
    let row = row.map_err(failed)?;
    let Some(mut row) = row else {
        let place = opened.database;
        return Err(open::OpenError::NothingYet { place }.into());
    };
    let was_held = row.is_held;
    row.is_held = false;
    let auditor = auditor(config, &opened)?;
    let confirmed = confirm(&auditor, &row, was_held).await;
    auditor.close().await;
    if !confirmed.map_err(failed)? {
        return Err(UpkeepError::Changed);
    }
    remember(&opened.places, &row)?;
    Ok(Confirmed {
        database: opened.database,
        cluster_id: row.id,
        was_held,
    })
}

/// Says that it is the live one, whether or not that changes anything here.
async fn confirm(
    auditor: &Auditor,
    row: &Installation,
    was_held: bool,
) -> Result<bool, StoreError> {
    let note = Note::new(Act::Restore, &row.id)
        .by(auditor.admin())
        .with("confirm_live", true)
        .with("was_held", was_held)
        .with("epoch", row.restore_epoch);
    if !was_held {
        return tell(auditor, note).await.map(|()| true);
    }
    let (draft, rows) = auditor.change_installation(note).await?;
    draft.settle(rows.update_installation(row).await)
}

fn failed(source: StoreError) -> UpkeepError {
    UpkeepError::Store {
        place: "database",
        source,
    }
}
