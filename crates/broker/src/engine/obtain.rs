//! Client credentials: a sign-in without a person (G2).

use std::sync::Arc;

use claviger_client::{
    ClientCredentials, ClientCredentialsError, ClientInformation, Discovered, Discovery, ScopeWish,
    Tokens as Obtained, choose_scopes, client_credentials,
};
use claviger_model::{
    Connection, Credential, CredentialKey, OauthSettings, RegistrationId, Server, Standing,
};
use claviger_wire::ScopeSet;

use super::look::LookError;
use crate::HoldError;
use crate::broker::{Inner, reach_of};
use crate::cache::Held;
use crate::record::Tokens;
use crate::refresh::Landed;
use crate::serve::Chain;

// === impl Inner ===

impl Inner {
    /// Obtains and stores a credential for ourselves; the lease is held.
    pub(crate) async fn obtain_now(
        &self,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        before: Option<&Held>,
    ) -> Result<Landed, HoldError> {
        let challenge = self
            .connection(key)
            .await?
            .and_then(|connection| connection.challenge);
        let preferred = before.map(|held| held.row.issuer.clone());
        let mut unheard = |_step| {};
        let asked = challenge.as_ref();
        let found = self
            .discover(server, settings, asked, preferred, &mut unheard)
            .await;
        let discovered = match found {
            Ok(Discovery::SignIn(discovered)) => discovered,
            Ok(_) => {
                return Ok(Landed::Misconfigured(
                    "the server asks for no sign-in".to_owned(),
                ));
            }
            Err(error) => return Ok(land(server, &error)),
        };
        let client = match self.own_client(server, settings, &discovered).await? {
            Ok(client) => client,
            Err(hint) => return Ok(Landed::Misconfigured(hint)),
        };
        let rows = self.parts.store.tenant(&server.tenant);
        let current = rows
            .find_registration(&server.id, discovered.issuer_id())
            .await?;
        let registration = self.keep_registration(server, current, &client).await?;
        let scopes = wished(settings, before, &discovered);
        let input = ClientCredentials {
            discovered: (*discovered).clone(),
            client,
            scopes: scopes.clone(),
            quirks: Arc::clone(&self.parts.quirks),
            jti: self.parts.entropy.id_bytes(),
        };
        let mut errand = client_credentials(input);
        let answer = self.run(&mut errand, &reach_of(server), &mut unheard).await;
        match answer {
            Ok(obtained) => {
                let asked = scopes.unwrap_or_default();
                self.keep_own(server, key, &discovered, registration, asked, obtained)
                    .await
            }
            Err(ClientCredentialsError::Unreachable { .. }) => Ok(Landed::Unreachable {
                retry_after_s: None,
            }),
            Err(error) => Ok(Landed::Misconfigured(error.to_string())),
        }
    }

    /// The pre-registered client at this issuer, or what has to be set.
    async fn own_client(
        &self,
        server: &Server,
        settings: &OauthSettings,
        discovered: &Discovered,
    ) -> Result<Result<ClientInformation, String>, HoldError> {
        let Some(preset) = self.preset(server, settings).await? else {
            let hint = "client_credentials needs a client id and a secret or key".to_owned();
            return Ok(Err(hint));
        };
        Ok(preset
            .client_for(discovered)
            .map_err(|error| error.to_string()))
    }

    async fn keep_own(
        &self,
        server: &Server,
        key: &CredentialKey,
        discovered: &Discovered,
        registration: RegistrationId,
        scopes_requested: ScopeSet,
        obtained: Obtained,
    ) -> Result<Landed, HoldError> {
        let tokens = Tokens {
            access: obtained.access_token,
            refresh: None,
        };
        let rows = self.rows(key);
        let version = rows
            .find_credential(key)
            .await?
            .map_or(0, |row| row.version)
            + 1;
        let resource = self.parts.quirks.of(discovered.issuer_id());
        let resource = resource
            .resource(discovered.resource.as_str())
            .unwrap_or_default();
        let mut row = Credential {
            key: key.clone(),
            version,
            fingerprint: self.fingerprint(&tokens),
            issuer: discovered.issuer.issuer.clone(),
            token_endpoint: discovered.issuer.token_endpoint.clone(),
            revocation_endpoint: discovered.issuer.revocation_endpoint.clone(),
            resource: resource.to_owned(),
            registration: Some(registration),
            scopes_requested,
            scopes_granted: obtained.scopes_granted,
            obtained_at: obtained.obtained_at,
            expires_at: obtained.expires_at,
            is_refreshable: false,
            sealed: Vec::new(),
        };
        self.seal_into(server, &mut row, &tokens).await?;
        let connection = Connection {
            key: key.clone(),
            standing: Standing::Connected,
            reason: None,
            challenge: None,
            step_ups: 0,
            updated_at: self.parts.clock.now(),
        };
        rows.replace_credential(&row, &connection).await?;
        let seen = self.cache.epoch();
        let held = self.held(row, &tokens)?;
        self.cache.keep(key, Some(Arc::clone(&held)), seen);
        Ok(Landed::Fresh(held))
    }
}

/// C-65: what was asked for before is asked for again.
fn wished(
    settings: &OauthSettings,
    before: Option<&Held>,
    discovered: &Discovered,
) -> Option<ScopeSet> {
    let wish = ScopeWish {
        configured: settings.scopes.clone(),
        requested_before: before
            .filter(|held| held.row.issuer == discovered.issuer_id())
            .map_or_else(ScopeSet::new, |held| held.row.scopes_requested.clone()),
    };
    choose_scopes(&wish, discovered)
}

fn land(server: &Server, error: &LookError) -> Landed {
    tracing::warn!(server = %server.slug, error = %Chain(error), "no credential could be obtained");
    if error.is_unreachable() {
        return Landed::Unreachable {
            retry_after_s: None,
        };
    }
    Landed::Misconfigured(error.to_string())
}
