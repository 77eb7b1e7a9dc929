//! The issuer said no to a refresh: what that ends, and what it must not.

use claviger_model::{Credential, Reason, Standing};
use claviger_store::Guarded;

use super::Landed;
use super::flight::Flight;
use super::intent::Intent;
use super::lease::Holding;
use crate::{Act, Came, HoldError, Note};

// === impl Flight ===

impl Flight {
    /// The issuer refused the refresh token. That ends the credential only if it is still the one
    /// that was sent, and nobody else is at it (A121).
    pub(super) async fn terminal(
        &self,
        holding: &Holding,
        sent: &Credential,
        intent: &Intent,
    ) -> Result<Landed, HoldError> {
        if !holding.is_ours(&self.inner).await? {
            tracing::warn!(server = %self.server.slug, "the issuer refused a refresh token that somebody else is renewing");
            return Ok(Landed::Unreachable {
                retry_after_s: Some(5),
            });
        }
        // An earlier answer was lost on its way: the token may be dead because it was rotated.
        let is_doubtful = intent.was_left || self.inner.pauses.is_doubtful(&self.key, &self.seen);
        let reason = if self.inner.came_from_backup(sent) {
            // F31: somebody may have rotated it since the backup was made.
            Reason::Restored
        } else if is_doubtful {
            Reason::AmbiguousRotation
        } else {
            Reason::RefreshRefused
        };
        let connection = self.connection(Standing::NeedsSignIn, Some(reason));
        let came = if is_doubtful {
            Came::Ambiguous
        } else {
            Came::Refused
        };
        let note = self.note(came).with("reason", reason.as_str());
        let (draft, rows) = self
            .inner
            .parts
            .audit
            .change(&self.key.tenant, note)
            .await?;
        let ended = rows.end_credential(&self.key, &sent.fingerprint, &connection);
        match draft.settle(ended.await)? {
            Guarded::Written(_) => {
                self.inner.cache.forget(&self.key);
                tracing::warn!(server = %self.server.slug, issuer = %sent.issuer, reason = reason.as_str(), "the refresh token was refused");
                Ok(Landed::Ended(reason))
            }
            Guarded::Superseded => self.winner().await,
        }
    }

    /// A125: the grant may be as good as ever; only the client is unknown. Nothing is ended. A
    /// client we registered ourselves is registered anew by the next sign-in (Q09).
    pub(super) async fn client_refused(
        &self,
        held: &Credential,
        hint: String,
        is_curable: bool,
    ) -> Result<Landed, HoldError> {
        tracing::warn!(server = %self.server.slug, issuer = %held.issuer, "the issuer refused our client");
        let reason = Reason::ClientRefused;
        let rows = self.inner.rows(&self.key);
        if !is_curable {
            let connection = self.connection(Standing::Misconfigured, Some(reason));
            rows.update_connection(&connection).await?;
            return Ok(Landed::Misconfigured(hint));
        }
        if let Some(registration) = &held.registration {
            let note = Note::server(Act::RegistrationRetire, &self.server);
            let note = note.with("registration", registration.as_str());
            let (draft, recorded) = self
                .inner
                .parts
                .audit
                .change(&self.key.tenant, note)
                .await?;
            draft.settle(recorded.retire_registration(registration).await)?;
        }
        let connection = self.connection(Standing::NeedsSignIn, Some(reason));
        rows.update_connection(&connection).await?;
        Ok(Landed::Ended(reason))
    }

    /// Q08: neither a dead token nor trouble of the moment, by what it says. Said once it may be
    /// either; said twice in a row, half a minute apart, a sign-in is the only way on. What is
    /// stored stays, and is tried again: the issuer did not say that it is dead (rule 3).
    pub(super) async fn stuck(&self, sent: &Credential, code: &str) -> Result<Landed, HoldError> {
        let inner = &self.inner;
        let now_ms = inner.parts.clock.monotonic_ms();
        tracing::warn!(server = %self.server.slug, issuer = %sent.issuer, code, "the issuer refused a refresh without saying that the token is dead");
        let note = self.note(Came::Failed).with("code", code);
        inner.parts.audit.tell_soon(note);
        if !inner.pauses.strike(&self.key, &self.seen, now_ms) {
            return Ok(Landed::Unreachable {
                retry_after_s: None,
            });
        }
        let reason = Reason::RefreshStuck;
        let connection = self.connection(Standing::NeedsSignIn, Some(reason));
        inner.rows(&self.key).update_connection(&connection).await?;
        Ok(Landed::Ended(reason))
    }
}
