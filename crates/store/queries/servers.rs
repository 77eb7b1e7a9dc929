//! Statements of the catalogue.

use claviger_model::{Server, TenantId};
use claviger_store::StoreError;
use sqlx::{Result, query, query_as};

use super::Db;
use super::columns::{flag, instant, json, text, to_json};
use super::generation::{of_auth, write_of_server};

/// A row of `servers`.
pub(crate) struct ServerRow {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) display_name: String,
    pub(crate) url: String,
    pub(crate) auth: String,
    pub(crate) allow_private: i64,
    pub(crate) enabled: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// What is written of a server: its row, and the generation its settings hang on.
pub(crate) struct Written {
    pub(crate) row: ServerRow,
    generation: Option<i64>,
}

pub(crate) async fn insert(db: &mut Db, tenant: &TenantId, written: Written) -> Result<()> {
    let Written { row, generation } = written;
    let name = tenant.as_str();
    query!(
        "INSERT INTO servers (tenant_id, id, slug, display_name, url, auth, allow_private,
             enabled, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        name,
        row.id,
        row.slug,
        row.display_name,
        row.url,
        row.auth,
        row.allow_private,
        row.enabled,
        row.created_at,
        row.updated_at
    )
    .execute(&mut *db)
    .await?;
    if generation.is_some() {
        write_of_server(db, tenant, &row.id, generation).await?;
    }
    Ok(())
}

pub(crate) async fn find_by_slug(
    db: &mut Db,
    tenant: &TenantId,
    slug: &str,
) -> Result<Option<ServerRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ServerRow,
        "SELECT id, slug, display_name, url, auth, allow_private, enabled, created_at, updated_at
         FROM servers WHERE tenant_id = $1 AND slug = $2",
        tenant,
        slug
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn find_by_id(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<ServerRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ServerRow,
        "SELECT id, slug, display_name, url, auth, allow_private, enabled, created_at, updated_at
         FROM servers WHERE tenant_id = $1 AND id = $2",
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn list(db: &mut Db, tenant: &TenantId) -> Result<Vec<ServerRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ServerRow,
        "SELECT id, slug, display_name, url, auth, allow_private, enabled, created_at, updated_at
         FROM servers WHERE tenant_id = $1 ORDER BY slug",
        tenant
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn update(db: &mut Db, tenant: &TenantId, written: Written) -> Result<u64> {
    let Written { row, generation } = written;
    let name = tenant.as_str();
    let done = query!(
        "UPDATE servers SET slug = $3, display_name = $4, url = $5, auth = $6, allow_private = $7,
             enabled = $8, created_at = $9, updated_at = $10
         WHERE tenant_id = $1 AND id = $2",
        name,
        row.id,
        row.slug,
        row.display_name,
        row.url,
        row.auth,
        row.allow_private,
        row.enabled,
        row.created_at,
        row.updated_at
    )
    .execute(&mut *db)
    .await?;
    if done.rows_affected() > 0 {
        write_of_server(db, tenant, &row.id, generation).await?;
    }
    Ok(done.rows_affected())
}

pub(crate) async fn delete(db: &mut Db, tenant: &TenantId, id: &str) -> Result<u64> {
    let tenant = tenant.as_str();
    let done = query!(
        "DELETE FROM servers WHERE tenant_id = $1 AND id = $2",
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// What is stored of it.
pub(crate) fn row(server: &Server) -> Result<Written, StoreError> {
    let row = ServerRow {
        id: server.id.as_str().to_owned(),
        slug: server.slug.as_str().to_owned(),
        display_name: server.display_name.clone(),
        url: server.url.clone(),
        auth: to_json(&server.auth)?,
        allow_private: i64::from(server.allow_private),
        enabled: i64::from(server.enabled),
        created_at: server.created_at.as_secs(),
        updated_at: server.updated_at.as_secs(),
    };
    Ok(Written {
        row,
        generation: of_auth(&server.auth),
    })
}

/// What is written of a server that takes the place of `seen`.
pub(crate) fn row_in_place_of(seen: &Server, server: &Server) -> Result<Written, StoreError> {
    if seen.id != server.id || seen.tenant != server.tenant {
        return Err(StoreError::Failed {
            source: Another.into(),
        });
    }
    row(server)
}

/// Whether the server is there; a conflict if it is another one than `seen`. Values are compared
/// and not columns: a later version may write the same value otherwise.
pub(crate) fn is_still(
    tenant: &TenantId,
    found: Option<ServerRow>,
    seen: &Server,
) -> Result<bool, StoreError> {
    let Some(row) = found else {
        return Ok(false);
    };
    if read(tenant, row)? == *seen {
        Ok(true)
    } else {
        Err(StoreError::Conflict)
    }
}

/// What was stored; what does not read is corrupt.
pub(crate) fn read(tenant: &TenantId, row: ServerRow) -> Result<Server, StoreError> {
    Ok(Server {
        id: text(row.id, "servers.id")?,
        tenant: tenant.clone(),
        slug: text(row.slug, "servers.slug")?,
        display_name: row.display_name,
        url: row.url,
        auth: json(&row.auth, "servers.auth")?,
        allow_private: flag(row.allow_private, "servers.allow_private")?,
        enabled: flag(row.enabled, "servers.enabled")?,
        created_at: instant(row.created_at),
        updated_at: instant(row.updated_at),
    })
}

/// A server was to take the place of another one.
#[derive(Debug, thiserror::Error)]
#[error("a server was written in place of another one")]
struct Another;
