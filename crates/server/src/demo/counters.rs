//! What the demo's issuer and tools have seen.

use std::sync::atomic::{AtomicU64, Ordering};

use claviger_issuer::{IssuerEvent, Observe};

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DemoCounters {
    /// Clients that registered.
    pub registrations: u64,
    /// Times the person approved.
    pub approvals: u64,
    /// Times the person said no.
    pub denials: u64,
    /// Codes redeemed.
    pub redemptions: u64,
    /// Refresh tokens honoured.
    pub refreshes: u64,
    /// Codes and refresh tokens that came a second time.
    pub reuses: u64,
    /// Tokens revoked by their client.
    pub revocations: u64,
    /// Tools called.
    pub calls: u64,
}

/// Counts as things happen.
#[derive(Debug, Default)]
pub(super) struct Counters {
    registrations: AtomicU64,
    approvals: AtomicU64,
    denials: AtomicU64,
    redemptions: AtomicU64,
    refreshes: AtomicU64,
    reuses: AtomicU64,
    revocations: AtomicU64,
    calls: AtomicU64,
}

// === impl Counters ===

impl Counters {
    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn read(&self) -> DemoCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        DemoCounters {
            registrations: read(&self.registrations),
            approvals: read(&self.approvals),
            denials: read(&self.denials),
            redemptions: read(&self.redemptions),
            refreshes: read(&self.refreshes),
            reuses: read(&self.reuses),
            revocations: read(&self.revocations),
            calls: read(&self.calls),
        }
    }
}

impl Observe for Counters {
    fn observe(&self, event: IssuerEvent) {
        let counter = match event {
            IssuerEvent::Registered => &self.registrations,
            IssuerEvent::Approved => &self.approvals,
            IssuerEvent::Denied => &self.denials,
            IssuerEvent::CodeRedeemed => &self.redemptions,
            IssuerEvent::Refreshed => &self.refreshes,
            IssuerEvent::CodeReused | IssuerEvent::RefreshReused => &self.reuses,
            IssuerEvent::Revoked => &self.revocations,
            _ => return,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}
