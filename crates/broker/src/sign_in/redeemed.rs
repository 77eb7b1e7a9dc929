//! The code for tokens, and the tokens into the vault.

use std::sync::Arc;

use claviger_client::{PendingAuthorization, Redeem, RedeemError, Tokens as Obtained, redeem};
use claviger_model::{
    Credential, CredentialKey, Outcome, RegistrationId, RegistrationOrigin, Server,
};
use claviger_wire::{Callback, ErrorCode};

use super::Ended;
use super::flight_record::FlightRecord;
use crate::HoldError;
use crate::answered::Answered;
use crate::broker::{Inner, reach_of};
use crate::record::Tokens;
use crate::serve::Chain;
use crate::step::Step;

// === impl Inner ===

impl Inner {
    /// Redeems, stores, and only then says that it worked (K7, A124).
    pub(crate) async fn redeem(
        &self,
        server: &Server,
        key: &CredentialKey,
        record: &FlightRecord,
        callback: &Callback,
    ) -> Ended {
        let pending = match PendingAuthorization::from_secret(&record.pending) {
            Ok(pending) => pending,
            Err(error) => return Ended::new(Outcome::Failed, &error.to_string()),
        };
        let input = Redeem {
            pending: pending.clone(),
            callback: callback.clone(),
            quirks: Arc::clone(&self.parts.quirks),
            jti: self.parts.entropy.id_bytes(),
        };
        let mut steps: Vec<Step> = Vec::new();
        let mut keep = |step| steps.push(step);
        let answer = self
            .run(&mut redeem(input), &reach_of(server), &mut keep)
            .await;
        let ended = match answer {
            Ok(obtained) => match self
                .keep_tokens(server, key, record, &pending, obtained)
                .await
            {
                Ok(ended) => ended,
                Err(error) => {
                    tracing::error!(server = %server.slug, error = %Chain(&error), "a credential could not be stored");
                    Ended::new(
                        Outcome::Failed,
                        "the credential could not be stored; see the log",
                    )
                }
            },
            Err(error) => {
                let ours = pending.client.origin == RegistrationOrigin::Dynamic;
                let registration = ours.then_some(&record.registration);
                self.not_redeemed(server, key, registration, &error).await
            }
        };
        Ended { steps, ..ended }
    }

    async fn keep_tokens(
        &self,
        server: &Server,
        key: &CredentialKey,
        record: &FlightRecord,
        pending: &PendingAuthorization,
        obtained: Obtained,
    ) -> Result<Ended, HoldError> {
        let tokens = Tokens {
            access: obtained.access_token,
            refresh: obtained.refresh_token,
        };
        let mut row = Credential {
            key: key.clone(),
            version: 0,
            fingerprint: self.fingerprint(&tokens),
            issuer: pending.issuer.clone(),
            token_endpoint: pending.token_endpoint.clone(),
            revocation_endpoint: pending.revocation_endpoint.clone(),
            resource: pending.resource.clone(),
            registration: Some(record.registration.clone()),
            scopes_requested: pending.scopes.clone().unwrap_or_default(),
            scopes_granted: obtained.scopes_granted,
            obtained_at: obtained.obtained_at,
            expires_at: obtained.expires_at,
            is_refreshable: tokens.refresh.is_some(),
            sealed: Vec::new(),
        };
        let answered = Answered {
            challenged: record.challenged.clone(),
            step_ups: self
                .connection(key)
                .await?
                .map_or(0, |connection| connection.step_ups),
        };
        let connection = answered.connection(&row, self.parts.clock.now());
        self.replace(server, &mut row, &tokens, &connection).await?;
        // Whatever was read before is old now; the next request reads what was stored.
        self.cache.invalidate();
        self.tickets.forget(key);
        let mut ended = Ended::new(Outcome::Success, "");
        ended.standing = connection.standing;
        // Q34: the issuer gave less; asking again would give the same.
        ended.message = answered.missing(&row).map(|missing| {
            format!("signed in, but the issuer did not grant what the server asks for: {missing}")
        });
        Ok(ended)
    }

    async fn not_redeemed(
        &self,
        server: &Server,
        key: &CredentialKey,
        registered: Option<&RegistrationId>,
        error: &RedeemError,
    ) -> Ended {
        tracing::info!(server = %server.slug, error = %error, "a code was not redeemed");
        let registered = registered.filter(|_| error.is_client_refused());
        if let Some(registration) = registered {
            // Q09: the next sign-in registers anew; nothing else is thrown away, and a client the
            // operator set is never registered anew.
            let rows = self.rows(key);
            if let Err(error) = rows.retire_registration(registration).await {
                tracing::warn!(error = %Chain(&error), "could not retire a registration");
            }
        }
        let outcome = match error {
            RedeemError::Denied {
                code: ErrorCode::AccessDenied,
                ..
            } => Outcome::Denied,
            _ => Outcome::Failed,
        };
        let mut ended = Ended::new(outcome, &error.to_string());
        ended.hint =
            registered.map(|_| "start the sign-in again; Claviger registers anew".to_owned());
        ended
    }
}
