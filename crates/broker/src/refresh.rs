//! Renewing a credential: one redemption however many wait, in this process or another, detached
//! from whoever asked, and stored before it is used (`security.md` 4.6).

use core::time::Duration;
use std::sync::Arc;

use claviger_crypto::base64url_encode;
use claviger_model::{
    Connection, Credential, CredentialKey, Grant, OauthSettings, Reason, Server, Standing,
};
use claviger_store::{Guarded, Lease, StoreError};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::HoldError;
use crate::broker::Inner;
use crate::cache::{Age, Held};
use crate::engine::Refreshed;
use crate::record::Tokens;
use crate::serve::Chain;

/// How a flight ended.
#[derive(Debug, Clone)]
pub(crate) enum Landed {
    /// Over: a person has to sign in.
    Ended(Reason),
    /// There is a usable credential, and it is stored.
    Fresh(Arc<Held>),
    /// A setting or a registration is wrong; nothing was ended.
    Misconfigured(String),
    /// The issuer or the database did not answer; nothing was ended.
    Unreachable { retry_after_s: Option<u32> },
}

/// How long a lease lasts, in milliseconds: longer than a token request may take.
const LEASE_MS: u32 = 45_000;

/// How long a loser waits for the winner, in milliseconds.
const WAIT_MS: u64 = 60_000;

/// How long a new token is held in memory while the database does not take it.
const KEEP_TRYING_MS: u64 = 300_000;

// === impl Inner ===

impl Inner {
    /// Joins the renewal of `key`, or starts it.
    pub(crate) async fn renew(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        seen: &Held,
    ) -> Landed {
        let mut landing = self.start_renewal(server, settings, key, seen);
        match landing.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or(Landed::Unreachable {
                retry_after_s: None,
            }),
            // The task panicked; what is stored is as it was.
            Err(_gone) => Landed::Unreachable {
                retry_after_s: None,
            },
        }
    }

    /// Starts the renewal of `key` unless one is under way; waits for nothing.
    pub(crate) fn start_renewal(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        seen: &Held,
    ) -> watch::Receiver<Option<Landed>> {
        let inner = Arc::clone(self);
        let (server, settings) = (server.clone(), settings.clone());
        let version = seen.row.version;
        let (key, seen) = (key.clone(), seen.row.fingerprint.clone());
        self.flights.board(
            &key.clone(),
            "renew a credential",
            move || -> BoxFuture<'static, Landed> {
                Box::pin(async move {
                    let flight = Flight {
                        inner,
                        server,
                        settings,
                        key,
                        seen,
                        version,
                    };
                    flight.fly().await
                })
            },
        )
    }

    /// Obtains a credential by `client_credentials`, as a flight like any other (G2).
    pub(crate) async fn obtain(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
    ) -> Landed {
        let inner = Arc::clone(self);
        let (server, settings, owned) = (server.clone(), settings.clone(), key.clone());
        let work = move || -> BoxFuture<'static, Landed> {
            Box::pin(async move {
                let (seen, version) = (Vec::new(), 0);
                let flight = Flight {
                    inner,
                    server,
                    settings,
                    key: owned,
                    seen,
                    version,
                };
                flight.fly().await
            })
        };
        let landed = self.flights.fly(key, "obtain a credential", work).await;
        landed.unwrap_or(Landed::Unreachable {
            retry_after_s: None,
        })
    }
}

/// One renewal under way.
struct Flight {
    inner: Arc<Inner>,
    server: Server,
    settings: OauthSettings,
    key: CredentialKey,
    /// The fingerprint and version found wanting: anything newer in the database is the answer.
    seen: Vec<u8>,
    version: u64,
}

// === impl Flight ===

