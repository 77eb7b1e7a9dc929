//! What changed since somebody last asked.

use core::sync::atomic::Ordering;

use claviger_store::{Changes, Cursor, StoreError};
use sqlx::{query_as, query_scalar};

use crate::db::Db;
use crate::error::{Failure, is_unreadable};
use crate::pool::{Pool, Scope};
use crate::queries::changes::{self, ChangeRow, KEPT, MOST};
use crate::retry::retry;

/// What a reader has read: all that this snapshot showed.
#[derive(Debug)]
struct Place {
    /// Which run of which server. A restart, a failover or a restored copy may have taken back what
    /// was told.
    server: String,
    /// When, by the database's clock, in seconds.
    at: i64,
    /// `pg_current_snapshot()`.
    snapshot: String,
}

/// A transaction becomes visible when it commits, whatever its number is. So what is new is what the
/// last snapshot did not show.
pub(crate) async fn list_changes(
    pool: &Pool,
    since: Option<&Cursor>,
) -> Result<Changes, StoreError> {
    let read = retry(|| async {
        let mut db = pool.read(Scope::Nobody).await?;
        // First the place, then the rows: what comes in between is told twice and never left out.
        let place = Place::find(&mut db).await?;
        let rows = match since.and_then(Place::read) {
            Some(before) if place.follows(&before) => rows(&mut db, &before.snapshot).await?,
            _ => None,
        };
        Ok((place, rows))
    });
    let (place, rows) = read.await?;
    let is_everything = rows.is_none();
    let told: Result<Vec<_>, _> = rows
        .unwrap_or_default()
        .into_iter()
        .map(changes::read)
        .collect();
    prune_now_and_then(pool).await?;
    Ok(Changes {
        cursor: place.write(),
        changes: told?,
        is_everything,
    })
}

/// What a snapshot did not show; nothing if that is too much, or if it is no snapshot.
async fn rows(db: &mut Db, snapshot: &str) -> Result<Option<Vec<ChangeRow>>, Failure> {
    type Row = (
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<i64>,
    );
    let listed = query_as("SELECT * FROM list_changes($1::pg_snapshot, $2)")
        .bind(snapshot)
        .bind(MOST + 1)
        .fetch_all(db)
        .await;
    let rows: Vec<Row> = match listed {
        Err(error) if is_unreadable(&error) => return Ok(None),
        done => done?,
    };
    if i64::try_from(rows.len()).is_ok_and(|found| found > MOST) {
        return Ok(None);
    }
    let row = |(tenant_id, kind, server_id, user_id, account, version)| ChangeRow {
        tenant_id,
        kind,
        server_id,
        user_id,
        account,
        version,
    };
    Ok(Some(rows.into_iter().map(row).collect()))
}

/// Readers poll, writers are in a hurry: so it is a reader who forgets what is old.
async fn prune_now_and_then(pool: &Pool) -> Result<(), StoreError> {
    if pool.asked.fetch_add(1, Ordering::Relaxed) % EVERY != EVERY - 1 {
        return Ok(());
    }
    retry(|| async {
        let mut db = pool.write(Scope::Nobody).await?;
        let pruned: i64 = query_scalar("SELECT prune_changes($1)")
            .bind(KEPT)
            .fetch_one(&mut db)
            .await?;
        if pruned > 0 {
            db.commit_uncounted().await?;
        }
        Ok(())
    })
    .await
}

impl Place {
    async fn find(db: &mut Db) -> sqlx::Result<Self> {
        let (server, at, snapshot) = query_as(
            "SELECT concat_ws('-', 'claviger.changes'::regclass::oid, extract(epoch FROM
                     pg_postmaster_start_time())::numeric, current_database()),
                 extract(epoch FROM clock_timestamp())::bigint, pg_current_snapshot()::text",
        )
        .fetch_one(db)
        .await?;
        Ok(Self {
            server,
            at,
            snapshot,
        })
    }

    /// Whether nothing was forgotten since: of the same run, and not too long ago.
    fn follows(&self, before: &Self) -> bool {
        let age = self.at - before.at;
        self.server == before.server && (0..KEPT - MARGIN).contains(&age)
    }

    fn write(&self) -> Cursor {
        Cursor(format!("{}/{}/{}", self.at, self.snapshot, self.server))
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let (at, rest) = cursor.0.split_once('/')?;
        let (snapshot, server) = rest.split_once('/')?;
        Some(Self {
            server: server.to_owned(),
            at: at.parse().ok()?,
            snapshot: snapshot.to_owned(),
        })
    }
}

/// A change is stamped when it is written and seen when it commits; that is seconds apart at most.
const MARGIN: i64 = 120;
const EVERY: u64 = 256;

#[cfg(test)]
mod tests;
