//! Offering an entry to the database once more: the fingerprint that was sent decides.

use std::sync::Arc;

use claviger_crypto::base64url_encode;
use claviger_model::{Credential, CredentialKey, Outcome, Server, SignInId};
use claviger_store::StoreError;
use claviger_wire::ScopeSet;

use super::entry::{Entry, Gave};
use super::{Lent, Written, context};
use crate::answered::Answered;
use crate::broker::{Inner, origin_of};
use crate::keep::{Completed, Patience};
use crate::refresh::{Holding, Stored, Storing};
use crate::serve::Chain;
use crate::{Act, Actor, Broker, HoldError, Note, VaultError};

/// What became of an entry.
enum Replayed {
    /// The database does not answer: it is kept.
    Later,
    /// It is of no use, to nobody.
    Refused,
    /// It is stored, or something newer is.
    Settled,
}

// === impl Broker ===

impl Broker {
    /// Stores what processes that died, or this one, could not store. To be called at the start
    /// and every few seconds: while an answer lies in a journal, nobody must send the token again
    /// that it replaces. Says how many were settled.
    pub async fn rescue(&self) -> usize {
        self.inner.rescue_left(None).await
    }
}

// === impl Inner ===

impl Inner {
    /// `holding` is the lease under which a flight asks for it.
    pub(crate) async fn rescue_left(self: &Arc<Self>, holding: Option<&Holding>) -> usize {
        // F33: what an issuer gave to the original is not for a copy.
        if self.is_held() {
            return 0;
        }
        let _turn = self.rescue.turn.lock().await;
        let adopted = self.parts.journal.adopt().await;
        let adopted = adopted
            .into_iter()
            .map(|(id, sealed)| Written { id, sealed });
        let mut left = core::mem::take(&mut *self.rescue.left());
        left.extend(adopted);
        let mut settled = 0;
        for written in left {
            match self.replay(&written.sealed, holding).await {
                Replayed::Settled => {
                    self.parts.journal.settle(written.id);
                    settled += 1;
                }
                Replayed::Refused => self.parts.journal.refuse(written.id),
                Replayed::Later => self.leave(Some(written)),
            }
        }
        settled
    }

    async fn replay(self: &Arc<Self>, sealed: &[u8], holding: Option<&Holding>) -> Replayed {
        let error = match self.replay_entry(sealed, holding).await {
            Ok(replayed) => return replayed,
            Err(error) => error,
        };
        let may_pass = match &error {
            HoldError::Store { source }
            | HoldError::Vault {
                source: VaultError::Store { source },
            } => {
                // Somebody was stored in between: the next look sees it.
                matches!(
                    source,
                    StoreError::Busy | StoreError::Conflict | StoreError::Failed { .. }
                )
            }
            HoldError::Vault {
                source: VaultError::Unavailable { .. },
            } => true,
            _ => false,
        };
        if may_pass {
            tracing::debug!(error = %Chain(&error), "an entry of a journal is not stored yet");
            return Replayed::Later;
        }
        tracing::error!(error = %Chain(&error), "an entry of a journal cannot be used");
        Replayed::Refused
    }

    async fn replay_entry(
        self: &Arc<Self>,
        sealed: &[u8],
        holding: Option<&Holding>,
    ) -> Result<Replayed, HoldError> {
        let entry = self.open_entry(sealed).await?;
        let rows = self.rows(&entry.row.key);
        let server = rows.find_server_by_id(&entry.row.key.server).await?;
        let Some(server) = server.filter(|server| origin_of(server) == entry.origin) else {
            tracing::warn!(server = %entry.row.key.server, "what an issuer gave is dropped: its server is gone, or elsewhere now");
            return Ok(Replayed::Settled);
        };
        match entry.gave.clone() {
            Gave::Refresh { sent, lease } => {
                let sent = Gave::sent(&sent);
                let key = &entry.row.key;
                if let Some(holding) = holding.filter(|holding| holding.is_of(key)) {
                    let is_doubtful = is_doubtful(lease.as_ref(), holding);
                    return self
                        .replay_refresh(&server, entry, &sent, is_doubtful)
                        .await;
                }
                let Some(holding) = self.turn_of(key, lease.as_ref()).await? else {
                    return Ok(Replayed::Later);
                };
                let is_doubtful = is_doubtful(lease.as_ref(), &holding);
                let replayed = self
                    .replay_refresh(&server, entry, &sent, is_doubtful)
                    .await;
                holding.release(self).await;
                replayed
            }
            Gave::SignIn { id, challenged } => {
                self.replay_sign_in(&server, entry, &id, challenged).await?;
                Ok(Replayed::Settled)
            }
        }
    }

    async fn open_entry(&self, sealed: &[u8]) -> Result<Entry, HoldError> {
        let opened = self.parts.vault.open_journal(&context(), sealed).await;
        if let Err(error) = &opened {
            let about = || Note::new(Act::Tamper, "journal").with("of", "journal");
            self.notice_tampered(error, about);
        }
        let mut entry = Entry::from_bytes(&opened?)?;
        entry.row.fingerprint = self.fingerprint(&entry.tokens);
        Ok(entry)
    }

