//! On whose behalf something is done, as the audit log names it.

use std::sync::Arc;

use claviger_model::UserId;

use crate::{Actor, Broker};

// === impl Broker ===

impl Broker {
    /// The same broker on behalf of somebody else, whom the audit log names.
    #[must_use]
    pub fn acting(&self, by: Actor) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            by: Some(by),
        }
    }

    /// On whose behalf administrative acts are done.
    pub fn by(&self) -> Actor {
        let admin = || self.inner.parts.audit.admin();
        self.by.clone().unwrap_or_else(admin)
    }

    /// On whose behalf a user's own things are done: theirs, unless somebody else is named.
    pub(crate) fn by_or(&self, user: &UserId) -> Actor {
        let own = || Actor::User(user.clone());
        self.by.clone().unwrap_or_else(own)
    }
}
