//! Client credentials: a sign-in without a person (G2).

use std::sync::Arc;

use claviger_client::{
    ClientCredentials, ClientCredentialsError, ClientInformation, Discovered, Discovery, ScopeWish,
    Tokens as Obtained, choose_scopes_for, client_credentials,
};
use claviger_model::{
    Connection, Credential, CredentialKey, Grant, OauthSettings, Reason, RegistrationId, Server,
};
use claviger_wire::ScopeSet;

use super::look::LookError;
use crate::answered::Answered;
use crate::broker::{Inner, reach_of};
use crate::cache::Held;
use crate::herd::{Heard, Permit};
use crate::record::Tokens;
use crate::refresh::Landed;
use crate::serve::Chain;
use crate::{Act, Actor, HoldError, Note};

// === impl Inner ===

impl Inner {
    /// Obtains and stores a credential for ourselves; the lease is held.
    pub(crate) async fn obtain_now(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        before: Option<&Held>,
        permit: Permit,
    ) -> Result<Landed, HoldError> {
        if !self.is_still(server).await? {
            return Ok(CHANGED);
        }
        let connection = self.connection(key).await?;
        let challenge = connection
            .as_ref()
            .and_then(|connection| connection.challenge.clone());
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
        permit.heard(heard(&answer));
        match answer {
            Ok(obtained) => {
                let own = Own {
                    registration,
                    asked: scopes.unwrap_or_default(),
                    obtained,
                };
                self.keep_own(server, key, &discovered, own, connection)
                    .await
            }
            Err(error) => {
                tracing::warn!(server = %server.slug, error = %Chain(&error), "no credential could be obtained");
                Ok(refused(&error))
            }
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
        self: &Arc<Self>,
        server: &Server,
        key: &CredentialKey,
        discovered: &Discovered,
        own: Own,
        before: Option<Connection>,
    ) -> Result<Landed, HoldError> {
        let obtained = own.obtained;
        let tokens = Tokens {
            access: obtained.access_token,
            refresh: None,
        };
        let resource = self.parts.quirks.of(discovered.issuer_id());
        let resource = resource
            .resource(discovered.resource.as_str())
            .unwrap_or_default();
        let mut row = Credential {
            key: key.clone(),
            version: 0,
            fingerprint: self.fingerprint(&tokens),
            issuer: discovered.issuer.issuer.clone(),
            token_endpoint: discovered.issuer.token_endpoint.clone(),
            revocation_endpoint: discovered.issuer.revocation_endpoint.clone(),
            resource: resource.to_owned(),
            registration: Some(own.registration),
            scopes_requested: own.asked,
            scopes_granted: obtained.scopes_granted,
            obtained_at: obtained.obtained_at,
            expires_at: obtained.expires_at,
            is_refreshable: false,
            sealed: Vec::new(),
        };
        let answered = before.map(Answered::by_connection).unwrap_or_default();
        let connection = answered.connection(&row, self.parts.clock.now());
        let epoch = self.cache.epoch(key);
        let note = Note::credential(Act::CredentialStore, server, key);
        let note = note.with("grant", "client_credentials");
        self.replace(server, &mut row, &tokens, &connection, &note)
            .await?;
        // G6: a change before the write above did not see it, and one after it ends it.
        if !self.is_still(server).await? {
            let owing = self.owing(server, &row).await?;
            let ended = self.ended_connection(key, Reason::SettingsChanged);
            self.give_up(server, &row, &ended, &owing, Actor::System)
                .await?;
            self.at_issuers(vec![owing]).await;
            return Ok(CHANGED);
        }
        let held = self.held(row, &tokens)?;
        self.cache.keep(key, Some(Arc::clone(&held)), epoch);
        Ok(Landed::Fresh(held))
    }
}

/// The settings were changed while a credential was obtained under the old ones.
const CHANGED: Landed = Landed::Unreachable {
    retry_after_s: Some(1),
};

struct Own {
    registration: RegistrationId,
    asked: ScopeSet,
    obtained: Obtained,
}

/// What it says about the issuer.
fn heard(answer: &Result<Obtained, ClientCredentialsError>) -> Heard {
    let is_fault = match answer {
        Err(ClientCredentialsError::Refused { refusal }) => refusal.status >= 500,
        Err(ClientCredentialsError::Answer { .. } | ClientCredentialsError::Unreachable { .. }) => {
            true
        }
        _ => false,
    };
    let retry_after_s = None;
    if is_fault {
        Heard::Fault { retry_after_s }
    } else {
        Heard::Answer { retry_after_s }
    }
}

/// Q07: an issuer in trouble is no reason to change a setting.
fn refused(error: &ClientCredentialsError) -> Landed {
    let is_transient = match error {
        ClientCredentialsError::Refused { refusal } => {
            refusal.status >= 500 || refusal.status == 429 || refusal.code.is_none()
        }
        ClientCredentialsError::Answer { .. } | ClientCredentialsError::Unreachable { .. } => true,
        _ => false,
    };
    if is_transient {
        return Landed::Unreachable {
            retry_after_s: None,
        };
    }
    Landed::Misconfigured(error.to_string())
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
    // C-48: nobody is away whose absence a refresh token would bridge.
    choose_scopes_for(Grant::ClientCredentials, &wish, discovered)
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
