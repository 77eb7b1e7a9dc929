//! The one end of a sign-in, and how to wait for it (M3, M4).

use core::time::Duration;
use std::sync::{Arc, PoisonError};

use claviger_model::{Outcome, Server, SignIn, SignInId, Standing, TenantId, UserId};
use claviger_store::StoreError;
use tokio::sync::watch;

use crate::broker::{Inner, key_of};
use crate::serve::Chain;
use crate::step::Step;
use crate::{Act, Broker, Came, HoldError, Note};

/// How a sign-in ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The end.
    pub outcome: Outcome,
    /// How the user stands now.
    pub standing: Standing,
    /// What went wrong, in a sentence of ours.
    pub message: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// What was tried after the browser came back.
    pub steps: Vec<Step>,
}

/// A sign-in this process knows of, and its end once there is one.
#[derive(Debug)]
pub(crate) struct Ending {
    tenant: TenantId,
    told: watch::Sender<Option<Ended>>,
}

/// How often the database is asked whether another process finished a sign-in.
const LOOK: Duration = Duration::from_millis(500);

/// How many ends are remembered before old ones are forgotten.
const MOST_ENDINGS: usize = 1_000;

// === impl Ended ===

impl Ended {
    pub(crate) fn new(outcome: Outcome, message: &str) -> Self {
        Self {
            outcome,
            standing: match outcome {
                Outcome::Success => Standing::Connected,
                _ => Standing::NeedsSignIn,
            },
            message: (!message.is_empty()).then(|| message.to_owned()),
            hint: None,
            steps: Vec::new(),
        }
    }

    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    fn of_outcome(outcome: Outcome) -> Self {
        let message = match outcome {
            Outcome::Cancelled => "the sign-in was cancelled",
            Outcome::Denied => "the sign-in was declined",
            Outcome::Failed => "the sign-in did not work",
            Outcome::Success => "",
            Outcome::TimedOut => "nobody finished the sign-in in time",
        };
        Self::new(outcome, message)
    }
}

// === impl Broker ===

impl Broker {
    /// Waits for the end of a sign-in, at most as long as a person has for it.
    pub async fn ended(&self, id: &SignInId) -> Ended {
        let inner = &self.inner;
        let tenant = inner.whose(id);
        let timeout = u64::from(inner.parts.settings.sign_in_timeout_s) * 1_000;
        let began = inner.parts.clock.monotonic_ms();
        let mut ending = inner.ending(&tenant, id);
        let mut closed = inner.closed.subscribe();
        loop {
            if *closed.borrow_and_update() {
                let cancelled = Ended::of_outcome(Outcome::Cancelled);
                return inner.end(&tenant, id, cancelled).await;
            }
            if let Some(ended) = ending.borrow_and_update().clone() {
                return ended;
            }
            tokio::select! {
                changed = ending.changed() => if changed.is_err() {
                    return Ended::of_outcome(Outcome::Failed);
                },
                _closing = closed.changed() => {}
                () = inner.parts.clock.sleep(LOOK) => {
                    if let Some(ended) = inner.ended_elsewhere(&tenant, id).await {
                        inner.publish(&tenant, id, &ended);
                    }
                }
            }
            if inner.parts.clock.monotonic_ms().saturating_sub(began) >= timeout {
                let timed_out = Ended::of_outcome(Outcome::TimedOut).with_hint(Some(
                    "start it again when you are at the browser".to_owned(),
                ));
                return inner.end(&tenant, id, timed_out).await;
            }
        }
    }

    /// Keeps `held` until the sign-in has come to its end.
    pub fn when_ended(&self, id: &SignInId, held: impl Send + 'static) {
        let (broker, id) = (self.clone(), id.clone());
        self.inner.parts.tasks.spawn(
            "sign-in",
            Box::pin(async move {
                broker.ended(&id).await;
                drop(held);
            }),
        );
    }

    /// Ends the open sign-in of a user at a server; says whether there was one.
    pub async fn cancel(&self, server: &Server, user: &UserId) -> Result<bool, HoldError> {
        let inner = &self.inner;
        let key = key_of(server, user);
        let now = inner.parts.clock.now();
        let Some(open) = inner.rows(&key).find_open_sign_in(&key, now).await? else {
            return Ok(false);
        };
        let cancelled = Ended::of_outcome(Outcome::Cancelled);
        inner.end(&key.tenant, &open.id, cancelled).await;
        Ok(true)
    }

    /// Ends a sign-in by its id, without waiting.
    pub fn cancel_later(&self, id: SignInId) {
        let inner = Arc::clone(&self.inner);
        self.inner.parts.tasks.spawn(
            "cancel sign-in",
            Box::pin(async move {
                let cancelled = Ended::of_outcome(Outcome::Cancelled);
                inner.end(&inner.whose(&id), &id, cancelled).await;
            }),
        );
    }

