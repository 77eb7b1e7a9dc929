//! Storing what an issuer gave: it may be the only copy, so it is tried for a while.

use core::time::Duration;
use std::sync::Arc;

use claviger_model::{Connection, Credential, CredentialKey, Revocation, Server, SignInId};
use claviger_store::StoreError;

use crate::broker::Inner;
use crate::owed::queued;
use crate::record::Tokens;
use crate::serve::Chain;
use crate::{Act, HoldError, Note};

/// How long a new token is held in memory while the database does not take it.
const KEEP_TRYING_MS: u64 = 300_000;

/// How often a row may change between our look and our write. Each time somebody else was stored.
pub(crate) const MOST_RACES: u32 = 32;

// === impl Inner ===

impl Inner {
    /// Stores what a sign-in obtained in place of anything older. The version is part of the seal,
    /// so it is sealed for the version after the one that is stored, and sealed anew if that moved.
    pub(crate) async fn replace(
        &self,
        server: &Server,
        row: &mut Credential,
        tokens: &Tokens,
        connection: &Connection,
        note: &Note,
    ) -> Result<(), HoldError> {
        let mut patience = Patience::new(self, &row.key);
        let mut races = 0;
        loop {
            match self
                .replace_once(server, row, tokens, connection, note)
                .await
            {
                Err(HoldError::Store {
                    source: StoreError::Conflict,
                }) if races < MOST_RACES => races += 1,
                Err(HoldError::Store { source }) => patience.again(source).await?,
                done => {
                    self.pauses.forget(&row.key);
                    return done;
                }
            }
        }
    }

    /// The same together with the end of the sign-in, in one transaction: whoever dies in between
    /// leaves both or neither (F04). False if the sign-in had been ended; nothing is stored then.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        server: &Server,
        sign_in: &SignInId,
        row: &mut Credential,
        tokens: &Tokens,
        connection: &Connection,
        note: &Note,
    ) -> Result<bool, HoldError> {
        let mut patience = Patience::new(self, &row.key);
        let mut races = 0;
        loop {
            let once = self.complete_once(server, sign_in, row, tokens, connection, note);
            match once.await {
                Err(HoldError::Store {
                    source: StoreError::Conflict,
                }) if races < MOST_RACES => races += 1,
                Err(HoldError::Store { source }) => patience.again(source).await?,
                // Where the answer to our own write was lost, it is ours that ended it.
                Ok(Completed::Ended) => return self.is_stored(row).await,
                Err(error) => return Err(error),
                Ok(Completed::Stored(owed)) => {
                    self.pauses.forget(&row.key);
                    if let Some(owed) = owed {
                        self.try_replaced(server, *owed);
                    }
                    return Ok(true);
                }
            }
        }
    }

    pub(crate) async fn complete_once(
        &self,
        server: &Server,
        sign_in: &SignInId,
        row: &mut Credential,
        tokens: &Tokens,
        connection: &Connection,
        note: &Note,
    ) -> Result<Completed, HoldError> {
        let rows = self.rows(&row.key);
        let stored = rows.find_credential(&row.key).await?;
        row.version = stored.as_ref().map_or(0, |stored| stored.version) + 1;
        self.seal_into(server, row, tokens).await?;
        // Queued in the transaction that replaces the only other copy of these tokens. The version
        // guards it: another credential than this one is not replaced.
        let owed = match &stored {
            Some(stored) => self.owing_for_replaced(server, stored, row).await?,
            None => None,
        };
        let note = note.clone().with("version", row.version);
        let note = note.with("is_owed", owed.is_some());
        let mut notes = vec![Note::new(Act::SignInEnd, sign_in), note];
        notes.extend(owed.as_ref().map(queued));
        let audit = &self.parts.audit;
        let (draft, rows) = audit.change_with(&row.key.tenant, notes).await?;
        let written = rows
            .complete_sign_in(sign_in, row, connection, owed.as_ref())
            .await;
        Ok(if draft.settle(written)? {
            Completed::Stored(owed.map(Box::new))
        } else {
            Completed::Ended
        })
    }

    async fn is_stored(&self, row: &Credential) -> Result<bool, HoldError> {
        let stored = self.rows(&row.key).find_credential(&row.key).await?;
        Ok(stored.is_some_and(|stored| stored.fingerprint == row.fingerprint))
    }

    async fn replace_once(
        &self,
        server: &Server,
        row: &mut Credential,
        tokens: &Tokens,
        connection: &Connection,
        note: &Note,
    ) -> Result<(), HoldError> {
        let rows = self.rows(&row.key);
        let stored = rows.find_credential(&row.key).await?;
        row.version = stored.map_or(0, |stored| stored.version) + 1;
        self.seal_into(server, row, tokens).await?;
        let note = note.clone().with("version", row.version);
        let (draft, rows) = self.parts.audit.change(&row.key.tenant, note).await?;
        Ok(draft.settle(rows.replace_credential(row, connection).await)?)
    }
}

/// What became of a sign-in that was to be completed.
pub(crate) enum Completed {
    /// It had ended, and nothing was written.
    Ended,
    /// What it brought is stored; this was queued with it, for the grant it replaced.
    Stored(Option<Box<Revocation>>),
}

/// Trying again while the database does not take a token (F13).
pub(crate) struct Patience<'a> {
    inner: &'a Inner,
    key: CredentialKey,
    began_ms: u64,
    most_ms: u64,
    pause_ms: u64,
}

// === impl Patience ===

impl<'a> Patience<'a> {
    pub(crate) fn new(inner: &'a Inner, key: &CredentialKey) -> Self {
        Self {
            inner,
            key: key.clone(),
            began_ms: inner.parts.clock.monotonic_ms(),
            most_ms: KEEP_TRYING_MS,
            pause_ms: 50,
        }
    }

    /// None at all: somebody comes again.
    pub(crate) fn none(inner: &'a Inner, key: &CredentialKey) -> Self {
        Self {
            most_ms: 0,
            ..Self::new(inner, key)
        }
    }

    /// Waits until it is time to try again; gives the error back where that would not help.
    pub(crate) async fn again(&mut self, error: StoreError) -> Result<(), HoldError> {
        let clock = &self.inner.parts.clock;
        let waited = clock.monotonic_ms().saturating_sub(self.began_ms);
        let may_pass = matches!(error, StoreError::Busy | StoreError::Failed { .. });
        let is_over = self.most_ms == 0 || waited > self.most_ms;
        if !may_pass || is_over || self.is_server_gone().await {
            return Err(error.into());
        }
        tracing::warn!(error = %Chain(&error), "a new token is not stored yet; trying again");
        clock.sleep(Duration::from_millis(self.pause_ms)).await;
        self.pause_ms = (self.pause_ms * 2).min(5_000);
        Ok(())
    }

    /// Nothing can be stored for a server that was deleted meanwhile.
    async fn is_server_gone(&self) -> bool {
        let rows = self.inner.rows(&self.key);
        matches!(rows.find_server_by_id(&self.key.server).await, Ok(None))
    }
}
