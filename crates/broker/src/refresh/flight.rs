//! One renewal under way: lease, re-read, redeem, store.

use core::time::Duration;
use std::sync::Arc;

use claviger_crypto::base64url_encode;
use claviger_model::{
    Connection, Credential, CredentialKey, Grant, OauthSettings, Reason, Server, Standing,
};
use claviger_ports::failpoint_in_task;
use claviger_store::StoreError;

use super::intent::Intent;
use super::lease::Holding;
use super::storing::{Stored, Storing};
use super::{Landed, Seen};
use crate::broker::Inner;
use crate::cache::{Age, Held};
use crate::engine::Refreshed;
use crate::herd::{Permit, Site, Urgency};
use crate::keep::Patience;
use crate::record::Tokens;
use crate::rescue::Gave;
use crate::restored::HELD;
use crate::serve::Chain;
use crate::{Act, Came, HoldError, Note};

/// How long a loser waits for the winner, in milliseconds.
const WAIT_MS: u64 = 60_000;

pub(super) struct Flight {
    pub(super) inner: Arc<Inner>,
    pub(super) server: Server,
    pub(super) settings: OauthSettings,
    pub(super) key: CredentialKey,
    pub(super) seen: Seen,
}

enum Leased {
    Landed(Landed),
    Mine(Holding),
}

// === impl Flight ===

impl Flight {
    pub(super) async fn fly(&self, mut urgency: Urgency) -> Landed {
        // F33: not remembered, since it ends with a word of the operator.
        if self.inner.is_held() {
            return Landed::Misconfigured(HELD.to_owned());
        }
        let inner = &self.inner;
        let site = inner.site(&self.server, &self.key).await;
        // Before the lease: whoever stands in a line keeps nothing from anybody meanwhile.
        let permit = match inner.herd.admit(&site, &mut urgency).await {
            Ok(permit) => permit,
            // Nothing was tried, so that nothing is remembered of this credential.
            Err(shut) => return shut.into(),
        };
        let landed = self.fly_once(permit, &site).await;
        failpoint_in_task!("refresh.before_reply");
        let (pauses, now_ms) = (&inner.pauses, inner.parts.clock.monotonic_ms());
        pauses.remember(&self.key, &self.seen, &landed, now_ms, inner.herd.random());
        // Whoever waited hears the same as whoever comes next: when it is worth asking again.
        let paused = pauses.heard(&self.key, &self.seen, now_ms);
        inner.not_while_shut(&site, paused.unwrap_or(landed))
    }

    async fn fly_once(&self, permit: Permit, site: &Site) -> Landed {
        failpoint_in_task!("refresh.before_lease");
        let mut permit = Some(permit);
        let holding = match self.lease(&mut permit).await {
            Ok(Leased::Mine(holding)) => holding,
            Ok(Leased::Landed(landed)) => return landed,
            Err(error) => return self.database(&error),
        };
        failpoint_in_task!("refresh.after_lease");
        let inner = &self.inner;
        let work = Box::pin(self.under_lease(&holding, permit, site));
        let landed = holding.keep(inner, work).await;
        failpoint_in_task!("refresh.before_release");
        holding.release(inner).await;
        match landed {
            Ok(landed) => landed,
            Err(HoldError::Store { source }) => self.database(&source),
            Err(error) => {
                tracing::error!(server = %self.server.slug, error = %Chain(&error), "a credential could not be renewed");
                Landed::Misconfigured(
                    "its stored credential cannot be opened; sign in anew, or see the log"
                        .to_owned(),
                )
            }
        }
    }

