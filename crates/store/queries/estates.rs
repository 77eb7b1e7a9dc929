//! Statements that end a tenant, and nothing else: the only ones that delete its newest key.

use std::collections::BTreeSet;

use claviger_model::{Revocation, RevocationId, TenantId};
use claviger_store::{Estate, StoreError};
use sqlx::{Result, query};

use super::revocations::{self, RevocationRow};
use super::{Db, api_tokens, credentials, purges, servers};

/// What the tenant had, for whoever tells others.
pub(crate) struct Cleared {
    /// The ids of its servers.
    pub(crate) servers: Vec<String>,
    /// Whether it had any row.
    pub(crate) had_rows: bool,
    /// Whether the estate named everything.
    pub(crate) is_whole: bool,
}

/// What the heir is given. All of it is the heir's already, and none of what ends is.
pub(crate) fn inherited(
    tenant: &TenantId,
    heir: &TenantId,
    estate: &Estate,
) -> Result<Vec<RevocationRow>, StoreError> {
    let is_theirs = |row: &Revocation| row.key.tenant == *heir;
    let is_own = estate
        .credentials
        .iter()
        .all(|(key, _)| key.tenant == *tenant);
    if tenant == heir || !is_own || !estate.inherited.iter().all(is_theirs) {
        return Err(StoreError::Failed {
            source: Elsewhere.into(),
        });
    }
    Ok(estate.inherited.iter().map(revocations::row).collect())
}

/// Deletes every row of the tenant but its keys.
pub(crate) async fn clear(db: &mut Db, tenant: &TenantId, estate: &Estate) -> Result<Cleared> {
    let rows = servers::list(db, tenant).await?;
    let mut cleared = Cleared {
        servers: rows.into_iter().map(|row| row.id).collect(),
        had_rows: false,
        is_whole: true,
    };
    cleared.had_rows |= !cleared.servers.is_empty();
    for (key, fingerprint) in &estate.credentials {
        let ended = credentials::delete(db, key.into(), fingerprint).await?;
        cleared.is_whole &= ended.is_some();
    }
    for server in &cleared.servers {
        cleared.is_whole &= purges::count_credentials(db, tenant, server).await? == 0;
        // Whatever else is there hangs on it.
        servers::delete(db, tenant, server).await?;
    }
    let owed = revocations::list(db, tenant).await?;
    let named: BTreeSet<_> = estate.owed.iter().map(RevocationId::as_str).collect();
    let found: BTreeSet<_> = owed.iter().map(|row| row.id.as_str()).collect();
    cleared.is_whole &= named == found;
    for row in &owed {
        revocations::delete(db, tenant, &row.id).await?;
    }
    let tokens = api_tokens::list(db, tenant).await?;
    for row in &tokens {
        api_tokens::delete(db, tenant, &row.id).await?;
    }
    cleared.had_rows |= !owed.is_empty() || !tokens.is_empty();
    Ok(cleared)
}

/// Destroys every key of the tenant. The foreign keys refuse it while anything is sealed with one.
pub(crate) async fn delete_keys(db: &mut Db, tenant: &TenantId) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!("DELETE FROM vault_keys WHERE tenant_id = $1", tenant)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Rows of another tenant were named, or a tenant was to inherit from itself.
#[derive(Debug, thiserror::Error)]
#[error("an estate named rows of another tenant")]
struct Elsewhere;
