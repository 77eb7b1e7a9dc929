//! Client information: found, made, kept.

use std::sync::Arc;

use claviger_client::{ClientInformation, Discovered, Preset, Register, register};
use claviger_crypto::{Context, SealedFor, Secret};
use claviger_model::{
    OauthSettings, Registration, RegistrationId, RegistrationOrigin, Server, TenantId, Timestamp,
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
        let mut current = rows
            .find_registration(&server.id, discovered.issuer_id())
            .await?;
        let mut existing = match &current {
            Some(row) => Some(self.client_of(server, settings, row).await?),
            None => None,
        };
        let mut before = (None, None);
        // Q10: a new grant would outlive a secret that ends soon.
        let ending = current.as_ref().zip(existing.as_ref());
        let is_ending = ending.is_some_and(|(row, client)| self.ends_soon(row, client));
        if is_ending && let Some((row, client)) = ending {
            let renewed = self.renew_registration(server, row, client, steps).await?;
            let old = (current.clone(), existing.clone());
            (current, existing) = renewed.unzip();
            before = if existing.is_none() {
                old
            } else {
                (None, None)
            };
        }
        let mut input = Register {
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
        let client = match self.obtain_client(server, input.clone(), steps).await {
            // What ends soon is better than nothing.
            Err(error) if before.1.is_some() && error.is_unreachable() => {
                (current, existing) = before;
                input.existing.clone_from(&existing);
                self.obtain_client(server, input.clone(), steps).await?
            }
            obtained => obtained?,
        };
        let current = current.filter(|_| existing.is_some_and(|one| one.says_the_same(&client)));
        if let Some(row) = &current
            && self.is_lost(server, &input, &client, &row.id, steps).await
        {
            return self.replace_lost(server, input, &row.id, steps).await;
        }
        let id = self.keep_registration(server, current, &client).await?;
        Ok((id, client))
    }

    /// Another client in place of one that the issuer has lost.
    async fn replace_lost(
        &self,
        server: &Server,
        mut input: Register,
        lost: &RegistrationId,
        steps: StepSink<'_>,
    ) -> Result<(RegistrationId, ClientInformation), LookError> {
        tracing::warn!(server = %server.slug, issuer = %input.discovered.issuer_id(), "the issuer has lost our client; registering anew");
        input.existing = None;
        let anew = self.obtain_client(server, input, steps).await;
        // Until there is another one, the one that may be lost is all there is.
        let anew = anew.inspect_err(|_error| self.probed.forget(lost))?;
        let id = self.keep_registration(server, None, &anew).await?;
        Ok((id, anew))
    }

    async fn obtain_client(
        &self,
        server: &Server,
        input: Register,
        steps: StepSink<'_>,
    ) -> Result<ClientInformation, LookError> {
        self.run(&mut register(input), &reach_of(server), steps)
            .await
            .map_err(|source| LookError::Register { source })
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
            Some(row) => {
                let row = self.newest_of(server, row).await?;
                Ok(Some(self.client_of(server, settings, &row).await?))
            }
            None => Ok(None),
        }
    }

    /// The client a credential is to be refreshed with; its secret is renewed first if it ends.
    pub(crate) async fn lasting_client(
        &self,
        server: &Server,
        settings: &OauthSettings,
        id: &RegistrationId,
    ) -> Result<Option<ClientInformation>, HoldError> {
        let rows = self.parts.store.tenant(&server.tenant);
        let Some(row) = rows.find_registration_by_id(id).await? else {
            return Ok(None);
        };
        let row = self.newest_of(server, row).await?;
        let client = self.client_of(server, settings, &row).await?;
        Ok(Some(self.with_lasting_secret(server, row, client).await))
    }

    /// The same client with what the issuer said of it last: of an id whose secret was renewed,
    /// the one before is of no use any more (RFC 7592 §2.1).
    pub(crate) async fn newest_of(
        &self,
        server: &Server,
        row: Registration,
    ) -> Result<Registration, HoldError> {
        if row.origin != RegistrationOrigin::Dynamic || row.registration_client_uri.is_none() {
            return Ok(row);
        }
        let rows = self.parts.store.tenant(&server.tenant);
        let all = rows.list_registrations(&server.id).await?;
        let same = |other: &Registration| {
            other.issuer == row.issuer
                && other.client_id == row.client_id
                && other.origin == row.origin
        };
        Ok(all.into_iter().rfind(same).unwrap_or(row))
    }

    pub(crate) async fn client_of(
        &self,
        server: &Server,
        settings: &OauthSettings,
        row: &Registration,
    ) -> Result<ClientInformation, HoldError> {
        let context = registration_context(server, row);
        let about = || {
            Note::server(Act::Tamper, server)
                .with("of", "registration")
                .with("registration", row.id.as_str())
        };
        let opened = self
            .open_sealed(&server.tenant, &context, &row.sealed, about)
            .await?;
        let mut secrets = ClientSecrets::from_bytes(&opened, row)?;
        let mut private_key = None;
        if row.origin == RegistrationOrigin::Static {
            // A new secret in the settings counts at once; the old one is not kept anywhere.
            let (secret, key) = self.own_secrets(server, settings, &row.client_id).await?;
            secrets.client_secret = secret.or(secrets.client_secret);
            private_key = key;
        }
        let auth_method = AuthMethod::parse(&row.auth_method).unwrap_or(AuthMethod::None);
        Ok(ClientInformation {
            auth_method: match (auth_method, &secrets.client_secret, &private_key) {
                // The operator set a key instead of the secret since, or the other way round.
                (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost, None, Some(_)) => {
                    AuthMethod::PrivateKeyJwt
                }
                (AuthMethod::PrivateKeyJwt, Some(_), None) => AuthMethod::ClientSecretBasic,
                (method, ..) => method,
            },
            secret: secrets.client_secret,
            private_key,
            redirect_uri: row.redirect_uri.clone(),
            secret_expires_at: row.secret_expires_at,
            // As it was sealed: whoever writes the database must not have the token sent elsewhere.
            registration_client_uri: secrets.registration_client_uri,
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
        let now = self.parts.clock.now();
        Ok(self.insert_registration(server, client, now).await?.id)
    }

    /// Stores client information and makes it the one that is used from now on.
    pub(crate) async fn insert_registration(
        &self,
        server: &Server,
        client: &ClientInformation,
        now: Timestamp,
    ) -> Result<Registration, HoldError> {
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
            created_at: now,
        };
        row.sealed = self.seal_client(server, &row, client).await?;
        let note = Note::server(Act::RegistrationCreate, server)
            .with("registration", row.id.as_str())
            .with("issuer", row.issuer.as_str())
            .with("origin", origin_word(row.origin));
        let (draft, rows) = self.parts.audit.change(&server.tenant, note).await?;
        draft.settle(rows.insert_registration(&row).await)?;
        // The issuer gave it just now, so nobody has to ask whether it knows it.
        self.probed.remember(&row.id);
        Ok(row)
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
            registration_client_uri: client.registration_client_uri.clone(),
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