    /// The lease, or what its holder achieved while we waited (A121).
    async fn lease(&self, permit: &mut Option<Permit>) -> Result<Leased, StoreError> {
        let inner = &self.inner;
        let owner = base64url_encode(&inner.parts.entropy.id_bytes());
        let began = inner.parts.clock.monotonic_ms();
        let mut pause = 20;
        loop {
            if let Some(holding) = Holding::take(inner, &self.key, &owner).await? {
                return Ok(Leased::Mine(holding));
            }
            // Somebody else asks: another one may ask the issuer in the meantime.
            permit.take();
            if inner.parts.clock.monotonic_ms().saturating_sub(began) > WAIT_MS {
                return Ok(Leased::Landed(Landed::Unreachable {
                    retry_after_s: Some(5),
                }));
            }
            inner.parts.clock.sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(500);
            if let Ok(Some(held)) = inner.reread(&self.server, &self.key).await
                && self.is_news(&held)
            {
                return Ok(Leased::Landed(Landed::Fresh(held)));
            }
        }
    }

    /// Whether somebody else renewed it since it was found wanting.
    fn is_news(&self, held: &Held) -> bool {
        let is_other =
            held.row.fingerprint != self.seen.fingerprint || held.row.version > self.seen.version;
        is_other && held.age(self.inner.parts.clock.now(), 0) != Age::Expired
    }

    async fn under_lease(
        &self,
        holding: &Holding,
        permit: Option<Permit>,
        site: &Site,
    ) -> Result<Landed, HoldError> {
        let inner = &self.inner;
        let held = inner.reread(&self.server, &self.key).await?;
        if let Some(held) = held.as_ref().filter(|held| self.is_news(held)) {
            return Ok(Landed::Fresh(Arc::clone(held)));
        }
        let permit = match permit {
            Some(permit) => permit,
            None => match inner.herd.admit(site, &mut Urgency::waited()).await {
                Ok(permit) => permit,
                Err(shut) => return Ok(shut.into()),
            },
        };
        if self.settings.grant == Grant::ClientCredentials {
            let before = held.as_deref();
            return inner
                .obtain_now(&self.server, &self.settings, &self.key, before, permit)
                .await;
        }
        let Some(held) = held else {
            return Ok(Landed::Ended(self.why_gone().await?));
        };
        let tokens = inner.unseal(&self.server, &held.row).await?;
        let Some(intent) = Intent::declare(inner, holding, &held.row).await? else {
            return self.overtaken(&held.row).await;
        };
        failpoint_in_task!("refresh.after_intent");
        if intent.was_left
            && let Some(rescued) = self.rescued(holding, &held).await?
        {
            return Ok(Landed::Fresh(rescued));
        }
        let answer = inner
            .redeem_refresh(
                &self.server,
                &self.settings,
                &held.row,
                &tokens,
                holding.send_by_ms(),
                permit,
            )
            .await?;
        self.conclude(holding, &held.row, &intent, answer).await
    }

    /// Somebody sent this token, and nobody heard of it since: what came of it may lie in a journal
    /// on this machine. A strict issuer ends the grant of a token that is sent again.
    async fn rescued(
        &self,
        holding: &Holding,
        held: &Held,
    ) -> Result<Option<Arc<Held>>, HoldError> {
        let inner = &self.inner;
        // Whether or not we settled any: the replay at the start may have been faster, after the
        // row was read here.
        inner.rescue_left(Some(holding)).await;
        inner
            .rescue_answer(holding, &self.server, &held.row)
            .await?;
        let now = inner.reread(&self.server, &self.key).await?;
        Ok(now.filter(|now| now.row.fingerprint != held.row.fingerprint))
    }

