//! One row, sealed anew with the newest key for the very place it was sealed for.

use claviger_crypto::{Context, base64_decode, base64_encode};
use claviger_model::{Auth, Server, ServerId, TenantId};
use claviger_store::{SealedRow, TenantStore};

use crate::broker::{Inner, credential_context};
use crate::engine::registration_context;
use crate::owed::revocation_context;
use crate::serve::{Setting, setting_context};
use crate::sign_in::flight_context;
use crate::{HoldError, VaultError};

// === impl Inner ===

impl Inner {
    /// The row, sealed anew; `None` where it is gone or holds nothing sealed. Fails where the row
    /// does not open, and that is where it was changed.
    pub(super) async fn resealed(
        &self,
        rows: &dyn TenantStore,
        seen: &SealedRow,
    ) -> Result<Option<SealedRow>, HoldError> {
        let mut fresh = seen.clone();
        match &mut fresh {
            SealedRow::Credential(row) => {
                let Some(server) = rows.find_server_by_id(&row.key.server).await? else {
                    return Ok(None);
                };
                let context = credential_context(&server, row);
                row.sealed = self.again(&row.key.tenant, &context, &row.sealed).await?;
            }
            SealedRow::Registration(row) => {
                let Some(server) = find(rows, &row.server).await? else {
                    return Ok(None);
                };
                let context = registration_context(&server, row);
                row.sealed = self.again(&row.tenant, &context, &row.sealed).await?;
            }
            SealedRow::Revocation(row) => {
                let context = revocation_context(row);
                row.sealed = self.again(&row.key.tenant, &context, &row.sealed).await?;
            }
            SealedRow::Server(server) => self.reseal_settings(server).await?,
            SealedRow::SignIn(row) => {
                let Some(server) = find(rows, &row.key.server).await? else {
                    return Ok(None);
                };
                if row.sealed.is_empty() {
                    return Ok(None);
                }
                let context = flight_context(&server, &row.key, &row.id);
                row.sealed = self.again(&row.key.tenant, &context, &row.sealed).await?;
            }
            _ => return Ok(None),
        }
        Ok(Some(fresh))
    }

    async fn reseal_settings(&self, server: &mut Server) -> Result<(), HoldError> {
        let mut auth = server.auth.clone();
        match &mut auth {
            Auth::Headers { headers } => {
                for header in headers {
                    let setting = Setting::Header { name: &header.name };
                    let sealed = &header.sealed_value;
                    header.sealed_value = self.setting_again(server, setting, sealed).await?;
                }
            }
            Auth::Oauth(settings) => {
                let client_id = settings.client_id.clone().unwrap_or_default();
                let client_id = client_id.as_str();
                if let Some(sealed) = &mut settings.sealed_client_secret {
                    let setting = Setting::ClientSecret { client_id };
                    *sealed = self.setting_again(server, setting, sealed).await?;
                }
                if let Some(sealed) = &mut settings.sealed_private_key {
                    let setting = Setting::PrivateKey { client_id };
                    *sealed = self.setting_again(server, setting, sealed).await?;
                }
            }
            _ => {}
        }
        server.auth = auth;
        Ok(())
    }

    async fn setting_again(
        &self,
        server: &Server,
        setting: Setting<'_>,
        sealed: &str,
    ) -> Result<String, HoldError> {
        let record = base64_decode(sealed).ok_or(VaultError::UnknownKey)?;
        let context = setting_context(server, setting);
        let fresh = self.again(&server.tenant, &context, &record).await?;
        Ok(base64_encode(&fresh))
    }

    async fn again(
        &self,
        tenant: &TenantId,
        context: &Context,
        record: &[u8],
    ) -> Result<Vec<u8>, HoldError> {
        let vault = &self.parts.vault;
        let plain = vault.open_record(tenant, context, record).await?;
        Ok(vault.seal(tenant, context, &plain).await?)
    }
}

async fn find(rows: &dyn TenantStore, id: &ServerId) -> Result<Option<Server>, HoldError> {
    Ok(rows.find_server_by_id(id).await?)
}