    /// Ends whatever waits for people; background work goes on to its end.
    pub fn close(&self) {
        self.inner.closed.send_replace(true);
    }
}

// === impl Inner ===

impl Inner {
    /// Whose sign-in it is, as far as this process knows.
    fn whose(&self, id: &SignInId) -> TenantId {
        let endings = self.endings.lock().unwrap_or_else(PoisonError::into_inner);
        endings
            .get(id)
            .map_or_else(TenantId::default_tenant, |ending| ending.tenant.clone())
    }

    /// Remembers whose sign-in it is, so that it can be asked about by its id alone.
    pub(crate) fn remember_whose(&self, tenant: &TenantId, id: &SignInId) {
        drop(self.ending(tenant, id));
    }

    fn ending(&self, tenant: &TenantId, id: &SignInId) -> watch::Receiver<Option<Ended>> {
        let mut endings = self.endings.lock().unwrap_or_else(PoisonError::into_inner);
        // Ends that were told stay for a while, for whoever asks late ("just completed", M4).
        if endings.len() >= MOST_ENDINGS {
            endings.retain(|_, ending| ending.told.borrow().is_none());
        }
        if endings.len() >= MOST_ENDINGS {
            endings.retain(|_, ending| ending.told.receiver_count() > 0);
        }
        let ending = endings.entry(id.clone()).or_insert_with(|| Ending {
            tenant: tenant.clone(),
            told: watch::channel(None).0,
        });
        ending.told.subscribe()
    }

    /// Writes the end, once: whoever comes second learns what the first one wrote.
    pub(crate) async fn end(&self, tenant: &TenantId, id: &SignInId, ended: Ended) -> Ended {
        let ended = match self.write_end(tenant, id, ended.outcome).await {
            Ok(true) => ended,
            Ok(false) => match self.published(id) {
                Some(first) => return first,
                None => self.ended_elsewhere(tenant, id).await.unwrap_or(ended),
            },
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "could not write the end of a sign-in");
                ended
            }
        };
        self.publish(tenant, id, &ended);
        self.published(id).unwrap_or(ended)
    }

    /// Tells of an end that was written together with what it brought.
    pub(crate) fn tell(&self, sign_in: &SignIn, ended: &Ended) {
        self.publish(&sign_in.key.tenant, &sign_in.id, ended);
    }

    async fn write_end(
        &self,
        tenant: &TenantId,
        id: &SignInId,
        outcome: Outcome,
    ) -> Result<bool, StoreError> {
        let note = Note::new(Act::SignInEnd, id).came(came(outcome));
        let (draft, rows) = self.parts.audit.change(tenant, note).await?;
        draft.settle(rows.end_sign_in(id, outcome).await)
    }

    fn published(&self, id: &SignInId) -> Option<Ended> {
        let endings = self.endings.lock().unwrap_or_else(PoisonError::into_inner);
        endings.get(id)?.told.borrow().clone()
    }

    /// Tells whoever waits, exactly once.
    fn publish(&self, tenant: &TenantId, id: &SignInId, ended: &Ended) {
        self.remember_whose(tenant, id);
        let endings = self.endings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ending) = endings.get(id) {
            ending.told.send_if_modified(|known| {
                let is_first = known.is_none();
                if is_first {
                    *known = Some(ended.clone());
                }
                is_first
            });
        }
    }

    /// The end that another process wrote, if any did, with how the user stands by it.
    async fn ended_elsewhere(&self, tenant: &TenantId, id: &SignInId) -> Option<Ended> {
        let rows = self.parts.store.tenant(tenant);
        let found = async {
            let Some(row) = rows.find_sign_in(id).await? else {
                return Ok(None);
            };
            let server = rows.find_server_by_id(&row.key.server).await?;
            Ok::<_, StoreError>(row.outcome.map(|outcome| (row, server, outcome)))
        };
        let (row, server, outcome) = match found.await {
            Ok(found) => found?,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "could not read a sign-in");
                return None;
            }
        };
        let mut ended = Ended::of_outcome(outcome);
        if outcome == Outcome::Success {
            // Whoever waited for it uses it at once, here: what was known before is old.
            self.cache.forget(&row.key);
            self.tickets.forget(&row.key);
        }
        let status = match server {
            Some(server) => self.status(&server, &row.key).await.ok(),
            None => None,
        };
        if let Some(status) = status.filter(|status| status.credential.is_some()) {
            ended.standing = status.standing;
        }
        Some(ended)
    }
}

fn came(outcome: Outcome) -> Came {
    match outcome {
        Outcome::Success => Came::Ok,
        Outcome::Denied | Outcome::Cancelled => Came::Refused,
        Outcome::Failed | Outcome::TimedOut => Came::Failed,
    }
}
