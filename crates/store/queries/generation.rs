//! Which generation of the tenant's key a row hangs on.

use claviger_crypto::{base64_decode, record_generation};
use claviger_model::{Auth, TenantId};
use sqlx::{Result, query};

use super::Db;

/// Of one sealed record; what is no record hangs on no key.
pub(crate) fn of_record(sealed: &[u8]) -> Option<i64> {
    record_generation(sealed).map(i64::from)
}

/// The lowest among the sealed settings of a server: keys go from the lowest on, so that it keeps
/// the higher ones as well (A208).
pub(crate) fn of_auth(auth: &Auth) -> Option<i64> {
    let of_text = |sealed: &String| of_record(&base64_decode(sealed)?);
    match auth {
        Auth::Headers { headers } => headers
            .iter()
            .filter_map(|header| of_text(&header.sealed_value))
            .min(),
        Auth::Oauth(settings) => [&settings.sealed_client_secret, &settings.sealed_private_key]
            .into_iter()
            .flatten()
            .filter_map(of_text)
            .min(),
        _ => None,
    }
}

/// Notes on which generation the settings of a server hang.
pub(crate) async fn write_of_server(
    db: &mut Db,
    tenant: &TenantId,
    server: &str,
    generation: Option<i64>,
) -> Result<()> {
    let tenant = tenant.as_str();
    if generation.is_some() {
        query!(
            "INSERT INTO server_keys (tenant_id, server_id, key_generation) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, server_id) DO UPDATE SET
                 key_generation = excluded.key_generation",
            tenant,
            server,
            generation
        )
        .execute(db)
        .await?;
    } else {
        query!(
            "DELETE FROM server_keys WHERE tenant_id = $1 AND server_id = $2",
            tenant,
            server
        )
        .execute(db)
        .await?;
    }
    Ok(())
}
