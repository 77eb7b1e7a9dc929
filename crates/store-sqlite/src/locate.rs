//! Whose a MAC is: the two statements that name no tenant.

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
