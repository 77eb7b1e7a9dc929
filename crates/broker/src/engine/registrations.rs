//! Client information: found, made, kept.

use std::sync::Arc;

use claviger_client::{ClientInformation, Discovered, Preset, Register, register};
use claviger_crypto::{Context, SealedFor, Secret};
use claviger_model::{
    OauthSettings, Registration, RegistrationId, RegistrationOrigin, Server, TenantId,
};
use claviger_wire::{AuthMethod, ScopeSet};

use super::look::LookError;
use crate::broker::{Inner, origin_of, reach_of};
use crate::record::ClientSecrets;
use crate::step::StepSink;
use crate::{Act, HoldError, Note, Setting};

// === impl Inner ===

impl Inner {
    /// The client information for a sign-in: what is held, what was set, or a new registration;
    /// stored before it is used (Q11).
    pub(crate) async fn register(
        &self,
        server: &Server,
        settings: &OauthSettings,
        discovered: &Discovered,
        redirect_uri: &str,
        scopes: Option<ScopeSet>,
        steps: StepSink<'_>,
    ) -> Result<(RegistrationId, ClientInformation), LookError> {
        let rows = self.parts.store.tenant(&server.tenant);
        let current = rows
            .find_registration(&server.id, discovered.issuer_id())
            .await?;
        let existing = match &current {
            Some(row) => Some(self.client_of(server, settings, row).await?),
            None => None,
        };
        let input = Register {
            discovered: discovered.clone(),
            existing: existing.clone(),
            preset: self.preset(server, settings).await?,
            document_url: settings
                .client_metadata_url
                .clone()
                .or_else(|| self.parts.settings.client_metadata_url.clone()),
            redirect_uri: redirect_uri.to_owned(),
            client_name: self.parts.settings.client_name.clone(),
            scopes,
            quirks: Arc::clone(&self.parts.quirks),
        };
        let registered = self
            .run(&mut register(input), &reach_of(server), steps)
            .await;
        let client = registered.map_err(|source| LookError::Register { source })?;
        let current = current.filter(|_| existing.is_some_and(|one| is_from(&one, &client)));
        let id = self.keep_registration(server, current, &client).await?;
        Ok((id, client))
    }

    /// What the operator set: the pre-registered client, its secrets opened.
    pub(crate) async fn preset(
        &self,
        server: &Server,
        settings: &OauthSettings,
    ) -> Result<Option<Preset>, HoldError> {
        let Some(client_id) = &settings.client_id else {
            return Ok(None);
        };
        let (secret, private_key) = self.own_secrets(server, settings, client_id).await?;
        let issuer = self.preset_issuer(server, settings, client_id).await?;
        Ok(Some(Preset {
            client_id: client_id.clone(),
            secret,
            private_key,
            issuer,
        }))
    }

    /// The operator's client secret and private key.
    async fn own_secrets(
        &self,
        server: &Server,
        settings: &OauthSettings,
        client_id: &str,
    ) -> Result<(Option<Secret>, Option<Secret>), HoldError> {
        let secret = match &settings.sealed_client_secret {
            Some(sealed) => {
                let role = Setting::ClientSecret { client_id };
                Some(self.open_setting(server, role, sealed).await?)
            }
            None => None,
        };
        let private_key = match &settings.sealed_private_key {
            Some(sealed) => {
                let role = Setting::PrivateKey { client_id };
                Some(self.open_setting(server, role, sealed).await?)
            }
            None => None,
        };
        Ok((secret, private_key))
    }

    /// C-33: a pre-registered client belongs to the issuer it was first used with, unless the
    /// operator names one. Its secret goes to no other (A019).
    async fn preset_issuer(
        &self,
        server: &Server,
        settings: &OauthSettings,
        client_id: &str,
    ) -> Result<Option<String>, HoldError> {
        if settings.issuer.is_some() {
            return Ok(settings.issuer.clone());
        }
        let rows = self.parts.store.tenant(&server.tenant);
        let known = rows.list_registrations(&server.id).await?;
        let first = known
            .into_iter()
            .find(|row| row.origin == RegistrationOrigin::Static && row.client_id == client_id);
        Ok(first.map(|row| row.issuer))
    }

    /// The client information a credential was obtained with.
    pub(crate) async fn client_by_id(
        &self,
        server: &Server,
        settings: &OauthSettings,
        id: &RegistrationId,
    ) -> Result<Option<ClientInformation>, HoldError> {
        let rows = self.parts.store.tenant(&server.tenant);
        match rows.find_registration_by_id(id).await? {
            Some(row) => Ok(Some(self.client_of(server, settings, &row).await?)),
            None => Ok(None),
        }
    }

