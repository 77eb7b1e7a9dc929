//! How a connection stands after a sign-in, given what the sign-in was to bring.

use claviger_model::{Connection, Credential, Reason, Standing, Timestamp};
use claviger_wire::ScopeSet;

/// What a sign-in answers: the scopes of a challenge, and how often they were asked for in vain.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) challenged: Option<ScopeSet>,
    pub(crate) step_ups: u32,
}

// === impl Answered ===

impl Answered {
    /// The challenge that is written down.
    pub(crate) fn by_connection(connection: Connection) -> Self {
        Self {
            step_ups: connection.step_ups,
            challenged: connection
                .challenge
                .filter(|challenge| challenge.insufficient_scope)
                .and_then(|challenge| challenge.scope),
        }
    }

    /// What was asked for and not granted.
    pub(crate) fn missing(&self, row: &Credential) -> Option<ScopeSet> {
        let missing = self.challenged.as_ref()?.minus(&row.scopes_granted);
        (!missing.is_empty()).then_some(missing)
    }

    /// How the connection stands with `row`. C-66: step-ups count on until one brings what was
    /// asked for; a refused call is none, only a sign-in that did not help.
    pub(crate) fn connection(&self, row: &Credential, now: Timestamp) -> Connection {
        let is_short = self.missing(row).is_some();
        Connection {
            key: row.key.clone(),
            standing: if is_short {
                Standing::NeedsScopes
            } else {
                Standing::Connected
            },
            reason: is_short.then_some(Reason::ScopesMissing),
            challenge: None,
            step_ups: if is_short {
                self.step_ups.saturating_add(1)
            } else {
                0
            },
            updated_at: now,
        }
    }
}
