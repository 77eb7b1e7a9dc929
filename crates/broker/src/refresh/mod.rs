//! Renewing a credential: one redemption however many wait, in this process or another, detached
//! from whoever asked, and stored before it is used (`security.md` 4.6).

use std::sync::Arc;

use claviger_model::{Credential, CredentialKey, OauthSettings, Reason, Server};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::broker::Inner;
use crate::cache::Held;
use crate::herd::{Shut, Site, Urgency};
use flight::Flight;
pub(crate) use lease::Holding;
pub(crate) use storing::{Stored, Storing};

mod flight;
mod intent;
mod lease;
mod refused;
mod storing;

const RENEW: &str = "renew a credential";

/// How a flight ended.
#[derive(Debug, Clone)]
pub(crate) enum Landed {
    /// A person has to sign in.
    Ended(Reason),
    /// There is a usable credential, and it is stored.
    Fresh(Arc<Held>),
    /// A setting or a registration is wrong; nothing was ended.
    Misconfigured(String),
    /// The issuer or the database did not answer; nothing was ended.
    Unreachable { retry_after_s: Option<u32> },
}

/// Which credential was found wanting: anything newer in the database is the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) version: u64,
}

// === impl Landed ===

impl From<Shut> for Landed {
    fn from(shut: Shut) -> Self {
        Self::Unreachable {
            retry_after_s: Some(shut.retry_after_s),
        }
    }
}

// === impl Seen ===

impl Seen {
    pub(crate) fn of(row: &Credential) -> Self {
        Self {
            fingerprint: row.fingerprint.clone(),
            version: row.version,
        }
    }
}

// === impl Inner ===

impl Inner {
    /// Whom a renewal of `key` asks, as far as that is known.
    async fn site(&self, server: &Server, key: &CredentialKey) -> Site {
        match self.hold(server, key).await {
            Ok(Some(held)) => Site::of(&held.row),
            Ok(None) | Err(_) => Site::of_server(&server.url),
        }
    }

    /// The same end, with the time at which the issuer is asked again at the earliest.
    fn not_while_shut(&self, site: &Site, landed: Landed) -> Landed {
        match (landed, self.herd.is_shut(site)) {
            (Landed::Unreachable { retry_after_s }, Some(shut)) => Landed::Unreachable {
                retry_after_s: retry_after_s.max(Some(shut.retry_after_s)),
            },
            (landed, _) => landed,
        }
    }

    /// Joins the renewal of `key`, or starts it; `seen` is what was found wanting. Under
    /// `client_credentials` it may be nothing: then one is obtained (G2).
    pub(crate) async fn renew(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        seen: Seen,
    ) -> Landed {
        let work = self.flight(server, settings, key, seen);
        let landed = self.flights.fly(key, RENEW, work).await;
        // If the task panicked, what is stored is as it was.
        landed.unwrap_or(Landed::Unreachable {
            retry_after_s: None,
        })
    }

    /// The same on behalf of a request: what failed a moment ago is not tried at once again.
    pub(crate) async fn renew_patiently(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        seen: Seen,
    ) -> Landed {
        match self.paused(key, &seen) {
            Some(landed) => landed,
            None => self.renew(server, settings, key, seen).await,
        }
    }

    /// What requests hear instead of another attempt.
    pub(crate) fn paused(&self, key: &CredentialKey, seen: &Seen) -> Option<Landed> {
        self.pauses
            .heard(key, seen, self.parts.clock.monotonic_ms())
    }

    /// Starts the renewal of `key` unless one is under way; waits for nothing.
    pub(crate) fn start_renewal(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        seen: Seen,
    ) -> watch::Receiver<Option<Landed>> {
        let work = self.flight(server, settings, key, seen);
        self.flights.board(key, RENEW, work)
    }

    fn flight(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        seen: Seen,
    ) -> impl FnOnce(Urgency) -> BoxFuture<'static, Landed> {
        let flight = Flight {
            inner: Arc::clone(self),
            server: server.clone(),
            settings: settings.clone(),
            key: key.clone(),
            seen,
        };
        move |urgency| Box::pin(async move { flight.fly(urgency).await })
    }
}
