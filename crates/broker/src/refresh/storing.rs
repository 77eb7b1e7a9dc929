//! Storing what a refresh brought, guarded by the fingerprint of the token that was sent and by
//! nothing else (`security.md` 4.6, point 9).

use std::sync::Arc;

use claviger_model::{Connection, Credential, CredentialKey, Reason, Server, Standing};
use claviger_ports::failpoint_in_task;
use claviger_store::{Guarded, StoreError};

use crate::broker::Inner;
use crate::cache::Held;
use crate::keep::{MOST_RACES, Patience};
use crate::record::Tokens;
use crate::{Act, Came, HoldError, Note};

/// One answer that is to be stored, by the flight that got it or by whoever found it in a journal.
pub(crate) struct Storing<'a> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) server: &'a Server,
    /// The fingerprint of the token that was sent.
    pub(crate) sent: &'a [u8],
    /// Somebody else sent the same token after that: the issuer may know their answer alone.
    pub(crate) is_doubtful: bool,
    /// Whether it comes out of a journal, and not from the flight that got it.
    pub(crate) is_rescued: bool,
}

/// Where an answer ended up.
pub(crate) enum Stored {
    /// Nowhere: the credential was ended meanwhile, and what was obtained is given back.
    Ended(Reason),
    /// It is what is stored.
    Ours(Arc<Held>),
    /// Something newer is stored.
    Winner,
}

/// What one guarded write came to.
enum Rotated {
    /// The row is gone: somebody ended it meanwhile.
    Gone,
    /// The row changed beside the token we sent; it has this version now.
    Moved(u64),
    /// Another token is there.
    Superseded,
    Written(Arc<Held>),
}

// === impl Storing ===

impl Storing<'_> {
    /// Stores the answer before anything else is done with it. While the database does not take
    /// it, it is held here and tried again: it may be the only copy (F13).
    pub(crate) async fn store(
        &self,
        row: &mut Credential,
        tokens: &Tokens,
        mut patience: Patience<'_>,
    ) -> Result<Stored, HoldError> {
        let mut races = 0;
        loop {
            match self.rotate(row, tokens).await {
                Ok(Rotated::Written(held)) => {
                    failpoint_in_task!("refresh.after_commit");
                    return Ok(Stored::Ours(held));
                }
                // A122, I30: the token is still the one we sent. The version is part of the seal.
                Ok(Rotated::Moved(version)) if races < MOST_RACES => {
                    races += 1;
                    row.version = version + 1;
                    self.inner.seal_into(self.server, row, tokens).await?;
                }
                Ok(Rotated::Gone) => match self.put_back(row, tokens).await {
                    Ok(Some(stored)) => return Ok(stored),
                    // A sign-in was faster; it is seen in the next round.
                    Ok(None) => {}
                    Err(HoldError::Store { source }) => patience.again(source).await?,
                    Err(error) => return Err(error),
                },
                // A newer one is there: keep that, and ours is not needed (point 9).
                Ok(Rotated::Superseded | Rotated::Moved(_)) => return Ok(Stored::Winner),
                Err(HoldError::Store { source }) => patience.again(source).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// The row is gone. Where the token we sent was refused to somebody else, ours is its successor
    /// and the only good one: it goes back. Where it was ended on purpose, what was obtained is
    /// given back to the issuer; under other settings it is of no use (G6).
    async fn put_back(
        &self,
        row: &mut Credential,
        tokens: &Tokens,
    ) -> Result<Option<Stored>, HoldError> {
        let inner = self.inner;
        let known = inner.connection(&row.key).await?;
        let reason = known
            .and_then(|known| known.reason)
            .unwrap_or(Reason::Disconnected);
        if !matches!(reason, Reason::AmbiguousRotation | Reason::RefreshRefused) {
            // It must not live on at the issuer.
            let at_issuer = inner.give_back_sealed(self.server, row).await?;
            tracing::info!(server = %self.server.slug, ?at_issuer, "what a refresh brought was not kept");
            return Ok(Some(Stored::Ended(reason)));
        }
        row.version = 1;
        inner.seal_into(self.server, row, tokens).await?;
        // The issuer may have ended the whole grant with the refusal: if ours is refused as well,
        // that is why (F18). The next answer clears it.
        let connection = Connection {
            reason: Some(Reason::AmbiguousRotation),
            ..connected(inner, &row.key)
        };
        let note = self.note(&row.key, row.version).with("again", true);
        let (draft, rows) = inner.parts.audit.change(&row.key.tenant, note).await?;
        match draft.settle(rows.replace_credential(row, &connection).await) {
            Ok(()) => {}
            Err(StoreError::Conflict) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        tracing::warn!(server = %self.server.slug, "a credential was ended although it was being renewed; it is kept");
        inner.cache.forget(&row.key);
        let epoch = inner.cache.epoch(&row.key);
        let held = inner.held(row.clone(), tokens)?;
        inner.cache.keep(&row.key, Some(Arc::clone(&held)), epoch);
        Ok(Some(Stored::Ours(held)))
    }

    fn note(&self, key: &CredentialKey, version: u64) -> Note {
        let note = Note::credential(Act::CredentialRefresh, self.server, key)
            .came(Came::Ok)
            .with("version", version);
        if self.is_rescued {
            return note.with("rescued", true);
        }
        note
    }

    async fn rotate(&self, row: &Credential, tokens: &Tokens) -> Result<Rotated, HoldError> {
        let (inner, key) = (self.inner, &row.key);
        let rows = inner.rows(key);
        let connection = Connection {
            reason: self.is_doubtful.then_some(Reason::AmbiguousRotation),
            ..connected(inner, key)
        };
        // Before the write: what another process writes after it must not be hidden by ours.
        let epoch = inner.cache.epoch(key);
        let note = self.note(key, row.version);
        let (draft, recorded) = inner.parts.audit.change(&key.tenant, note).await?;
        let written = recorded
            .rotate_credential(self.sent, row, &connection)
            .await;
        let written = draft.settle(written)?;
        if matches!(written, Guarded::Written(_)) {
            let held = inner.held(row.clone(), tokens)?;
            inner.cache.keep(key, Some(Arc::clone(&held)), epoch);
            return Ok(Rotated::Written(held));
        }
        Ok(match rows.find_credential(key).await? {
            None => Rotated::Gone,
            Some(stored) if stored.fingerprint == self.sent => Rotated::Moved(stored.version),
            Some(_) => Rotated::Superseded,
        })
    }
}

fn connected(inner: &Inner, key: &CredentialKey) -> Connection {
    Connection {
        key: key.clone(),
        standing: Standing::Connected,
        reason: None,
        challenge: None,
        step_ups: 0,
        updated_at: inner.parts.clock.now(),
    }
}