    async fn client_of(
        &self,
        server: &Server,
        settings: &OauthSettings,
        row: &Registration,
    ) -> Result<ClientInformation, HoldError> {
        let context = registration_context(server, row);
        let opened = self
            .parts
            .vault
            .open_record(&server.tenant, &context, &row.sealed)
            .await?;
        let mut secrets = ClientSecrets::from_bytes(&opened, row)?;
        let mut private_key = None;
        if row.origin == RegistrationOrigin::Static {
            // A new secret in the settings counts at once; the old one is not kept anywhere.
            let (secret, key) = self.own_secrets(server, settings, &row.client_id).await?;
            secrets.client_secret = secret.or(secrets.client_secret);
            private_key = key;
        }
        Ok(ClientInformation {
            secret: secrets.client_secret,
            private_key,
            auth_method: AuthMethod::parse(&row.auth_method).unwrap_or(AuthMethod::None),
            redirect_uri: row.redirect_uri.clone(),
            secret_expires_at: row.secret_expires_at,
            registration_client_uri: row.registration_client_uri.clone(),
            registration_access_token: secrets.registration_access_token,
            ..ClientInformation::public(&row.issuer, &row.client_id, row.origin)
        })
    }

    /// Stores client information, unless it is what is stored already.
    pub(crate) async fn keep_registration(
        &self,
        server: &Server,
        current: Option<Registration>,
        client: &ClientInformation,
    ) -> Result<RegistrationId, HoldError> {
        if let Some(row) = current
            && row.client_id == client.client_id
            && row.origin == client.origin
            && row.auth_method == client.auth_method.as_str()
            && row.redirect_uri == client.redirect_uri
        {
            return Ok(row.id);
        }
        let mut row = Registration {
            id: RegistrationId::from_random(self.parts.entropy.id_bytes()),
            tenant: server.tenant.clone(),
            server: server.id.clone(),
            issuer: client.issuer.clone(),
            origin: client.origin,
            client_id: client.client_id.clone(),
            auth_method: client.auth_method.as_str().to_owned(),
            redirect_uri: client.redirect_uri.clone(),
            secret_expires_at: client.secret_expires_at,
            registration_client_uri: client.registration_client_uri.clone(),
            sealed: Vec::new(),
            created_at: self.parts.clock.now(),
        };
        row.sealed = self.seal_client(server, &row, client).await?;
        let note = Note::server(Act::RegistrationCreate, server)
            .with("registration", row.id.as_str())
            .with("issuer", row.issuer.as_str())
            .with("origin", origin_word(row.origin));
        let (draft, rows) = self.parts.audit.change(&server.tenant, note).await?;
        draft.settle(rows.insert_registration(&row).await)?;
        Ok(row.id)
    }

    async fn seal_client(
        &self,
        server: &Server,
        row: &Registration,
        client: &ClientInformation,
    ) -> Result<Vec<u8>, HoldError> {
        // A secret the operator set is sealed with the server and nowhere else.
        let is_static = row.origin == RegistrationOrigin::Static;
        let secrets = ClientSecrets {
            client_secret: client.secret.clone().filter(|_| !is_static),
            registration_access_token: client.registration_access_token.clone(),
        };
        let plain = secrets.to_bytes(row)?;
        let context = registration_context(server, row);
        Ok(self
            .parts
            .vault
            .seal(&tenant_of(server), &context, &plain)
            .await?)
    }
}

/// Whether `client` says nothing that `stored` does not: a secret that was renewed under the same
/// id must be kept, since the old one is of no use any more.
fn is_from(stored: &ClientInformation, client: &ClientInformation) -> bool {
    let secret = |one: &Option<Secret>| one.as_ref().map(|one| one.expose().to_owned());
    // The operator's own secrets are in the settings, and never in a registration.
    let is_static = client.origin == RegistrationOrigin::Static;
    is_static
        || (secret(&stored.secret) == secret(&client.secret)
            && secret(&stored.registration_access_token)
                == secret(&client.registration_access_token)
            && stored.secret_expires_at == client.secret_expires_at
            && stored.registration_client_uri == client.registration_client_uri)
}

fn tenant_of(server: &Server) -> TenantId {
    server.tenant.clone()
}

pub(crate) fn registration_context(server: &Server, row: &Registration) -> Context {
    Context::new(SealedFor::Registration)
        .at("registrations", row.id.as_str())
        .tenant(server.tenant.as_str())
        .server(server.id.as_str())
        .origin(&origin_of(server))
        .issuer(&row.issuer)
}

fn origin_word(origin: RegistrationOrigin) -> &'static str {
    match origin {
        RegistrationOrigin::Document => "document",
        RegistrationOrigin::Dynamic => "dynamic",
        RegistrationOrigin::Static => "static",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q11_a_secret_that_was_renewed_under_the_same_id_is_stored_anew() {
        let of = |secret: &str, origin: RegistrationOrigin| ClientInformation {
            secret: Some(Secret::new(secret)),
            ..ClientInformation::public("https://i.example", "id", origin)
        };
        let stored = of("old", RegistrationOrigin::Dynamic);
        assert!(is_from(&stored, &stored.clone()));
        assert!(!is_from(&stored, &of("new", RegistrationOrigin::Dynamic)));
        let later = ClientInformation {
            secret_expires_at: Some(claviger_model::Timestamp::from_secs(1)),
            ..stored.clone()
        };
        assert!(!is_from(&stored, &later));
        // The operator's own secret is in the settings.
        assert!(is_from(&stored, &of("new", RegistrationOrigin::Static)));
    }
}
