//! Herd control: how many refreshes an issuer sees at once, in a second, and while it is in trouble
//! (`security.md` 4.6, point 15).
//!
//! Every issuer has a gate of its own, so that one that hangs holds up no other (F23). It is told
//! apart by its name and the token endpoint that is asked, since a name alone can be claimed by
//! whoever sets endpoints by hand. In each process and for each issuer:
//!
//! - at most [`AT_ONCE`] requests at once, of which [`BACKGROUND_AT_ONCE`] for nobody who waits;
//! - at most [`PER_S`] requests a second, after a burst of [`BURST`];
//! - whoever waits with a request goes before every refresh in the background, also where it joins
//!   one that stands in the line already;
//! - a refresh in the background that finds others at it waits a random time first, up to
//!   [`SPREAD_MS`] milliseconds;
//! - after five faults in a row nobody asks for one second, then two, then four (half of it
//!   random), and then one does (`breaker`); meanwhile what is valid is served, and whoever has
//!   nothing valid hears when to come again;
//! - a `Retry-After` counts for all who would ask that issuer, up to ten minutes.
//!
//! None of it is a setting. Nobody stands in the line for longer than [`LONGEST_WAIT_MS`]
//! milliseconds, and at most [`MOST`] issuers are remembered.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use claviger_model::Credential;
use claviger_ports::{Clock, Entropy};

pub(crate) use urgency::Urgency;

use gate::{Gate, Pass, Rank, Step};

mod breaker;
mod bucket;
mod gate;
#[cfg(test)]
mod tests;
mod urgency;

/// Token requests under way at one issuer.
const AT_ONCE: u32 = 64;

/// Of these, refreshes in the background.
const BACKGROUND_AT_ONCE: u32 = 48;

/// Token requests a second. Ten thousand that are due are through within half a minute (A130).
const PER_S: u32 = 400;

/// Token requests at once after a pause.
const BURST: u32 = 40;

/// From so many requests under way there is a herd.
const BUSY: u32 = 4;

/// Over how long a herd in the background is spread, in milliseconds: a credential is due at least
/// twice as long before its end, unless it lives for a few minutes only.
const SPREAD_MS: u64 = 30_000;

/// The longest stay in a line, in milliseconds; whoever asks gives up soon after.
const LONGEST_WAIT_MS: u64 = 28_000;

/// How many issuers are remembered.
const MOST: usize = 1_024;

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    issuer: String,
    endpoint: String,
}

/// When to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shut {
    /// In seconds.
    pub(crate) retry_after_s: u32,
}

/// What came of a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The issuer answered; also where it said no.
    Answer {
        /// It asked for so much patience.
        retry_after_s: Option<u32>,
    },
    /// It did not, or with what is no answer.
    Fault {
        /// It asked for so much patience.
        retry_after_s: Option<u32>,
    },
    /// It was not asked.
    Nothing,
}

/// Every issuer that was asked lately.
pub(crate) struct Herd {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    gates: Mutex<HashMap<Site, Arc<Gate>>>,
}

/// The right to send one token request.
pub(crate) struct Permit {
    pass: Pass,
    site: Site,
    clock: Arc<dyn Clock>,
    random: u16,
}

// === impl Site ===

impl Site {
    /// Where a credential came from, and where it is renewed.
    pub(crate) fn of(row: &Credential) -> Self {
        Self {
            issuer: row.issuer.clone(),
            endpoint: row.token_endpoint.clone(),
        }
    }

    /// A server whose issuer is not known yet.
    pub(crate) fn of_server(url: &str) -> Self {
        Self {
            issuer: String::new(),
            endpoint: url.to_owned(),
        }
    }
}

// === impl Shut ===

impl Shut {
    fn of_ms(left_ms: u64) -> Self {
        let seconds = left_ms.div_ceil(1_000).max(1);
        Self {
            retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX),
        }
    }
}

// === impl Herd ===

