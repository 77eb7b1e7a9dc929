//! Whether what is sealed opens with the keys at hand. Nothing of it is handed out.

use claviger_model::{Auth, Credential, OauthSettings, Registration, Server};

use crate::serve::Setting;
use crate::{Broker, HoldError};

impl Broker {
    /// Opens every secret in a server's settings.
    pub async fn check_settings(&self, server: &Server) -> Result<(), HoldError> {
        match &server.auth {
            Auth::Headers { headers } => {
                for header in headers {
                    let setting = Setting::Header { name: &header.name };
                    self.inner
                        .open_setting(server, setting, &header.sealed_value)
                        .await?;
                }
            }
            Auth::Oauth(settings) => {
                let client_id = settings.client_id.as_deref().unwrap_or_default();
                if let Some(sealed) = &settings.sealed_client_secret {
                    let setting = Setting::ClientSecret { client_id };
                    self.inner.open_setting(server, setting, sealed).await?;
                }
                if let Some(sealed) = &settings.sealed_private_key {
                    let setting = Setting::PrivateKey { client_id };
                    self.inner.open_setting(server, setting, sealed).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Opens the secrets of a registration.
    pub async fn check_registration(
        &self,
        server: &Server,
        row: &Registration,
    ) -> Result<(), HoldError> {
        // What the operator set is sealed with the server, and may have been changed since.
        let settings = OauthSettings::default();
        self.inner
            .client_by_id(server, &settings, &row.id)
            .await
            .map(drop)
    }

    /// Opens the tokens of a credential.
    pub async fn check_credential(
        &self,
        server: &Server,
        row: &Credential,
    ) -> Result<(), HoldError> {
        self.inner.unseal(server, row).await.map(drop)
    }
}
