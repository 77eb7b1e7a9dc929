//! The code for tokens, and the tokens into the vault.

use std::sync::Arc;

use claviger_client::{PendingAuthorization, Redeem, RedeemError, Tokens as Obtained, redeem};
use claviger_model::{Connection, Credential, CredentialKey, Outcome, Reason, Server, Standing};
use claviger_wire::{Callback, ErrorCode};

use super::Ended;
use super::flight_record::FlightRecord;
use crate::HoldError;
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
            Err(error) => self.not_redeemed(server, key, record, &error).await,
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
        let rows = self.rows(key);
        let before = rows.find_credential(key).await?;
        let mut row = Credential {
            key: key.clone(),
            version: before.as_ref().map_or(0, |row| row.version) + 1,
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
        self.seal_into(server, &mut row, &tokens).await?;
        let missing = record
            .challenged
            .as_ref()
            .map(|challenged| challenged.minus(&row.scopes_granted))
            .filter(|missing| !missing.is_empty());
        // C-66: step-ups count on until one brings what was asked for.
        let step_ups = match (&missing, self.connection(key).await?) {
            (Some(_), Some(connection)) => connection.step_ups,
            _ => 0,
        };
        let standing = if missing.is_some() {
            Standing::NeedsScopes
        } else {
            Standing::Connected
        };
        let connection = Connection {
            key: key.clone(),
            standing,
            reason: missing.as_ref().map(|_| Reason::ScopesMissing),
            challenge: None,
            step_ups,
            updated_at: self.parts.clock.now(),
        };
        rows.replace_credential(&row, &connection).await?;
        // Whatever was read before is old now; the next request reads what was stored.
        self.cache.invalidate();
        self.tickets.forget(key);
        let mut ended = Ended::new(Outcome::Success, "");
        ended.standing = standing;
        // Q34: the issuer gave less; asking again would give the same.
        ended.message = missing.map(|missing| {
            format!("signed in, but the issuer did not grant what the server asks for: {missing}")
        });
        Ok(ended)
    }

    async fn not_redeemed(
        &self,
        server: &Server,
        key: &CredentialKey,
        record: &FlightRecord,
        error: &RedeemError,
    ) -> Ended {
        tracing::info!(server = %server.slug, error = %error, "a code was not redeemed");
        if error.is_client_refused() {
            // Q09: the next sign-in registers anew; nothing else is thrown away.
            let rows = self.rows(key);
            if let Err(error) = rows.retire_registration(&record.registration).await {
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
        ended.hint = error
            .is_client_refused()
            .then(|| "start the sign-in again; Claviger registers anew".to_owned());
        // What was held before is as good as it was.
        if self.is_held(key).await {
            ended.standing = Standing::Connected;
        }
        ended
    }

    async fn is_held(&self, key: &CredentialKey) -> bool {
        matches!(self.rows(key).find_credential(key).await, Ok(Some(_)))
    }
}