impl Flight {
    async fn fly(&self) -> Landed {
        let lease = match self.lease().await {
            Ok(Leased::Mine(lease)) => lease,
            Ok(Leased::Landed(landed)) => return landed,
            Err(error) => return self.database(&error),
        };
        let landed = self.under_lease().await;
        if let Err(error) = self
            .inner
            .rows(&self.key)
            .release_lease(&self.key, &lease)
            .await
        {
            // It runs out by itself.
            tracing::debug!(error = %Chain(&error), "could not give a lease back");
        }
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
    async fn lease(&self) -> Result<Leased, StoreError> {
        let inner = &self.inner;
        let owner = base64url_encode(&inner.parts.entropy.id_bytes());
        let began = inner.parts.clock.monotonic_ms();
        let mut pause = 20;
        loop {
            let rows = inner.rows(&self.key);
            if let Some(lease) = rows.acquire_lease(&self.key, &owner, LEASE_MS).await? {
                return Ok(Leased::Mine(lease));
            }
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
        let is_other = held.row.fingerprint != self.seen || held.row.version > self.version;
        is_other && held.age(self.inner.parts.clock.now(), 0) != Age::Expired
    }

    async fn under_lease(&self) -> Result<Landed, HoldError> {
        let held = self.inner.reread(&self.server, &self.key).await?;
        if self.settings.grant == Grant::ClientCredentials {
            return match held {
                Some(held) if self.version > 0 && self.is_news(&held) => Ok(Landed::Fresh(held)),
                held => {
                    self.inner
                        .obtain_now(&self.server, &self.settings, &self.key, held.as_deref())
                        .await
                }
            };
        }
        let Some(held) = held else {
            return Ok(Landed::Ended(Reason::Disconnected));
        };
        if self.is_news(&held) {
            return Ok(Landed::Fresh(held));
        }
        let tokens = self.inner.unseal(&self.server, &held.row).await?;
        match self
            .inner
            .redeem_refresh(&self.server, &self.settings, &held.row, &tokens)
            .await?
        {
            Refreshed::Renewed { row, tokens } => self.store(&held.row, *row, &tokens).await,
            Refreshed::Terminal => self.terminal(&held.row).await,
            Refreshed::Registration(hint) => {
                // A125: the grant may be as good as ever; only the client is unknown.
                self.note(Standing::NeedsSignIn, Some(Reason::ClientRefused))
                    .await?;
                tracing::warn!(server = %self.server.slug, issuer = %held.row.issuer, "the issuer refused our client");
                Ok(Landed::Misconfigured(hint))
            }
            Refreshed::Transient { retry_after_s } => Ok(Landed::Unreachable { retry_after_s }),
        }
    }

    /// Stores the answer before anything else is done with it. While the database does not take
    /// it, it is held here and tried again: it may be the only copy (F13).
    async fn store(
        &self,
        sent: &Credential,
        row: Credential,
        tokens: &Tokens,
    ) -> Result<Landed, HoldError> {
        let inner = &self.inner;
        let connection = self.connection(Standing::Connected, None);
        let began = inner.parts.clock.monotonic_ms();
        let mut pause = 50;
        loop {
            let rows = inner.rows(&self.key);
            match rows
                .rotate_credential(&sent.fingerprint, &row, &connection)
                .await
            {
                Ok(Guarded::Written(_version)) => {
                    let seen = inner.cache.epoch();
                    let held = inner.held(row, tokens)?;
                    inner.cache.keep(&self.key, Some(Arc::clone(&held)), seen);
                    return Ok(Landed::Fresh(held));
                }
                // A newer one is there: keep that, and ours is not needed (point 9).
                Ok(Guarded::Superseded) => return self.winner().await,
                Err(error) => {
                    let waited = inner.parts.clock.monotonic_ms().saturating_sub(began);
                    if waited > KEEP_TRYING_MS {
                        return Err(error.into());
                    }
                    tracing::warn!(error = %Chain(&error), "a new token is not stored yet; trying again");
                }
            }
            inner.parts.clock.sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(5_000);
        }
    }

    /// The issuer refused the refresh token. That ends the credential only if it is still the one
    /// that was sent (A121).
    async fn terminal(&self, sent: &Credential) -> Result<Landed, HoldError> {
        let reason = Reason::RefreshRefused;
        let connection = self.connection(Standing::NeedsSignIn, Some(reason));
        let rows = self.inner.rows(&self.key);
        match rows
            .end_credential(&self.key, &sent.fingerprint, &connection)
            .await?
        {
            Guarded::Written(_) => {
                self.inner.cache.invalidate();
                tracing::warn!(server = %self.server.slug, issuer = %sent.issuer, "the refresh token was refused");
                Ok(Landed::Ended(reason))
            }
            Guarded::Superseded => self.winner().await,
        }
    }

    async fn winner(&self) -> Result<Landed, HoldError> {
        let held = self.inner.reread(&self.server, &self.key).await?;
        Ok(held.map_or(Landed::Ended(Reason::Disconnected), Landed::Fresh))
    }

    async fn note(&self, standing: Standing, reason: Option<Reason>) -> Result<(), StoreError> {
        let connection = self.connection(standing, reason);
        self.inner
            .rows(&self.key)
            .update_connection(&connection)
            .await
    }

    fn connection(&self, standing: Standing, reason: Option<Reason>) -> Connection {
        Connection {
            key: self.key.clone(),
            standing,
            reason,
            challenge: None,
            step_ups: 0,
            updated_at: self.inner.parts.clock.now(),
        }
    }

    fn database(&self, error: &StoreError) -> Landed {
        tracing::error!(server = %self.server.slug, error = %Chain(error), "the database did not answer during a renewal");
        Landed::Unreachable {
            retry_after_s: Some(5),
        }
    }
}

enum Leased {
    Landed(Landed),
    Mine(Lease),
}
