//! Statements that find what is sealed with an old key, and put in its place what is sealed anew.

use claviger_model::{Auth, Credential, TenantId};
use claviger_store::SealedRow;
use sqlx::{Result, query, query_as, query_scalar};

use super::Db;
use super::credentials::CredentialRow;
use super::generation::{self, of_record};
use super::key::Key;
use super::registrations::RegistrationRow;
use super::revocations::RevocationRow;
use super::servers::ServerRow;
use super::sign_ins::SignInRow;

pub(crate) async fn count(db: &mut Db, tenant: &TenantId, before: i64) -> Result<i64> {
    let tenant = tenant.as_str();
    query_scalar!(
        "SELECT (SELECT count(*) FROM credentials
                 WHERE tenant_id = $1 AND key_generation < $2)
             + (SELECT count(*) FROM registrations
                 WHERE tenant_id = $1 AND key_generation < $2)
             + (SELECT count(*) FROM revocations
                 WHERE tenant_id = $1 AND key_generation < $2)
             + (SELECT count(*) FROM server_keys
                 WHERE tenant_id = $1 AND key_generation < $2)
             + (SELECT count(*) FROM sign_ins
                 WHERE tenant_id = $1 AND key_generation < $2) AS \"count!: i64\"",
        tenant,
        before
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn credentials(
    db: &mut Db,
    tenant: &TenantId,
    before: i64,
    limit: i64,
) -> Result<Vec<CredentialRow>> {
    let tenant = tenant.as_str();
    query_as!(
        CredentialRow,
        "SELECT server_id, user_id, account, version, fingerprint, issuer, token_endpoint,
             revocation_endpoint, resource, registration_id, scopes_requested, scopes_granted,
             obtained_at, expires_at, is_refreshable, sealed
         FROM credentials WHERE tenant_id = $1 AND key_generation < $2 LIMIT $3",
        tenant,
        before,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn registrations(
    db: &mut Db,
    tenant: &TenantId,
    before: i64,
    limit: i64,
) -> Result<Vec<RegistrationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RegistrationRow,
        "SELECT id, server_id, issuer, origin, client_id, auth_method, redirect_uri,
             secret_expires_at, registration_client_uri, sealed, created_at
         FROM registrations WHERE tenant_id = $1 AND key_generation < $2 LIMIT $3",
        tenant,
        before,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn revocations(
    db: &mut Db,
    tenant: &TenantId,
    before: i64,
    limit: i64,
) -> Result<Vec<RevocationRow>> {
    let tenant = tenant.as_str();
    query_as!(
        RevocationRow,
        "SELECT id, server_id, user_id, account, server_name, issuer, sealed, attempts, next_at,
             last_failure, created_at
         FROM revocations WHERE tenant_id = $1 AND key_generation < $2 LIMIT $3",
        tenant,
        before,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn servers(
    db: &mut Db,
    tenant: &TenantId,
    before: i64,
    limit: i64,
) -> Result<Vec<ServerRow>> {
    let tenant = tenant.as_str();
    query_as!(
        ServerRow,
        "SELECT s.id, s.slug, s.display_name, s.url, s.auth, s.allow_private, s.enabled,
             s.created_at, s.updated_at
         FROM servers AS s JOIN server_keys AS k
             ON k.tenant_id = s.tenant_id AND k.server_id = s.id
         WHERE k.tenant_id = $1 AND k.key_generation < $2 LIMIT $3",
        tenant,
        before,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn sign_ins(
    db: &mut Db,
    tenant: &TenantId,
    before: i64,
    limit: i64,
) -> Result<Vec<SignInRow>> {
    let tenant = tenant.as_str();
    query_as!(
        SignInRow,
        "SELECT id, server_id, user_id, account, state_mac, sealed, created_at, expires_at,
             outcome
         FROM sign_ins WHERE tenant_id = $1 AND key_generation < $2 LIMIT $3",
        tenant,
        before,
        limit
    )
    .fetch_all(db)
    .await
}

/// Guarded by what is sealed: a rotation in the meantime sealed something else.
pub(crate) async fn write_credential(db: &mut Db, seen: &Credential, sealed: &[u8]) -> Result<u64> {
    let (key, generation) = (Key::from(&seen.key), of_record(sealed));
    let done = query!(
        "UPDATE credentials SET sealed = $6, key_generation = $7
         WHERE tenant_id = $1 AND server_id = $2 AND user_id = $3 AND account = $4
             AND sealed = $5",
        key.tenant,
        key.server,
        key.user,
        key.account,
        seen.sealed,
        sealed,
        generation
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn write_registration(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
    seen: &[u8],
    sealed: &[u8],
) -> Result<u64> {
    let (tenant, generation) = (tenant.as_str(), of_record(sealed));
    let done = query!(
        "UPDATE registrations SET sealed = $4, key_generation = $5
         WHERE tenant_id = $1 AND id = $2 AND sealed = $3",
        tenant,
        id,
        seen,
        sealed,
        generation
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn write_revocation(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
    seen: &[u8],
    sealed: &[u8],
) -> Result<u64> {
    let (tenant, generation) = (tenant.as_str(), of_record(sealed));
    let done = query!(
        "UPDATE revocations SET sealed = $4, key_generation = $5
         WHERE tenant_id = $1 AND id = $2 AND sealed = $3",
        tenant,
        id,
        seen,
        sealed,
        generation
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// An ended one holds nothing sealed any more, and stays like that.
pub(crate) async fn write_sign_in(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
    seen: &[u8],
    sealed: &[u8],
) -> Result<u64> {
    let (tenant, generation) = (tenant.as_str(), of_record(sealed));
    let done = query!(
        "UPDATE sign_ins SET sealed = $4, key_generation = $5
         WHERE tenant_id = $1 AND id = $2 AND sealed = $3 AND outcome IS NULL",
        tenant,
        id,
        seen,
        sealed,
        generation
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// `stored` is the text that was just read: another write in between is seen.
pub(crate) async fn write_server(
    db: &mut Db,
    tenant: &TenantId,
    id: &str,
    stored: &str,
    (auth, text): (&Auth, &str),
) -> Result<u64> {
    let name = tenant.as_str();
    let done = query!(
        "UPDATE servers SET auth = $4 WHERE tenant_id = $1 AND id = $2 AND auth = $3",
        name,
        id,
        stored,
        text
    )
    .execute(&mut *db)
    .await?;
    if done.rows_affected() > 0 {
        let generation = generation::of_auth(auth);
        generation::write_of_server(db, tenant, id, generation).await?;
    }
    Ok(done.rows_affected())
}

/// Whether both are of one row; only what is sealed may differ.
pub(crate) fn is_same_row(seen: &SealedRow, fresh: &SealedRow) -> bool {
    match (seen, fresh) {
        (SealedRow::Credential(one), SealedRow::Credential(other)) => one.key == other.key,
        (SealedRow::Registration(one), SealedRow::Registration(other)) => {
            one.tenant == other.tenant && one.id == other.id
        }
        (SealedRow::Revocation(one), SealedRow::Revocation(other)) => {
            one.key.tenant == other.key.tenant && one.id == other.id
        }
        (SealedRow::Server(one), SealedRow::Server(other)) => {
            one.tenant == other.tenant && one.id == other.id
        }
        (SealedRow::SignIn(one), SealedRow::SignIn(other)) => {
            one.key.tenant == other.key.tenant && one.id == other.id
        }
        _ => false,
    }
}

/// What is stored, with the sealed values of `fresh` in place of its own; nothing if they are not
/// the same settings.
pub(crate) fn with_sealed_of(stored: &Auth, fresh: &Auth) -> Option<Auth> {
    let mut merged = stored.clone();
    match (&mut merged, fresh) {
        (Auth::Headers { headers }, Auth::Headers { headers: fresh }) => {
            if headers.len() != fresh.len() {
                return None;
            }
            for (header, fresh) in headers.iter_mut().zip(fresh) {
                if header.name != fresh.name {
                    return None;
                }
                header.sealed_value.clone_from(&fresh.sealed_value);
            }
        }
        (Auth::Oauth(settings), Auth::Oauth(fresh)) => {
            for (sealed, fresh) in [
                (
                    &mut settings.sealed_client_secret,
                    &fresh.sealed_client_secret,
                ),
                (&mut settings.sealed_private_key, &fresh.sealed_private_key),
            ] {
                if sealed.is_some() != fresh.is_some() {
                    return None;
                }
                sealed.clone_from(fresh);
            }
        }
        _ => return None,
    }
    Some(merged)
}