    async fn conclude(
        &self,
        holding: &Holding,
        sent: &Credential,
        intent: &Intent,
        answer: Refreshed,
    ) -> Result<Landed, HoldError> {
        let inner = &self.inner;
        match answer {
            Refreshed::ClientRefused { hint, is_curable } => {
                self.client_refused(sent, hint, is_curable).await
            }
            Refreshed::Misconfigured(hint) => {
                intent.withdraw(inner, sent).await;
                Ok(Landed::Misconfigured(hint))
            }
            Refreshed::Stuck { code } => {
                intent.withdraw(inner, sent).await;
                self.stuck(sent, &code).await
            }
            Refreshed::NoRefreshToken => {
                intent.withdraw(inner, sent).await;
                Ok(Landed::Ended(Reason::Expired))
            }
            Refreshed::Renewed { row, tokens } => self.store(holding, sent, *row, &tokens).await,
            Refreshed::Terminal => self.terminal(holding, sent, intent).await,
            Refreshed::Transient {
                retry_after_s,
                may_have_arrived,
            } => {
                let came = if may_have_arrived {
                    Came::Ambiguous
                } else {
                    Came::Failed
                };
                inner.parts.audit.tell_soon(self.note(came));
                if may_have_arrived {
                    let now_ms = inner.parts.clock.monotonic_ms();
                    inner.pauses.doubt(&self.key, &self.seen, now_ms);
                } else {
                    intent.withdraw(inner, sent).await;
                }
                Ok(Landed::Unreachable { retry_after_s })
            }
        }
    }

    /// First to disk here, then to the database, and only then is it anybody's (F13, F14).
    async fn store(
        &self,
        holding: &Holding,
        sent: &Credential,
        mut row: Credential,
        tokens: &Tokens,
    ) -> Result<Landed, HoldError> {
        let inner = &self.inner;
        let gave = Gave::refresh(&sent.fingerprint, holding.lease());
        let written = inner.write_down(&self.server, gave, &row, tokens).await;
        failpoint_in_task!("refresh.after_journal");
        holding.wait_for_turn(inner).await;
        let storing = Storing {
            inner,
            server: &self.server,
            sent: &sent.fingerprint,
            is_doubtful: false,
            is_rescued: false,
        };
        let patience = Patience::new(inner, &self.key);
        match storing.store(&mut row, tokens, patience).await {
            Ok(stored) => {
                inner.settle(written);
                match stored {
                    Stored::Ended(reason) => Ok(Landed::Ended(reason)),
                    Stored::Ours(held) => Ok(Landed::Fresh(held)),
                    Stored::Winner => self.winner().await,
                }
            }
            Err(error) => {
                inner.leave(written);
                Err(error)
            }
        }
    }

    pub(super) async fn winner(&self) -> Result<Landed, HoldError> {
        match self.inner.reread(&self.server, &self.key).await? {
            Some(held) => Ok(Landed::Fresh(held)),
            None => Ok(Landed::Ended(self.why_gone().await?)),
        }
    }

    /// Between our look and our intent another flight took the lease, or another token was stored.
    async fn overtaken(&self, seen: &Credential) -> Result<Landed, HoldError> {
        let stored = self.inner.reread(&self.server, &self.key).await?;
        if stored.is_some_and(|held| held.row.fingerprint == seen.fingerprint) {
            return Ok(Landed::Unreachable {
                retry_after_s: Some(5),
            });
        }
        self.winner().await
    }

    /// What whoever ended it wrote.
    pub(super) async fn why_gone(&self) -> Result<Reason, StoreError> {
        let connection = self.inner.connection(&self.key).await?;
        let reason = connection.and_then(|connection| connection.reason);
        Ok(reason.unwrap_or(Reason::Disconnected))
    }

    pub(super) fn connection(&self, standing: Standing, reason: Option<Reason>) -> Connection {
        Connection {
            key: self.key.clone(),
            standing,
            reason,
            challenge: None,
            step_ups: 0,
            updated_at: self.inner.parts.clock.now(),
        }
    }

    pub(super) fn note(&self, came: Came) -> Note {
        Note::credential(Act::CredentialRefresh, &self.server, &self.key).came(came)
    }

    fn database(&self, error: &StoreError) -> Landed {
        tracing::error!(server = %self.server.slug, error = %Chain(error), "the database did not answer during a renewal");
        Landed::Unreachable {
            retry_after_s: Some(5),
        }
    }
}
