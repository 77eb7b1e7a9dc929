//! Statements that walk through everything sealed, page by page.

use claviger_model::TenantId;
use claviger_store::SealedRow;
use sqlx::{Result, query_as};

use super::Db;
use super::credentials::CredentialRow;
use super::key::Key;
use super::registrations::RegistrationRow;
use super::revocations::RevocationRow;
use super::servers::ServerRow;
use super::sign_ins::SignInRow;

/// Where a page begins within each kind of row; `None` where all of a kind came before. Nothing is
/// called by an empty text, so that it comes before everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begins<'a> {
    pub(crate) credentials: Option<[&'a str; 3]>,
    pub(crate) registrations: Option<&'a str>,
    pub(crate) revocations: Option<&'a str>,
    pub(crate) servers: Option<&'a str>,
    pub(crate) sign_ins: Option<&'a str>,
}

impl<'a> From<Option<&'a SealedRow>> for Begins<'a> {
    fn from(after: Option<&'a SealedRow>) -> Self {
        let mut begins = Self {
            credentials: Some([""; 3]),
            registrations: Some(""),
            revocations: Some(""),
            servers: Some(""),
            sign_ins: Some(""),
        };
        let Some(after) = after else { return begins };
        if let SealedRow::Credential(row) = after {
            let key = Key::from(&row.key);
            begins.credentials = Some([key.server, key.user, key.account]);
            return begins;
        }
        begins.credentials = None;
        if let SealedRow::Registration(row) = after {
            begins.registrations = Some(row.id.as_str());
            return begins;
        }
        begins.registrations = None;
        if let SealedRow::Revocation(row) = after {
            begins.revocations = Some(row.id.as_str());
            return begins;
        }
        begins.revocations = None;
        if let SealedRow::Server(row) = after {
            begins.servers = Some(row.id.as_str());
            return begins;
        }
        begins.servers = None;
        if let SealedRow::SignIn(row) = after {
            begins.sign_ins = Some(row.id.as_str());
        }
        begins
    }
}

pub(crate) async fn credentials_after(
    db: &mut Db,
    tenant: &TenantId,
    [server, user, account]: [&str; 3],
    limit: i64,
) -> Result<Vec<CredentialRow>> {
    let tenant = tenant.as_str();
    query_as!(
        CredentialRow,
        "SELECT server_id, user_id, account, version, fingerprint, issuer, token_endpoint,
             revocation_endpoint, resource, registration_id, scopes_requested, scopes_granted,
             obtained_at, expires_at, is_refreshable, sealed
         FROM credentials WHERE tenant_id = $1 AND key_generation IS NOT NULL
             AND (server_id, user_id, account) > ($2, $3, $4)
         ORDER BY server_id, user_id, account LIMIT $5",
        tenant,
        server,
        user,
        account,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn registrations_after(
    db: &mut Db,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<RegistrationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RegistrationRow,
        "SELECT id, server_id, issuer, origin, client_id, auth_method, redirect_uri,
             secret_expires_at, registration_client_uri, sealed, created_at
         FROM registrations WHERE tenant_id = $1 AND key_generation IS NOT NULL AND id > $2
         ORDER BY id LIMIT $3",
        tenant,
        after,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn revocations_after(
    db: &mut Db,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<RevocationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RevocationRow,
        "SELECT id, server_id, user_id, account, server_name, issuer, sealed, attempts, next_at,
             last_failure, created_at
         FROM revocations WHERE tenant_id = $1 AND key_generation IS NOT NULL AND id > $2
         ORDER BY id LIMIT $3",
        tenant,
        after,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn servers_after(
    db: &mut Db,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<ServerRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ServerRow,
        "SELECT s.id, s.slug, s.display_name, s.url, s.auth, s.allow_private, s.enabled,
             s.created_at, s.updated_at
         FROM servers AS s JOIN server_keys AS k
             ON k.tenant_id = s.tenant_id AND k.server_id = s.id
         WHERE s.tenant_id = $1 AND s.id > $2 ORDER BY s.id LIMIT $3",
        tenant,
        after,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn sign_ins_after(
    db: &mut Db,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<SignInRow>> {
    let tenant = tenant.as_str();
    query_as!(
        SignInRow,
        "SELECT id, server_id, user_id, account, state_mac, sealed, created_at, expires_at,
             outcome
         FROM sign_ins WHERE tenant_id = $1 AND key_generation IS NOT NULL AND id > $2
         ORDER BY id LIMIT $3",
        tenant,
        after,
        limit
    )
    .fetch_all(db)
    .await
}
