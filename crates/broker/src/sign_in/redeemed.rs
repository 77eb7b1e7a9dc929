//! The code for tokens, and the tokens into the vault.

use std::sync::Arc;

use claviger_client::{
    ClientInformation, PendingAuthorization, Redeem, RedeemError, Tokens as Given, redeem,
};
use claviger_model::{
    Credential, CredentialKey, Outcome, RegistrationId, RegistrationOrigin, Server, SignIn,
};
use claviger_ports::failpoint_in_task;
use claviger_wire::{Callback, ErrorCode};

use super::Ended;
use super::flight_record::FlightRecord;
use crate::answered::Answered;
use crate::broker::{Inner, reach_of};
use crate::keep::Patience;
use crate::record::Tokens;
use crate::rescue::Gave;
use crate::serve::Chain;
use crate::step::Step;
use crate::{Act, Actor, HoldError, Note};

/// What became of a code.
pub(super) enum Redeemed {
    /// The sign-in is still to be ended so.
    Open(Ended),
    /// It is written down as a success already, and this is how storing went.
    Written(Ended),
}

/// What a code gave, and to whom.
struct Obtained {
    row: Credential,
    tokens: Tokens,
    client: ClientInformation,
}

// === impl Inner ===

impl Inner {
    /// Redeems, stores, and only then says that it worked (K7, A124).
    pub(super) async fn redeem(
        self: &Arc<Self>,
        server: &Server,
        sign_in: &SignIn,
        record: &FlightRecord,
        callback: &Callback,
    ) -> Redeemed {
        let pending = match PendingAuthorization::from_secret(&record.pending) {
            Ok(pending) => pending,
            Err(error) => return Redeemed::Open(Ended::new(Outcome::Failed, &error.to_string())),
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
        failpoint_in_task!("sign_in.after_response");
        let redeemed = match answer {
            Ok(given) => {
                let obtained = self.obtained(&sign_in.key, record, pending, given);
                self.keep_or_revoke(server, sign_in, record, obtained).await
            }
            Err(error) => {
                let ours = pending.client.origin == RegistrationOrigin::Dynamic;
                let registration = ours.then_some(&record.registration);
                let ended = self.not_redeemed(server, &sign_in.key, registration, &error);
                Redeemed::Open(ended.await)
            }
        };
        match redeemed {
            Redeemed::Open(ended) => Redeemed::Open(Ended { steps, ..ended }),
            Redeemed::Written(ended) => Redeemed::Written(Ended { steps, ..ended }),
        }
    }

    fn obtained(
        &self,
        key: &CredentialKey,
        record: &FlightRecord,
        pending: PendingAuthorization,
        given: Given,
    ) -> Obtained {
        let tokens = Tokens {
            access: given.access_token,
            refresh: given.refresh_token,
        };
        let row = Credential {
            key: key.clone(),
            version: 0,
            fingerprint: self.fingerprint(&tokens),
            issuer: pending.issuer,
            token_endpoint: pending.token_endpoint,
            revocation_endpoint: pending.revocation_endpoint,
            resource: pending.resource,
            registration: Some(record.registration.clone()),
            scopes_requested: pending.scopes.unwrap_or_default(),
            scopes_granted: given.scopes_granted,
            obtained_at: given.obtained_at,
            expires_at: given.expires_at,
            is_refreshable: tokens.refresh.is_some(),
            sealed: Vec::new(),
        };
        Obtained {
            row,
            tokens,
            client: pending.client,
        }
    }

    /// Stores what a sign-in brought, together with its end. One that was cancelled, replaced or
    /// given up while its code was redeemed stores nothing, and what it brought does not live on at
    /// the issuer.
    async fn keep_or_revoke(
        self: &Arc<Self>,
        server: &Server,
        sign_in: &SignIn,
        record: &FlightRecord,
        mut obtained: Obtained,
    ) -> Redeemed {
        let gave = Gave::SignIn {
            id: sign_in.id.clone(),
            challenged: record.challenged.clone(),
        };
        let written = self
            .write_down(server, gave, &obtained.row, &obtained.tokens)
            .await;
        failpoint_in_task!("sign_in.after_journal");
        let kept = self.keep_tokens(server, sign_in, record, &mut obtained);
        let ended = match kept.await {
            Ok(Some(ended)) => {
                self.settle(written);
                return Redeemed::Written(ended);
            }
            Ok(None) => {
                let why = "the sign-in had been ended meanwhile; nothing was kept";
                Ended::new(Outcome::Cancelled, why)
            }
            Err(error) => {
                tracing::error!(server = %server.slug, error = %Chain(&error), "a credential could not be stored");
                let why = "the credential could not be stored; see the log";
                Ended::new(Outcome::Failed, why)
            }
        };
        let Obtained {
            row,
            tokens,
            client,
        } = obtained;
        let revoked = self.give_back(server, &row, &tokens, client, written).await;
        tracing::info!(server = %server.slug, ?revoked, "what a sign-in brought was not kept");
        Redeemed::Open(ended)
    }

    /// `None`: the sign-in had been ended, and nothing was written.
    async fn keep_tokens(
        self: &Arc<Self>,
        server: &Server,
        sign_in: &SignIn,
        record: &FlightRecord,
        obtained: &mut Obtained,
    ) -> Result<Option<Ended>, HoldError> {
        let Obtained { row, tokens, .. } = obtained;
        let key = row.key.clone();
        let answered = Answered {
            challenged: record.challenged.clone(),
            step_ups: self.step_ups_so_far(&key).await?,
        };
        let connection = answered.connection(row, self.parts.clock.now());
        let note =
            Note::credential(Act::CredentialStore, server, &key).by(Actor::User(key.user.clone()));
        if !self
            .complete(server, &sign_in.id, row, tokens, &connection, &note)
            .await?
        {
            return Ok(None);
        }
        failpoint_in_task!("sign_in.after_commit");
        // Whatever was read before is old now; the next request reads what was stored.
        self.cache.forget(&row.key);
        self.tickets.forget(&key);
        let mut ended = Ended::new(Outcome::Success, "");
        ended.standing = connection.standing;
        // Q34: the issuer gave less; asking again would give the same.
        ended.message = answered.missing(row).map(|missing| {
            format!("signed in, but the issuer did not grant what the server asks for: {missing}")
        });
        Ok(Some(ended))
    }

    async fn step_ups_so_far(&self, key: &CredentialKey) -> Result<u32, HoldError> {
        let mut patience = Patience::new(self, key);
        loop {
            match self.connection(key).await {
                Ok(connection) => return Ok(connection.map_or(0, |one| one.step_ups)),
                Err(error) => patience.again(error).await?,
            }
        }
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
            let retired = async {
                let note = Note::server(Act::RegistrationRetire, server);
                let note = note.with("registration", registration.as_str());
                let (draft, rows) = self.parts.audit.change(&key.tenant, note).await?;
                draft.settle(rows.retire_registration(registration).await)
            };
            if let Err(error) = retired.await {
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
        if is_scope_refused(error) {
            // Q20: the next attempt asks for less.
            self.narrow.refuse(key);
            let hint = "start the sign-in again, it then asks for less; or add the server anew \
                        with --scope and the scopes its issuer knows";
            ended.hint = Some(hint.to_owned());
        }
        ended
    }
}

fn is_scope_refused(error: &RedeemError) -> bool {
    matches!(
        error,
        RedeemError::Denied {
            code: ErrorCode::InvalidScope,
            ..
        }
    )
}