    /// Stores what an issuer gave for this very token, if any journal of this machine has it.
    /// Another process may have found the journal of a dead one, and wait for the lease that
    /// `holding` is: the token must not be sent again meanwhile (F01, F02).
    pub(crate) async fn rescue_answer(
        self: &Arc<Self>,
        holding: &Holding,
        server: &Server,
        asked: &Credential,
    ) -> Result<(), HoldError> {
        for sealed in self.parts.journal.peek().await {
            // Whoever has it says what is wrong with it.
            let Ok(entry) = self.open_entry(&sealed).await else {
                continue;
            };
            let Gave::Refresh { sent, lease } = &entry.gave else {
                continue;
            };
            let is_answer = Gave::sent(sent) == asked.fingerprint && entry.row.key == asked.key;
            if is_answer && entry.origin == origin_of(server) {
                let is_doubtful = is_doubtful(lease.as_ref(), holding);
                self.replay_refresh(server, entry, &asked.fingerprint, is_doubtful)
                    .await?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// The lease, taken in the name of the flight that died. Nothing, while another flight has it:
    /// it may have sent the same token after the dead one did, and of two answers an issuer knows
    /// the later one. That is stored first, and this one is then seen to be older (F01, F18).
    async fn turn_of(
        &self,
        key: &CredentialKey,
        lent: Option<&Lent>,
    ) -> Result<Option<Holding>, StoreError> {
        let owner = match lent {
            Some(lent) => lent.owner.clone(),
            None => base64url_encode(&self.parts.entropy.id_bytes()),
        };
        Holding::take(self, key, &owner).await
    }

    async fn replay_refresh(
        self: &Arc<Self>,
        server: &Server,
        mut entry: Entry,
        sent: &[u8],
        is_doubtful: bool,
    ) -> Result<Replayed, HoldError> {
        let storing = Storing {
            inner: self,
            server,
            sent,
            is_doubtful,
            is_rescued: true,
        };
        self.seal_into(server, &mut entry.row, &entry.tokens)
            .await?;
        let patience = Patience::none(self, &entry.row.key);
        let stored = storing
            .store(&mut entry.row, &entry.tokens, patience)
            .await?;
        let key = &entry.row.key;
        match stored {
            Stored::Ours(_) => {
                self.pauses.forget(key);
                tracing::warn!(server = %server.slug, "stored what a refresh brought before its process died");
            }
            Stored::Ended(reason) => {
                tracing::info!(server = %server.slug, reason = reason.as_str(), "what a refresh brought is dropped: the credential was ended");
            }
            Stored::Winner => {
                tracing::info!(server = %server.slug, "what a refresh brought is dropped: it is stored, or something newer is");
            }
        }
        Ok(Replayed::Settled)
    }

    /// Completes a sign-in whose process died with its code redeemed. Its end and its credential are
    /// one transaction, so that one that ended as a success is stored already.
    async fn replay_sign_in(
        self: &Arc<Self>,
        server: &Server,
        mut entry: Entry,
        id: &SignInId,
        challenged: Option<ScopeSet>,
    ) -> Result<(), HoldError> {
        let key = entry.row.key.clone();
        let before = self.connection(&key).await?;
        let answered = Answered {
            challenged,
            step_ups: before.map_or(0, |before| before.step_ups),
        };
        let connection = answered.connection(&entry.row, self.parts.clock.now());
        let note = Note::credential(Act::CredentialStore, server, &key)
            .by(Actor::User(key.user.clone()))
            .with("rescued", true);
        let (row, tokens) = (&mut entry.row, &entry.tokens);
        let once = self.complete_once(server, id, row, tokens, &connection, &note);
        if let Completed::Stored(owed) = once.await? {
            self.pauses.forget(&key);
            if let Some(owed) = owed {
                self.try_replaced(server, *owed);
            }
            self.cache.forget(&key);
            self.tickets.forget(&key);
            tracing::warn!(server = %server.slug, "completed a sign-in whose process died");
            return Ok(());
        }
        let known = self.rows(&key).find_sign_in(id).await?;
        if known.is_some_and(|known| known.outcome == Some(Outcome::Success)) {
            return Ok(());
        }
        // Cancelled, replaced or given up: it must not live on at the issuer.
        let revoked = self.give_back_sealed(server, &entry.row).await?;
        tracing::info!(server = %server.slug, ?revoked, "what a sign-in brought was not kept");
        Ok(())
    }
}

/// Whether anybody had the lease between the flight that died and now, and may have sent the token
/// once more.
fn is_doubtful(lent: Option<&Lent>, holding: &Holding) -> bool {
    lent.is_some_and(|lent| holding.lease().epoch > lent.epoch + 1)
}
