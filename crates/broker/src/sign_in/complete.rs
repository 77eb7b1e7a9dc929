//! The browser came back: prove everything, redeem, store, and only then say so.

use std::sync::Arc;

use claviger_crypto::Secret;
use claviger_model::{
    Auth, Connection, CredentialKey, Outcome, Reason, Server, ServerId, SignIn, Standing, UserId,
};
use claviger_ports::failpoint_in_task;
use claviger_wire::Callback;
use tokio::sync::oneshot;

use super::Ended;
use super::flight_record::FlightRecord;
use super::redeemed::Redeemed;
use crate::broker::{Inner, key_of};
use crate::serve::Chain;
use crate::terms::Terms;
use crate::{Broker, HoldError};

/// What became of a callback.
#[derive(Debug)]
pub enum Completed {
    /// A sign-in came to its end.
    Ended {
        /// How.
        ended: Ended,
        /// At which server.
        server: Box<Server>,
    },
    /// No sign-in waits for it: unknown, late, or there already (M2).
    NotOurs,
}

// === impl Broker ===

impl Broker {
    /// Takes a callback that arrived at the path of `server`. It is routed by path and `state`,
    /// and both must agree (A079). Redeeming and storing go on even if the browser goes away.
    pub async fn complete(
        &self,
        server: &ServerId,
        query: &str,
        binding: Option<&Secret>,
    ) -> Completed {
        let Ok(callback) = Callback::parse(query) else {
            // A084: doubled parameters, or `code` and `error` at once.
            return Completed::NotOurs;
        };
        let inner = &self.inner;
        if inner.is_held() {
            // F33: a code is redeemed by the live installation alone.
            return Completed::NotOurs;
        }
        let Some((sign_in, row)) = inner.take(&callback).await else {
            return Completed::NotOurs;
        };
        failpoint_in_task!("sign_in.after_take");
        let (send, receive) = oneshot::channel();
        let taken = (sign_in.key.tenant.clone(), sign_in.id.clone());
        let work = finish(
            Arc::clone(inner),
            sign_in,
            row.clone(),
            server.clone(),
            callback,
            binding.cloned(),
        );
        inner.parts.tasks.spawn(
            "redeem",
            Box::pin(async move {
                // Nobody may be listening any more; the end is stored all the same.
                drop(send.send(work.await));
            }),
        );
        match receive.await {
            Ok(ended) => Completed::Ended {
                ended,
                server: Box::new(row),
            },
            Err(_panicked) => {
                let failed = Ended::new(Outcome::Failed, "something went wrong here");
                Completed::Ended {
                    ended: inner.end(&taken.0, &taken.1, failed).await,
                    server: Box::new(row),
                }
            }
        }
    }
}

impl Broker {
    /// Whether this callback belongs to a sign-in that a browser began: only that browser can end
    /// it (A056), and whoever brings it without the browser would use it up for nothing (M12).
    pub async fn is_begun_in_browser(
        &self,
        server: &Server,
        user: &UserId,
        query: &str,
    ) -> Result<bool, HoldError> {
        let inner = &self.inner;
        let (key, now) = (key_of(server, user), inner.parts.clock.now());
        let state = Callback::parse(query).ok().and_then(|one| one.state);
        let open = inner.rows(&key).find_open_sign_in(&key, now).await?;
        let (Some(open), Some(state)) = (open, state) else {
            return Ok(false);
        };
        if open.state_mac != inner.parts.vault.mark("state", &state) {
            return Ok(false);
        }
        let record = FlightRecord::open(inner, server, &key, &open.id, &open.sealed).await?;
        Ok(record.binding.is_some())
    }
}

// === impl Inner ===

impl Inner {
    /// A074: the sign-in with this `state`, once. Nothing is sent for any other callback.
    async fn take(&self, callback: &Callback) -> Option<(SignIn, Server)> {
        let mac = self.parts.vault.mark("state", callback.state.as_ref()?);
        let taken = async {
            let Some(tenant) = self.parts.store.locate(&mac).await? else {
                return Ok(None);
            };
            let rows = self.parts.store.tenant(&tenant);
            let now = self.parts.clock.now();
            let Some(sign_in) = rows.take_sign_in(&mac, now).await? else {
                return Ok(None);
            };
            let server = rows.find_server_by_id(&sign_in.key.server).await?;
            Ok::<_, claviger_store::StoreError>(server.map(|server| (sign_in, server)))
        };
        match taken.await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a callback could not be looked up");
                None
            }
        }
    }
}

