//! Which tokens were obtained because the one before was refused (N6).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use claviger_model::CredentialKey;

use crate::TokenMark;

/// The last token of each connection that a refusal made; bounded.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    made: Mutex<HashMap<CredentialKey, TokenMark>>,
}

/// Beyond this all are forgotten: each may then be refreshed once more than needed.
const MOST: usize = 10_000;

// === impl Doubts ===

impl Doubts {
    pub(crate) fn remember(&self, key: &CredentialKey, mark: TokenMark) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() >= MOST {
            made.clear();
        }
        made.insert(key.clone(), mark);
    }

    /// Whether this very token was made so.
    pub(crate) fn is_made_so(&self, key: &CredentialKey, mark: TokenMark) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(key) == Some(&mark)
    }
}
