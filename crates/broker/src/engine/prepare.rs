//! Everything up to the URL for the browser.

use claviger_client::{
    Authorize, Discovered, Discovery, ScopeWish, authorize, choose_scopes, without_unlisted,
};
use claviger_crypto::Secret;
use claviger_model::{
    Credential, CredentialKey, OauthSettings, PendingChallenge, RegistrationId, Server,
};
use claviger_wire::ScopeSet;

use super::look::LookError;
use super::{log, step_of};
use crate::broker::Inner;
use crate::sign_in::Begin;
use crate::step::StepSink;

/// A sign-in that is ready to be stored.
pub(crate) struct Prepared {
    pub(crate) authorization_url: String,
    pub(crate) state: Secret,
    pub(crate) pending: Secret,
    pub(crate) registration: RegistrationId,
}

/// What is known when a sign-in is prepared.
#[derive(Clone, Copy)]
pub(crate) struct SoFar<'a> {
    pub(crate) key: &'a CredentialKey,
    pub(crate) challenge: Option<&'a PendingChallenge>,
    pub(crate) before: Option<&'a Credential>,
}

// === impl Inner ===

impl Inner {
    /// Discovers, registers and makes the authorization request. `None`: no sign-in is needed.
    pub(crate) async fn prepare(
        &self,
        server: &Server,
        settings: &OauthSettings,
        so_far: SoFar<'_>,
        begin: &Begin,
        steps: StepSink<'_>,
    ) -> Result<Option<Prepared>, LookError> {
        let SoFar {
            key,
            challenge,
            before,
        } = so_far;
        let preferred = before.map(|held| held.issuer.clone());
        let discovery = self
            .discover(server, settings, challenge, preferred, steps)
            .await?;
        let Discovery::SignIn(discovered) = discovery else {
            return Ok(None);
        };
        // C-65: what was granted by this issuer is asked for again, so that nothing is lost.
        let same_issuer = before.filter(|held| held.issuer == discovered.issuer_id());
        let wish = ScopeWish {
            configured: settings.scopes.clone(),
            requested_before: same_issuer
                .map_or_else(ScopeSet::new, |held| held.scopes_requested.clone()),
        };
        let scopes = self.scopes(key, &wish, &discovered);
        let (registration, client) = self
            .register(
                server,
                settings,
                &discovered,
                &begin.redirect_uri,
                scopes.clone(),
                steps,
            )
            .await?;
        let authorization = authorize(
            &Authorize {
                discovered: &discovered,
                client: &client,
                redirect_uri: &begin.redirect_uri,
                scopes,
                is_first: same_issuer.is_none(),
                state: self.parts.entropy.key_bytes(),
                verifier: self.parts.entropy.key_bytes(),
            },
            &self.parts.quirks,
        )
        .map_err(|error| LookError::Prepare {
            message: error.to_string(),
        })?;
        log(&authorization.event);
        steps(step_of(authorization.event, None));
        Ok(Some(Prepared {
            authorization_url: authorization.url,
            state: authorization.state,
            pending: authorization.pending.to_secret(),
            registration,
        }))
    }

    fn scopes(
        &self,
        key: &CredentialKey,
        wish: &ScopeWish,
        discovered: &Discovered,
    ) -> Option<ScopeSet> {
        let scopes = choose_scopes(wish, discovered)?;
        // Q20: once after the issuer refused what was asked for.
        let fewer = self
            .narrow
            .take(key)
            .then(|| without_unlisted(&scopes, discovered));
        Some(fewer.flatten().unwrap_or(scopes))
    }
}
