//! What other processes changed is heard of within a second, and no more is read anew than changed.

use core::pin::pin;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use claviger_store::{Change, Cursor, StoreError};

use crate::app::App;

/// How often changes are asked for. A revocation must count within a second.
const POLL: Duration = Duration::from_millis(250);

/// A look that takes longer is a slow one: with it and the pause before it, memory would count for
/// more than a second.
const SLOW: Duration = Duration::from_millis(400);

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A database that is away for a night is no reason for a log of megabytes (A249).
const FAILURES_PER_LINE: u32 = 100;

// === impl App ===

impl App {
    /// Follows changes until `closed` resolves.
    pub(crate) async fn follow(self: Arc<Self>, closed: impl Future<Output = ()>) {
        let mut closed = pin!(closed);
        let (mut seen, mut failures) = (None, 0_u32);
        loop {
            tokio::select! {
                () = &mut closed => return,
                () = self.clock.sleep(POLL) => {}
            }
            let asked_ms = self.clock.monotonic_ms();
            let Err(error) = self.catch_up_or_forget(&mut seen).await else {
                self.pulse.beat(asked_ms);
                if failures > 0 {
                    tracing::info!(failures, "the database answers again");
                }
                failures = 0;
                continue;
            };
            // Without an answer no credential in memory may be trusted for longer; tokens of ours
            // are looked up one by one.
            self.broker.invalidate();
            if failures.is_multiple_of(FAILURES_PER_LINE) {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(
                    %error,
                    cause = cause.as_deref().unwrap_or(""),
                    failures,
                    "the database does not answer; requests wait for it or are refused"
                );
            }
            failures = failures.saturating_add(1);
        }
    }

    /// The same, within reason. A slow answer is not waited for with what is in memory: whatever was
    /// read before the question may be old when the answer comes, so each request asks for itself.
    async fn catch_up_or_forget(&self, seen: &mut Option<Cursor>) -> Result<(), StoreError> {
        let mut answer = pin!(tokio::time::timeout(PATIENCE, self.catch_up(seen)));
        loop {
            tokio::select! {
                caught_up = &mut answer => return caught_up.unwrap_or(Err(StoreError::Busy)),
                () = self.clock.sleep(SLOW) => self.broker.invalidate(),
            }
        }
    }

    /// Hears what changed since `seen`. It goes on only once everything was heard.
    async fn catch_up(&self, seen: &mut Option<Cursor>) -> Result<(), StoreError> {
        let told = self.store.list_changes(seen.as_ref()).await?;
        if told.is_everything {
            self.reload().await?;
        } else {
            self.hear(&told.changes).await?;
        }
        *seen = Some(told.cursor);
        Ok(())
    }

    async fn hear(&self, changes: &[Change]) -> Result<(), StoreError> {
        let (mut servers, mut has_tokens, mut has_keys) = (BTreeSet::new(), false, false);
        for change in changes {
            match change {
                Change::ApiTokens(_) => has_tokens = true,
                Change::Credential(key, version) => self.broker.forget(key, *version),
                Change::Server(_, server) => {
                    servers.insert(server);
                }
                Change::Keys => has_keys = true,
                // Rare, and about everything.
                _ => return self.reload().await,
            }
        }
        // The newest generation is sealed with; without it a turn of the keys would never end.
        if has_keys && let Err(error) = self.broker.reload_keys().await {
            tracing::warn!(%error, "could not read the keys anew");
        }
        if has_tokens {
            self.api_tokens.reload().await?;
        }
        if !servers.is_empty() {
            self.reload_servers().await?;
        }
        // After the catalogue: what is read in between is read for the server as it is now.
        for server in servers {
            self.broker.forget_server(server);
        }
        Ok(())
    }
}
