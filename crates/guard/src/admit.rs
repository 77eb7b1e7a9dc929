//! Lets a request in or turns it away.

use core::fmt;
use std::sync::Arc;

use claviger_model::Timestamp;
use claviger_wire::ScopeSet;
use http::HeaderMap;

use crate::bearer::{Presented, presented};
use crate::challenge::Challenge;
use crate::{Caller, MissingScope, Refusal, RefusalReason, ScopeHierarchy, Verify, VerifyError};

/// How a guard speaks for its resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// Where the resource's metadata is published; without one the challenge is bare.
    pub resource_metadata_url: Option<String>,
    /// What every request needs; named in the challenge.
    pub scopes_required: ScopeSet,
    /// Which scope implies which.
    pub hierarchy: ScopeHierarchy,
    /// Longer tokens are refused unseen.
    pub max_token_bytes: usize,
}

/// The resource server: checks, challenges.
#[derive(Clone)]
pub struct Guard {
    verify: Arc<dyn Verify>,
    settings: Arc<GuardSettings>,
    hierarchy: Arc<ScopeHierarchy>,
}

// === impl GuardSettings ===

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            resource_metadata_url: None,
            scopes_required: ScopeSet::new(),
            hierarchy: ScopeHierarchy::new(),
            max_token_bytes: 8 * 1024,
        }
    }
}

// === impl Guard ===

impl Guard {
    /// A guard that asks `verify`.
    pub fn new(verify: Arc<dyn Verify>, settings: GuardSettings) -> Self {
        let hierarchy = Arc::new(settings.hierarchy.clone());
        Self {
            verify,
            settings: Arc::new(settings),
            hierarchy,
        }
    }

    /// The same verifier in front of another resource.
    #[must_use]
    pub fn with_settings(&self, settings: GuardSettings) -> Self {
        Self::new(Arc::clone(&self.verify), settings)
    }

    /// How this guard speaks.
    pub fn settings(&self) -> &GuardSettings {
        &self.settings
    }

    /// Verifies the request's token and says who sent it.
    ///
    /// Every request is verified; sessions and cookies count for nothing.
    ///
    /// It waits for as long as [`Verify::verify`] takes: a guard has no clock of its own. A
    /// verifier that asks a store or an issuer bounds its own waiting.
    pub async fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Refusal> {
        let token = match presented(headers, self.settings.max_token_bytes) {
            Presented::Token(token) => token,
            Presented::Nothing => return Err(self.refuse(RefusalReason::Missing)),
            Presented::Malformed(what) => {
                return Err(self.refuse(RefusalReason::Malformed { what }));
            }
        };
        let verified = match self.verify.verify(&token, now).await {
            Ok(verified) => verified,
            // A162: whoever cannot be checked is not let in, and not blamed either.
            Err(VerifyError::Unavailable) => return Err(self.refuse(RefusalReason::Unavailable)),
            Err(source) => return Err(self.refuse(RefusalReason::InvalidToken { source })),
        };
        let caller = Caller::from_verified(verified, Arc::clone(&self.hierarchy));
        self.require(&caller, &self.settings.scopes_required)?;
        Ok(caller)
    }

    /// Asks a caller for scopes and words the refusal.
    pub fn require(&self, caller: &Caller, needed: &ScopeSet) -> Result<(), Refusal> {
        caller
            .require(needed)
            .map_err(|missing| self.refuse_scope(&missing))
    }

    /// The refusal for missing scopes: everything needed, in one challenge.
    pub fn refuse_scope(&self, missing: &MissingScope) -> Refusal {
        let needed = missing.needed.union(&self.settings.scopes_required);
        self.refuse(RefusalReason::InsufficientScope { needed })
    }

    fn refuse(&self, reason: RefusalReason) -> Refusal {
        if reason == RefusalReason::Unavailable {
            return Refusal::new(reason, None);
        }
        let error = reason.code();
        let description = error.map(|_| reason.description());
        let scope = match &reason {
            RefusalReason::InsufficientScope { needed } => Some(needed),
            _ => Some(&self.settings.scopes_required),
        };
        let challenge = Challenge {
            error,
            description: description.as_deref(),
            scope,
            resource_metadata: self.settings.resource_metadata_url.as_deref(),
        }
        .print();
        Refusal::new(reason, Some(challenge))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
