//! Whose scopes an issuer refused (Q20): their next sign-in asks for less.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use claviger_model::CredentialKey;

/// Connections whose last sign-in ended with `invalid_scope`; bounded.
#[derive(Debug, Default)]
pub(crate) struct Narrow {
    refused: Mutex<HashSet<CredentialKey>>,
}

/// Beyond this all are forgotten: each then hears `invalid_scope` once more.
const MOST: usize = 10_000;

// === impl Narrow ===

impl Narrow {
    pub(crate) fn refuse(&self, key: &CredentialKey) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MOST {
            refused.clear();
        }
        refused.insert(key.clone());
    }

    /// Whether the next sign-in has to ask for less; said once.
    pub(crate) fn take(&self, key: &CredentialKey) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.remove(key)
    }
}
