//! The upstream said no: try something better once, or say what is missing.

use claviger_client::{StepUp, StepUpQuestion, diagnose, judge};
use claviger_crypto::Secret;
use claviger_model::{
    Connection, CredentialKey, Grant, OauthSettings, PendingChallenge, Reason, Server, Standing,
    Timestamp,
};
use claviger_wire::{BearerChallenge, ErrorCode, ScopeSet};
use http::StatusCode;

use crate::cache::Held;
use crate::refresh::{Landed, Seen};
use crate::serve::{Asking, Chain, broken, can_renew};
use crate::{Asker, Attachment, Broker, Missing, Refusal};

/// A token younger than this that is refused is not refused for its age (Q13, N6), in seconds.
const TOO_YOUNG_TO_BE_OLD: i64 = 60;

/// The same for a token that was obtained because the one before was refused: a client that asks
/// once a minute must not make us refresh once a minute.
const DID_NOT_HELP: i64 = 600;

// === impl Broker ===

impl Broker {
    pub(crate) async fn answer_refusal(
        &self,
        server: &Server,
        asker: &Asker,
        settings: &OauthSettings,
        used: &Attachment,
        refusal: &Refusal,
    ) -> Result<Attachment, Missing> {
        let inner = &self.inner;
        let asking = Asking::new(server, asker);
        let key = &asking.key;
        let values = refusal.www_authenticate.iter().map(String::as_str);
        let challenge = BearerChallenge::parse(values).value.unwrap_or_default();
        let lacks_scope = refusal.status == StatusCode::FORBIDDEN
            && challenge.error == Some(ErrorCode::InsufficientScope);
        // Q12: somebody may have signed in or refreshed elsewhere; look before anything else.
        let held = match inner.reread(server, key).await {
            Ok(held) => held,
            Err(error) => return Err(broken(server, &error)),
        };
        match held {
            Some(held) if Some(held.mark) != used.mark => self.attached(server, &held, asker).await,
            Some(held) if lacks_scope => {
                self.step_up(server, &asking, settings, &held, challenge, refusal)
                    .await
            }
            Some(held) => {
                self.renew_refused(server, &asking, settings, &held, challenge)
                    .await
            }
            None if settings.grant == Grant::ClientCredentials && used.mark.is_none() => {
                let standing = Standing::NeverConnected;
                self.note(key, standing, None, &challenge, lacks_scope)
                    .await;
                let seen = Seen::default();
                let landed = inner.renew_patiently(server, settings, key, seen).await;
                self.settle(server, &asking, landed).await
            }
            None => {
                let reason = self.reason_so_far(key).await;
                self.note(key, Standing::NeedsSignIn, reason, &challenge, lacks_scope)
                    .await;
                Err(self.needs_sign_in(server, key, reason).await)
            }
        }
    }

    /// A 401 on a token of ours: one refresh, unless its age is not why. A refresh that does not
    /// help is not repeated until the token ends or somebody signs in (A131).
    async fn renew_refused(
        &self,
        server: &Server,
        asking: &Asking<'_>,
        settings: &OauthSettings,
        held: &Held,
        challenge: BearerChallenge,
    ) -> Result<Attachment, Missing> {
        let (inner, key) = (&self.inner, &asking.key);
        let before = self.connection(key).await.and_then(|one| one.reason);
        let was_diagnosed = before == Some(Reason::FreshTokenRefused);
        let is_fresh = self.is_fresh(key, held, was_diagnosed);
        // F31: an access token from a backup may have been ended with the grant it belonged to.
        let is_fresh = is_fresh && !inner.is_from_backup(held);
        if can_renew(held, settings) && !is_fresh {
            let seen = Seen::of(&held.row);
            let landed = inner.renew_patiently(server, settings, key, seen).await;
            if let Landed::Fresh(made) = &landed {
                inner.doubts.remember(key, made.mark);
            }
            return self.settle(server, asking, landed).await;
        }
        let reason = if is_fresh && can_renew(held, settings) {
            if !was_diagnosed {
                explain(server, held, inner.parts.clock.now());
            }
            Reason::FreshTokenRefused
        } else {
            Reason::Expired
        };
        self.note(key, Standing::NeedsSignIn, Some(reason), &challenge, false)
            .await;
        Err(self.needs_sign_in(server, key, Some(reason)).await)
    }

