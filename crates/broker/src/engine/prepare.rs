//! Everything up to the URL for the browser.

use claviger_client::{Authorize, Discovery, ScopeWish, authorize, choose_scopes};
use claviger_crypto::Secret;
use claviger_model::{Credential, OauthSettings, PendingChallenge, RegistrationId, Server};
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

// === impl Inner ===

impl Inner {
    /// Discovers, registers and makes the authorization request. `None`: no sign-in is needed.
    pub(crate) async fn prepare(
        &self,
        server: &Server,
        settings: &OauthSettings,
        challenge: Option<&PendingChallenge>,
        before: Option<&Credential>,
        begin: &Begin,
        steps: StepSink<'_>,
    ) -> Result<Option<Prepared>, LookError> {
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
        let scopes = choose_scopes(&wish, &discovered);
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
}
