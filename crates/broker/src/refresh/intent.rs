//! The intent: that the stored refresh token was sent, written down before it is sent.
//!
//! A process that dies between the issuer's answer and the commit leaves it behind. Whoever comes
//! next sends the same token once more; if the issuer then refuses it, the rotation was lost on
//! its way, and the person is told so instead of a plain refusal (`ambiguous_rotation`, F02, F03).
//!
//! It stands beside the lease, with the fingerprint of the token. Both guard it: a flight that lost
//! its lease takes back nothing the next one declared, and a token that was replaced is in doubt no
//! more.

use claviger_model::{Credential, Reason, Standing};
use claviger_store::{Intended, Lease, StoreError};

use super::lease::Holding;
use crate::broker::Inner;

/// What was declared, and what was found of an earlier holder.
pub(super) struct Intent {
    lease: Lease,
    /// The same token was sent before, and nobody was heard of since.
    pub(super) was_left: bool,
}

impl Intent {
    /// Writes it, and says whether one was there already. Every end of a renewal but a lost answer
    /// takes it back: a new token by being another one. Nothing, if the credential or the lease is
    /// another one by now: then its token must not be sent.
    pub(super) async fn declare(
        inner: &Inner,
        holding: &Holding,
        sent: &Credential,
    ) -> Result<Option<Self>, StoreError> {
        let lease = holding.lease();
        let rows = inner.rows(&sent.key);
        let was_left = match rows
            .declare_intent(&sent.key, &lease, &sent.fingerprint)
            .await?
        {
            Intended::Superseded => return Ok(None),
            Intended::WasLeft => true,
            // What was put back stands so (F18), and so did intents of earlier versions.
            Intended::Declared => inner.connection(&sent.key).await?.is_some_and(|known| {
                known.standing == Standing::Connected
                    && known.reason == Some(Reason::AmbiguousRotation)
            }),
        };
        Ok(Some(Self { lease, was_left }))
    }

    /// Nothing was sent, or its answer is known: the token is as good as it was.
    pub(super) async fn withdraw(&self, inner: &Inner, sent: &Credential) {
        if self.was_left {
            return;
        }
        let rows = inner.rows(&sent.key);
        let withdrawn = rows.withdraw_intent(&sent.key, &self.lease, &sent.fingerprint);
        if let Err(error) = withdrawn.await {
            // It stays; at worst a later refusal is called ambiguous that was not.
            tracing::debug!(%error, "could not take an intent back");
        }
    }
}
