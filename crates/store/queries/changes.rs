//! Statements of the change feed. How it is read, each database says for itself.

use claviger_model::TenantId;
use claviger_store::{Change, StoreError};
use sqlx::{Result, query_scalar};

use super::Db;
use super::columns::{credential_key, number, text};

/// A row of `changes`.
#[derive(Debug)]
pub(crate) struct ChangeRow {
    pub(crate) tenant_id: String,
    pub(crate) kind: String,
    pub(crate) server_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) version: Option<i64>,
}

/// Answers its number.
pub(crate) async fn insert(db: &mut Db, row: ChangeRow) -> Result<i64> {
    query_scalar!(
        "INSERT INTO changes (tenant_id, kind, server_id, user_id, account, version)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq AS \"seq!: i64\"",
        row.tenant_id,
        row.kind,
        row.server_id,
        row.user_id,
        row.account,
        row.version
    )
    .fetch_one(db)
    .await
}

/// What is stored of it.
pub(crate) fn row(change: &Change) -> ChangeRow {
    let bare = |tenant: &str, kind: &str| ChangeRow {
        tenant_id: tenant.to_owned(),
        kind: kind.to_owned(),
        server_id: None,
        user_id: None,
        account: None,
        version: None,
    };
    match change {
        Change::ApiTokens(tenant) => bare(tenant.as_str(), "api_tokens"),
        Change::Credential(key, version) => ChangeRow {
            server_id: Some(key.server.as_str().to_owned()),
            user_id: Some(key.user.as_str().to_owned()),
            account: Some(key.account.as_str().to_owned()),
            // A version too large for the column was refused with its row.
            version: version.and_then(|version| i64::try_from(version).ok()),
            ..bare(key.tenant.as_str(), "credential")
        },
        Change::Server(tenant, server) => ChangeRow {
            server_id: Some(server.as_str().to_owned()),
            ..bare(tenant.as_str(), "server")
        },
        Change::Installation => bare(INSTALLATION, "installation"),
        // Keys are few, and whoever hears of them reads all.
        _ => bare(INSTALLATION, "keys"),
    }
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(row: ChangeRow) -> Result<Change, StoreError> {
    let corrupt = |what| StoreError::Corrupt { what };
    match row.kind.as_str() {
        "installation" => Ok(Change::Installation),
        "keys" => Ok(Change::Keys),
        "api_tokens" => Ok(Change::ApiTokens(text(row.tenant_id, "changes.tenant_id")?)),
        "server" => {
            let server = row.server_id.ok_or(corrupt("changes.server_id"))?;
            let tenant = text(row.tenant_id, "changes.tenant_id")?;
            Ok(Change::Server(tenant, text(server, "changes.server_id")?))
        }
        "credential" => {
            let tenant: TenantId = text(row.tenant_id, "changes.tenant_id")?;
            let server = row.server_id.ok_or(corrupt("changes.server_id"))?;
            let user = row.user_id.ok_or(corrupt("changes.user_id"))?;
            let account = row.account.ok_or(corrupt("changes.account"))?;
            let version = row
                .version
                .map(|version| number(version, "changes.version"));
            Ok(Change::Credential(
                credential_key(&tenant, server, user, account)?,
                version.transpose()?,
            ))
        }
        _ => Err(corrupt("changes.kind")),
    }
}

/// In place of a tenant, for what is the installation's own; no tenant is called like this.
const INSTALLATION: &str = "*";

/// How long changes are kept, in seconds; a cursor is refused some time before.
pub(crate) const KEPT: i64 = 600;

/// Whoever missed more than this reads everything anew.
pub(crate) const MOST: i64 = 10_000;
