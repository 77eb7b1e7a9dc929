//! `restore` into PostgreSQL: into an empty database, or in place of what is there.

use std::path::Path;
use std::sync::Arc;

use claviger_config::Config;
use claviger_model::Installation;
use claviger_store::Store;

use super::UpkeepError;
use super::backup::open_draft;
use super::copy::{Copied, Work};
use crate::open::postgres::{begin_replacement, connect, connect_as_is, is_in_use};

/// Refuses a database that some node works on: it would go on with what it remembers of the other
/// one, and two that refresh the same credentials end each other's (F33).
pub(super) async fn refuse_if_used(config: &Config) -> Result<(), UpkeepError> {
    if is_in_use(&config.store).await? {
        let place = config.store.shown().unwrap_or_default();
        return Err(UpkeepError::InUse { place });
    }
    Ok(())
}

/// What the database that is there says of itself, if it says anything that can be read.
pub(super) async fn installation_there(config: &Config) -> Option<Installation> {
    let there = connect_as_is(&config.store).await.ok()?;
    let row = there.installation().find_installation().await;
    there.close().await;
    row.ok().flatten()
}

/// Copies a draft into an empty database.
pub(super) async fn fill(config: &Config, draft: &Path) -> Result<(), UpkeepError> {
    let target = connect(&config.store).await?;
    let filled = copy(config, draft, Arc::new(target.clone())).await;
    target.close().await;
    filled
}

/// Copies a draft beside the database that is there, and then lets both change their names at once.
/// Answers what the other one is called now.
pub(super) async fn replace(config: &Config, draft: &Path) -> Result<Option<String>, UpkeepError> {
    let place = || config.store.shown().unwrap_or_default();
    let failed = |source| crate::open::OpenError::Postgres {
        place: place(),
        source,
    };
    let replacement = begin_replacement(&config.store).await?;
    let filled = copy(config, draft, Arc::new(replacement.store())).await;
    let filled = match filled {
        // Somebody may have started while it was copied.
        Ok(()) => refuse_if_used(config).await,
        Err(error) => Err(error),
    };
    if let Err(error) = filled {
        if let Err(left) = replacement.give_up().await {
            tracing::warn!(error = %left, "what was copied so far stays behind until the next try");
        }
        return Err(error);
    }
    let aside = replacement.take_place().await.map_err(failed)?;
    Ok(aside.map(|schema| format!("the schema {schema}")))
}

async fn copy(config: &Config, draft: &Path, to: Arc<dyn Store>) -> Result<(), UpkeepError> {
    let source = open_draft(draft).await?;
    let mut work = Work {
        from: Arc::new(source.clone()),
        to: Some(to),
        copied: Copied {
            to: config.store.shown().unwrap_or_default(),
            ..Copied::default()
        },
    };
    let copied = work.everything(&mut |_| {}).await;
    drop(work);
    let closed = source.close().await;
    copied?;
    closed.map_err(|source| UpkeepError::Store {
        place: "copy",
        source,
    })
}