impl Herd {
    pub(crate) fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            gates: Mutex::default(),
        }
    }

    /// Waits for a turn at an issuer.
    pub(crate) async fn admit(&self, site: &Site, urgency: &mut Urgency) -> Result<Permit, Shut> {
        let gate = self.gate(site);
        if let Some(shut) = gate.is_shut(self.clock.monotonic_ms()) {
            return Err(shut);
        }
        if !urgency.is_waited_for() && gate.is_busy() {
            let spread = Duration::from_millis(self.below(SPREAD_MS));
            tokio::select! {
                () = urgency.waited_for() => {}
                () = self.clock.sleep(spread) => {}
            }
        }
        let rank = if urgency.is_waited_for() {
            Rank::Waited
        } else {
            Rank::Background
        };
        let began_ms = self.clock.monotonic_ms();
        let mut place = gate.line_up(rank, began_ms);
        loop {
            let now_ms = self.clock.monotonic_ms();
            let wait_ms = match place.step(now_ms) {
                Step::Enter(pass) => return Ok(self.permit(pass, site)),
                Step::SentAway(shut) => return Err(shut),
                Step::Wait(wait_ms) => wait_ms,
            };
            let left_ms = LONGEST_WAIT_MS.saturating_sub(now_ms.saturating_sub(began_ms));
            if left_ms == 0 {
                return Err(Shut::of_ms(1 + self.below(SPREAD_MS)));
            }
            let wait = Duration::from_millis(wait_ms.unwrap_or(left_ms).min(left_ms));
            tokio::select! {
                () = place.turn.notified() => {}
                () = self.clock.sleep(wait) => {}
                () = urgency.waited_for(), if !place.is_waited_for() => place.hurry(),
            }
        }
    }

    /// For how long an issuer is not asked.
    pub(crate) fn is_shut(&self, site: &Site) -> Option<Shut> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.get(site)?.is_shut(self.clock.monotonic_ms())
    }

    /// Random, below `most`.
    pub(crate) fn below(&self, most: u64) -> u64 {
        most * u64::from(self.random()) / (u64::from(u16::MAX) + 1)
    }

    pub(crate) fn random(&self) -> u16 {
        let mut bytes = [0; 2];
        self.entropy.fill(&mut bytes);
        u16::from_be_bytes(bytes)
    }

    fn permit(&self, pass: Pass, site: &Site) -> Permit {
        Permit {
            pass,
            site: site.clone(),
            clock: Arc::clone(&self.clock),
            random: self.random(),
        }
    }

    fn gate(&self, site: &Site) -> Arc<Gate> {
        let now_ms = self.clock.monotonic_ms();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(site) {
            return Arc::clone(gate);
        }
        let gate = Arc::new(Gate::new(now_ms));
        if make_room(&mut gates, now_ms) {
            gates.insert(site.clone(), Arc::clone(&gate));
        }
        gate
    }
}

/// Forgets what says nothing, else the one that was used longest ago. False where all are in use:
/// the next one is not remembered then.
fn make_room(gates: &mut HashMap<Site, Arc<Gate>>, now_ms: u64) -> bool {
    if gates.len() < MOST {
        return true;
    }
    gates.retain(|_, gate| Arc::strong_count(gate) > 1 || !gate.is_idle(now_ms));
    if gates.len() < MOST {
        return true;
    }
    let unused = gates
        .iter()
        .filter(|(_, gate)| Arc::strong_count(gate) == 1);
    let oldest = unused.min_by_key(|(_, gate)| gate.used_ms());
    let oldest = oldest.map(|(site, _)| site.clone());
    oldest.is_some_and(|site| gates.remove(&site).is_some())
}

// === impl Permit ===

impl Permit {
    /// What came of it, before it is given back.
    pub(crate) fn heard(mut self, heard: Heard) {
        let now_ms = self.clock.monotonic_ms();
        let is_back = self.pass.heard(heard, now_ms, self.random);
        if is_back {
            tracing::info!(issuer = %self.site.issuer, "an issuer answers again");
        }
    }
}
