//! Statements of the audit log.

use claviger_model::{AuditEntry, AuditFilter, TenantId, Timestamp};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{instant, number, text, to_number};

/// A row of `audit`.
pub(crate) struct AuditRow {
    pub(crate) chain: String,
    pub(crate) seq: i64,
    pub(crate) node: String,
    pub(crate) at: i64,
    pub(crate) tenant_id: String,
    pub(crate) actor: String,
    pub(crate) act: String,
    pub(crate) object: String,
    pub(crate) outcome: String,
    pub(crate) detail: String,
    pub(crate) count: i64,
    pub(crate) mac: Vec<u8>,
}

/// The highest entry of a chain that is old enough.
pub(crate) struct AgedRow {
    pub(crate) chain: String,
    pub(crate) seq: i64,
}

pub(crate) async fn insert(db: &mut Db, row: AuditRow) -> Result<()> {
    query!(
        "INSERT INTO audit (chain, seq, node, at, tenant_id, actor, act, object, outcome, detail,
             count, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        row.chain,
        row.seq,
        row.node,
        row.at,
        row.tenant_id,
        row.actor,
        row.act,
        row.object,
        row.outcome,
        row.detail,
        row.count,
        row.mac
    )
    .execute(db)
    .await?;
    Ok(())
}

/// An absent condition is NULL.
pub(crate) async fn list(db: &mut Db, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
    let tenant = filter.tenant.as_ref().map(TenantId::as_str);
    let (actor, act) = (filter.actor.as_deref(), filter.act.as_deref());
    let object = filter.object.as_deref();
    let since = filter.since.map(Timestamp::as_secs);
    let until = filter.until.map(Timestamp::as_secs);
    let limit = i64::from(filter.limit);
    query_as!(
        AuditRow,
        "SELECT chain AS \"chain!\", seq AS \"seq!: i64\", node AS \"node!\", at AS \"at!: i64\",
             tenant_id AS \"tenant_id!\", actor AS \"actor!\", act AS \"act!\",
             object AS \"object!\", outcome AS \"outcome!\", detail AS \"detail!\",
             count AS \"count!: i64\", mac AS \"mac!\"
         FROM audit
         WHERE (CAST($1 AS TEXT) IS NULL OR tenant_id = CAST($1 AS TEXT))
             AND (CAST($2 AS TEXT) IS NULL OR actor = CAST($2 AS TEXT))
             AND (CAST($3 AS TEXT) IS NULL OR act = CAST($3 AS TEXT)
                 OR substr(act, 1, length(CAST($3 AS TEXT)) + 1) = CAST($3 AS TEXT) || '.')
             AND (CAST($4 AS TEXT) IS NULL OR object = CAST($4 AS TEXT))
             AND (CAST($5 AS BIGINT) IS NULL OR at >= CAST($5 AS BIGINT))
             AND (CAST($6 AS BIGINT) IS NULL OR at < CAST($6 AS BIGINT))
         ORDER BY at DESC, chain DESC, seq DESC LIMIT $7",
        tenant,
        actor,
        act,
        object,
        since,
        until,
        limit
    )
    .fetch_all(db)
    .await
}

/// From chain to chain along the index: there are few chains and many entries.
pub(crate) async fn list_heads(db: &mut Db) -> Result<Vec<AuditRow>> {
    query_as!(
        AuditRow,
        "WITH RECURSIVE chains (name) AS (
             SELECT min(chain) FROM audit
             UNION ALL
             SELECT (SELECT min(chain) FROM audit WHERE chain > chains.name)
             FROM chains WHERE chains.name IS NOT NULL
         )
         SELECT a.chain AS \"chain!\", a.seq AS \"seq!: i64\", a.node AS \"node!\",
             a.at AS \"at!: i64\", a.tenant_id AS \"tenant_id!\", a.actor AS \"actor!\",
             a.act AS \"act!\", a.object AS \"object!\", a.outcome AS \"outcome!\",
             a.detail AS \"detail!\", a.count AS \"count!: i64\", a.mac AS \"mac!\"
         FROM chains JOIN audit AS a ON a.chain = chains.name
             AND a.seq = (SELECT max(seq) FROM audit WHERE chain = chains.name)
         ORDER BY a.chain"
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn list_chain(
    db: &mut Db,
    chain: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<AuditRow>> {
    let limit = i64::from(limit);
    query_as!(
        AuditRow,
        "SELECT chain, seq, node, at, tenant_id, actor, act, object, outcome, detail, count, mac
         FROM audit WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        chain,
        after,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn delete_up_to(db: &mut Db, chain: &str, seq: i64) -> Result<u64> {
    let done = query!(
        "DELETE FROM audit WHERE chain = $1 AND seq <= $2",
        chain,
        seq
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn list_aged(db: &mut Db, before: i64) -> Result<Vec<AgedRow>> {
    query_as!(
        AgedRow,
        "SELECT chain AS \"chain!\", max(seq) AS \"seq!: i64\" FROM audit WHERE at < $1
         GROUP BY chain ORDER BY chain",
        before
    )
    .fetch_all(db)
    .await
}

/// What is stored of it.
pub(crate) fn row(entry: &AuditEntry) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        chain: entry.chain.clone(),
        seq: to_number(entry.seq, "audit.seq")?,
        node: entry.node.clone(),
        at: entry.at.as_secs(),
        tenant_id: entry
            .tenant
            .as_ref()
            .map_or("", TenantId::as_str)
            .to_owned(),
        actor: entry.actor.clone(),
        act: entry.act.clone(),
        object: entry.object.clone(),
        outcome: entry.outcome.clone(),
        detail: entry.detail.clone(),
        count: to_number(entry.count, "audit.count")?,
        mac: entry.mac.clone(),
    })
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(row: AuditRow) -> Result<AuditEntry, StoreError> {
    let tenant = if row.tenant_id.is_empty() {
        None
    } else {
        Some(text(row.tenant_id, "audit.tenant_id")?)
    };
    Ok(AuditEntry {
        chain: row.chain,
        seq: number(row.seq, "audit.seq")?,
        node: row.node,
        at: instant(row.at),
        tenant,
        actor: row.actor,
        act: row.act,
        object: row.object,
        outcome: row.outcome,
        detail: row.detail,
        count: number(row.count, "audit.count")?,
        mac: row.mac,
    })
}