    /// Whether a token is too young to be refused for its age, or was found so before.
    fn is_fresh(&self, key: &CredentialKey, held: &Held, was_diagnosed: bool) -> bool {
        let now = self.inner.parts.clock.now();
        // A token may live for less than a minute; then its own end says whether it is old.
        if held.row.expires_at.is_some_and(|end| end <= now) {
            return false;
        }
        // Whatever is stored since was written with another reason.
        if was_diagnosed {
            return true;
        }
        let young = if self.inner.doubts.is_made_so(key, held.mark) {
            DID_NOT_HELP
        } else {
            TOO_YOUNG_TO_BE_OLD
        };
        // A132: a clock that was set back says nothing about its age.
        (0..young).contains(&now.since(held.row.obtained_at))
    }

    /// A 403 `insufficient_scope`: ask for the union once, and stop where that was tried (C-63 to
    /// C-66, Q34, N5). The token stays in use for everything else.
    async fn step_up(
        &self,
        server: &Server,
        asking: &Asking<'_>,
        settings: &OauthSettings,
        held: &Held,
        challenge: BearerChallenge,
        refusal: &Refusal,
    ) -> Result<Attachment, Missing> {
        let key = &asking.key;
        let asked = challenge.scope.clone().unwrap_or_default();
        let attempts = self
            .connection(key)
            .await
            .map_or(0, |connection| connection.step_ups);
        let judged = judge(&StepUpQuestion {
            status: refusal.status.as_u16(),
            challenge: Some(&challenge),
            requested: &held.row.scopes_requested,
            granted: &held.row.scopes_granted,
            configured: settings.scopes.as_ref(),
            attempts,
        });
        if let StepUp::GiveUp { missing, why } = judged {
            tracing::info!(
                server = %server.slug,
                operation = %refusal.operation,
                %missing,
                "asking for scopes again would not help: {why}"
            );
            return Err(needs_scopes(server, asked, None));
        }
        let reason = Some(Reason::ScopesMissing);
        self.note(key, Standing::NeedsScopes, reason, &challenge, true)
            .await;
        if settings.grant == Grant::ClientCredentials {
            let (inner, seen) = (&self.inner, Seen::of(&held.row));
            let landed = inner.renew_patiently(server, settings, key, seen).await;
            return self.settle(server, asking, landed).await;
        }
        let link = self.link(key).await;
        Err(needs_scopes(server, asked, Some(link)))
    }

    /// Remembers what the next sign-in has to answer.
    async fn note(
        &self,
        key: &CredentialKey,
        standing: Standing,
        reason: Option<Reason>,
        challenge: &BearerChallenge,
        insufficient_scope: bool,
    ) {
        let before = self.connection(key).await;
        let challenge = Some(PendingChallenge {
            resource_metadata: challenge.resource_metadata.clone(),
            scope: challenge.scope.clone(),
            insufficient_scope,
        });
        if before.as_ref().is_some_and(|before| {
            (before.standing, before.reason) == (standing, reason) && before.challenge == challenge
        }) {
            // A client that tries on and on must not make us write on and on.
            return;
        }
        let connection = Connection {
            key: key.clone(),
            standing,
            reason,
            challenge,
            // C-66: counted when a sign-in did not help, not whenever a call is refused.
            step_ups: before.map_or(0, |before| before.step_ups),
            updated_at: self.inner.parts.clock.now(),
        };
        if let Err(error) = self.inner.rows(key).update_connection(&connection).await {
            // The caller is answered all the same; the sign-in then asks the server once more.
            tracing::warn!(error = %Chain(&error), "could not remember a challenge");
        }
    }

    async fn reason_so_far(&self, key: &CredentialKey) -> Option<Reason> {
        self.connection(key)
            .await
            .and_then(|connection| connection.reason)
    }

    pub(crate) async fn connection(&self, key: &CredentialKey) -> Option<Connection> {
        match self.inner.connection(key).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "could not read a connection");
                None
            }
        }
    }
}

/// Q13: says in the log what a token that was refused although it is fresh says about itself.
fn explain(server: &Server, held: &Held, now: Timestamp) {
    let token = held.header.to_str().unwrap_or_default();
    let token = Secret::new(token.strip_prefix("Bearer ").unwrap_or_default());
    let row = &held.row;
    let findings = diagnose(
        &token,
        &row.issuer,
        &row.resource,
        &row.scopes_requested,
        now,
    );
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    tracing::warn!(
        server = %server.slug,
        resource = %row.resource,
        issuer = %row.issuer,
        scopes = %row.scopes_granted,
        findings = findings.join("; "),
        "a fresh token was refused; check audience, issuer and clocks"
    );
}

fn needs_scopes(server: &Server, scopes: ScopeSet, link: Option<String>) -> Missing {
    Missing::NeedsScopes {
        server: server.slug.to_string(),
        scopes,
        link,
    }
}
