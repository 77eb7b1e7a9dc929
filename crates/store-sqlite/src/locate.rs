//! Whose a MAC is: the statements that name no tenant.

use sqlx::{Result, query_scalar};

use crate::db::Db;

/// The tenants with this MAC; more than one only if somebody planted a row.
pub(crate) async fn locate(db: &mut Db, mac: &[u8]) -> Result<Vec<String>> {
    let mut tenants = query_scalar!(
        "SELECT tenant_id FROM sign_ins WHERE state_mac = $1 LIMIT 2",
        mac
    )
    .fetch_all(&mut *db)
    .await?;
    let of_tokens = query_scalar!(
        "SELECT tenant_id FROM api_tokens WHERE mac = $1 LIMIT 2",
        mac
    );
    tenants.extend(of_tokens.fetch_all(db).await?);
    Ok(tenants)
}

/// The tenants that have any row outside the audit log, by name.
pub(crate) async fn list_tenants(db: &mut Db) -> Result<Vec<String>> {
    query_scalar!(
        "SELECT tenant_id AS \"tenant_id!\" FROM (
             SELECT tenant_id FROM servers UNION SELECT tenant_id FROM api_tokens
             UNION SELECT tenant_id FROM vault_keys WHERE tenant_id <> ''
             UNION SELECT tenant_id FROM revocations
         ) ORDER BY 1"
    )
    .fetch_all(db)
    .await
}