impl Inner {
    /// Where nothing is held, that the last sign-in failed is why; the next one clears it. What is
    /// said already of why it is gone says more.
    async fn note_failed(&self, key: &CredentialKey) {
        let noted = async {
            let rows = self.rows(key);
            let before = rows.find_connection(key).await?;
            let says_more = before.as_ref().and_then(|before| before.reason);
            if rows.find_credential(key).await?.is_some() || says_more.is_some() {
                return Ok(());
            }
            let connection = Connection {
                key: key.clone(),
                standing: Standing::NeedsSignIn,
                reason: Some(Reason::SignInFailed),
                step_ups: before.as_ref().map_or(0, |before| before.step_ups),
                challenge: before.and_then(|before| before.challenge),
                updated_at: self.parts.clock.now(),
            };
            rows.update_connection(&connection).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(error = %Chain(&error), "could not note that a sign-in failed");
        }
    }

    /// What was held before a sign-in that failed is as good as it was.
    async fn standing_as_before(
        &self,
        server: &Server,
        key: &CredentialKey,
        ended: Ended,
    ) -> Ended {
        match self.status(server, key).await {
            Ok(status) if status.credential.is_some() => Ended {
                standing: status.standing,
                ..ended
            },
            _ => ended,
        }
    }
}

async fn finish(
    inner: Arc<Inner>,
    sign_in: SignIn,
    server: Server,
    arrived_at: ServerId,
    callback: Callback,
    binding: Option<Secret>,
) -> Ended {
    let redeemed = match prove(&inner, &sign_in, &server, &arrived_at, binding).await {
        Ok(record) => inner.redeem(&server, &sign_in, &record, &callback).await,
        Err(ended) => Redeemed::Open(ended),
    };
    let (ended, is_written) = match redeemed {
        Redeemed::Open(ended) => (ended, false),
        Redeemed::Written(ended) => (ended, true),
    };
    let ended = if ended.outcome == Outcome::Success {
        ended
    } else {
        if ended.outcome == Outcome::Failed {
            inner.note_failed(&sign_in.key).await;
        }
        inner.standing_as_before(&server, &sign_in.key, ended).await
    };
    tracing::info!(
        server = %server.slug,
        outcome = ?ended.outcome,
        why = ended.message.as_deref().unwrap_or(""),
        "a sign-in ended"
    );
    if is_written {
        inner.tell(&sign_in, &ended);
        return ended;
    }
    inner.end(&sign_in.key.tenant, &sign_in.id, ended).await
}

/// That the callback belongs to this server and this browser.
async fn prove(
    inner: &Inner,
    sign_in: &SignIn,
    server: &Server,
    arrived_at: &ServerId,
    binding: Option<Secret>,
) -> Result<FlightRecord, Ended> {
    let failed = |message: &str| Ended::new(Outcome::Failed, message);
    // A079: a hostile issuer may send the browser on to an honest one with our `state`.
    if server.id != *arrived_at {
        return Err(failed("the answer arrived at another server's address"));
    }
    if !matches!(server.auth, Auth::Oauth(_)) {
        return Err(failed("the server is set to need no sign-in any more"));
    }
    if !server.enabled {
        return Err(failed("the server is switched off"));
    }
    let opened =
        FlightRecord::open(inner, server, &sign_in.key, &sign_in.id, &sign_in.sealed).await;
    let record = opened.map_err(|error| {
        tracing::error!(error = %Chain(&error), "a sign-in in flight cannot be opened");
        failed("the sign-in cannot be read back; start it again")
    })?;
    // G6: what was begun under other settings brings nothing that is wanted under these.
    if !record.terms.hold_under(&Terms::of(server)) {
        return Err(failed(
            "the server's settings were changed meanwhile; start it again",
        ));
    }
    // A056, A075: the browser that comes back must be the one that went.
    if let Some(expected) = &record.binding {
        let given = binding.map(|cookie| inner.parts.vault.mark("sign-in-cookie", &cookie));
        if given.is_none_or(|given| given.as_slice() != expected.as_slice()) {
            return Err(failed(
                "the answer arrived in another browser than it began in",
            ));
        }
    }
    Ok(record)
}
