//! Looking after the database while it is served: damage, a log that grows, and a second look at
//! what came from a backup.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use claviger_broker::Recheck;
use claviger_config::Config;
use claviger_model::Timestamp;
use claviger_store::StoreError;
use claviger_store_sqlite::{Depth, SqliteStore, checkpoint};

use crate::app::App;
use crate::open::OpenError;

/// A file up to this size is looked through before it is served; a larger one beside it.
const LOOKED_AT_FIRST: u64 = 64 * 1024 * 1024;

/// A log above this is no longer the usual one: some reader holds it (F37).
const MOST_LOG: u64 = 256 * 1024 * 1024;

/// How often the log is looked at.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// How often the whole file is checked, in seconds.
const CHECK_EVERY: i64 = 7 * 24 * 3_600;

/// Between two credentials from a backup: an issuer sees one refresh at a time (F31).
const RECHECK_PAUSE: Duration = Duration::from_secs(1);

/// Between two walks over what an issuer did not answer for.
const RECHECK_EVERY: Duration = Duration::from_secs(30);

/// F35: refuses a small file that is damaged before anybody is served from it.
pub(crate) async fn look_first(config: &Config) -> Result<(), OpenError> {
    let path = config.data_dir.join("claviger.db");
    if config.store.url.is_some() || !(1..=LOOKED_AT_FIRST).contains(&size(&path)) {
        return Ok(());
    }
    // What is not ours at all is said better by opening it.
    if SqliteStore::version_of(&path).await.is_err() {
        return Ok(());
    }
    match SqliteStore::find_damage(&path, Depth::Quick).await {
        Ok(damage) if !damage.is_empty() => Err(OpenError::Damaged {
            path,
            what: damage.join("; "),
        }),
        _ => Ok(()),
    }
}

/// Looks after a SQLite file until `closed` resolves.
pub(crate) async fn tend_file(app: Arc<App>, closed: impl Future<Output = ()>) {
    let path = app.places.database.clone();
    let mut closed = core::pin::pin!(closed);
    if size(&path) > LOOKED_AT_FIRST {
        say_damage(&path, Depth::Quick).await;
    }
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = app.clock.sleep(LOG_EVERY) => {}
        }
        look_at_log(&path).await;
        let due = checked_at(&app).plus(CHECK_EVERY);
        if app.clock.now() >= due {
            say_damage(&path, Depth::Integrity).await;
            note_checked(&app);
        }
    }
}

/// Looks twice at every credential that came from a backup, until `closed` resolves.
pub(crate) async fn look_twice(app: Arc<App>, closed: impl Future<Output = ()>) {
    let mut closed = core::pin::pin!(closed);
    let mut done_epoch = 0;
    loop {
        let walk = walk(&app, &mut done_epoch);
        let walked = tokio::select! {
            () = &mut closed => return,
            walked = walk => walked,
        };
        if let Err(error) = walked {
            tracing::debug!(%error, "the credentials of a backup are looked at later");
        }
        tokio::select! {
            () = &mut closed => return,
            () = app.clock.sleep(RECHECK_EVERY) => {}
        }
    }
}

/// One walk over all tenants. Nothing is left to do for an epoch when each was looked at.
async fn walk(app: &App, done_epoch: &mut u64) -> Result<(), StoreError> {
    let row = app.store.installation().find_installation().await?;
    let Some(row) = row.filter(|row| row.restored_at.is_some() && !row.is_held) else {
        return Ok(());
    };
    if row.restore_epoch == *done_epoch {
        return Ok(());
    }
    app.broker.set_installation(&row);
    let (mut renewed, mut ended, mut left) = (0_u32, 0_u32, 0_u32);
    for tenant in app.store.list_tenants().await? {
        let rows = app.store.tenant(&tenant);
        for server in rows.list_servers().await? {
            for held in rows.list_credentials(&server.id).await? {
                if !held.is_refreshable || !app.broker.came_from_backup(&held) {
                    continue;
                }
                match app.broker.recheck(&server, &held.key).await {
                    Ok(Recheck::Renewed) => renewed += 1,
                    Ok(Recheck::Ended) => ended += 1,
                    Ok(Recheck::NotNeeded) => continue,
                    _ => left += 1,
                }
                app.clock.sleep(RECHECK_PAUSE).await;
            }
        }
    }
    if left == 0 {
        *done_epoch = row.restore_epoch;
        tracing::info!(
            renewed,
            ended,
            "every credential of the backup was looked at"
        );
    } else {
        tracing::info!(
            renewed,
            ended,
            left,
            "issuers did not answer for some of the backup"
        );
    }
    Ok(())
}

async fn say_damage(path: &Path, depth: Depth) {
    let shown = path.display();
    match SqliteStore::find_damage(path, depth).await {
        Ok(damage) if damage.is_empty() => {
            tracing::info!(database = %shown, "the database is well");
        }
        Ok(damage) => {
            let what = damage.join("; ");
            tracing::error!(
                database = %shown,
                %what,
                "THE DATABASE IS DAMAGED; stop the server and put a backup back with \
                 `claviger restore --replace FILE`"
            );
        }
        Err(error) => tracing::warn!(%error, "the database could not be looked through"),
    }
}

/// F37: says that the log grows; answers its size if it does.
async fn look_at_log(path: &Path) -> Option<u64> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = Path::new(&log);
    if size(log) <= MOST_LOG {
        return None;
    }
    if let Err(error) = checkpoint(path).await {
        tracing::debug!(%error, "the log could not be written back");
    }
    let bytes = size(log);
    tracing::warn!(
        bytes,
        log = %log.display(),
        "the database's log grows: some program holds the database open and reads for long; end it"
    );
    Some(bytes)
}

/// When the whole file was checked last, by any server on this data directory; the first server
/// begins to count.
fn checked_at(app: &App) -> Timestamp {
    let text = fs::read_to_string(app.places.data_dir.join(CHECKED));
    let seconds = text.ok().and_then(|text| text.trim().parse().ok());
    seconds.map_or_else(
        || {
            note_checked(app);
            app.clock.now()
        },
        Timestamp::from_secs,
    )
}

fn note_checked(app: &App) {
    let path = app.places.data_dir.join(CHECKED);
    if let Err(error) = fs::write(&path, format!("{}\n", app.clock.now().as_secs())) {
        tracing::debug!(%error, "could not note when the database was checked");
    }
}

/// When the whole file was checked last, in seconds since 1970.
const CHECKED: &str = "checked";

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

#[cfg(test)]
mod tests {
    use claviger_store_sqlite::SqliteStore;

    use super::*;

    #[tokio::test]
    async fn f37_a_log_that_grows_is_said_and_a_usual_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("c.db");
        let store = SqliteStore::open(&path).await.unwrap();
        assert_eq!(look_at_log(&path).await, None);
        // A hole in the file: nothing of it is on the disk.
        let log = fs::OpenOptions::new()
            .write(true)
            .open(home.path().join("c.db-wal"))
            .unwrap();
        log.set_len(MOST_LOG + 1).unwrap();
        assert_eq!(look_at_log(&path).await, Some(MOST_LOG + 1));
        store.close().await.unwrap();
        assert_eq!(look_at_log(&path).await, None);
    }
}
