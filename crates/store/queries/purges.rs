//! Statements that end all that hangs on a server at once.

use claviger_model::{CredentialKey, ServerId, TenantId};
use claviger_store::{Purged, StoreError};
use sqlx::{Result, query, query_scalar};

use super::connections::{self, ConnectionRow};
use super::revocations::{self, RevocationRow};
use super::{Db, credentials};

/// A credential that ends, as it is written.
pub(crate) struct PurgedRow<'a> {
    key: &'a CredentialKey,
    fingerprint: &'a [u8],
    connection: ConnectionRow,
    revocation: Option<RevocationRow>,
}

/// What is stored of them. All are of this tenant and this server.
pub(crate) fn rows<'a>(
    tenant: &TenantId,
    server: &ServerId,
    purged: &'a [Purged],
) -> Result<Vec<PurgedRow<'a>>, StoreError> {
    purged
        .iter()
        .map(|one| {
            let key = &one.connection.key;
            let of_another = |key: &CredentialKey| key.tenant != *tenant || key.server != *server;
            let revocation = one.revocation.as_ref();
            if of_another(key) || revocation.is_some_and(|owed| of_another(&owed.key)) {
                return Err(StoreError::Failed {
                    source: Elsewhere.into(),
                });
            }
            Ok(PurgedRow {
                key,
                fingerprint: &one.fingerprint,
                connection: connections::row(&one.connection)?,
                revocation: revocation.map(revocations::row),
            })
        })
        .collect()
}

/// Ends them and queues what is owed; false if they are not exactly those the server has. The
/// connections are written where the server stays.
pub(crate) async fn end(
    db: &mut Db,
    tenant: &TenantId,
    server: &ServerId,
    purged: Vec<PurgedRow<'_>>,
    server_stays: bool,
) -> Result<bool> {
    for one in purged {
        let ended = credentials::delete(db, one.key.into(), one.fingerprint).await?;
        if ended.is_none() {
            return Ok(false);
        }
        if server_stays {
            connections::write(db, tenant, one.connection).await?;
        }
        if let Some(revocation) = one.revocation {
            revocations::insert(db, tenant, revocation).await?;
        }
    }
    Ok(count_credentials(db, tenant, server.as_str()).await? == 0)
}

/// How many are left.
pub(crate) async fn count_credentials(db: &mut Db, tenant: &TenantId, server: &str) -> Result<i64> {
    let tenant = tenant.as_str();
    query_scalar!(
        "SELECT count(*) AS \"count!: i64\" FROM credentials
         WHERE tenant_id = $1 AND server_id = $2",
        tenant,
        server
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn end_sign_ins(
    db: &mut Db,
    tenant: &TenantId,
    server: &ServerId,
    outcome: &str,
    erased: &[u8],
) -> Result<()> {
    let (tenant, server) = (tenant.as_str(), server.as_str());
    query!(
        "UPDATE sign_ins SET outcome = $3, sealed = $4, key_generation = NULL
         WHERE tenant_id = $1 AND server_id = $2 AND outcome IS NULL",
        tenant,
        server,
        outcome,
        erased
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn retire_registrations(
    db: &mut Db,
    tenant: &TenantId,
    server: &ServerId,
) -> Result<()> {
    let (tenant, server) = (tenant.as_str(), server.as_str());
    query!(
        "UPDATE registrations SET is_current = 0
         WHERE tenant_id = $1 AND server_id = $2 AND is_current = 1",
        tenant,
        server
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A credential of another server or tenant was named.
#[derive(Debug, thiserror::Error)]
#[error("a purge named a credential of another server or tenant")]
struct Elsewhere;
