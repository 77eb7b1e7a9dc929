//! The verified sender of a request.

use std::collections::BTreeSet;
use std::sync::Arc;

use claviger_model::{ServerId, TenantId, UserId};
use claviger_wire::ScopeSet;

use crate::{MissingScope, ScopeHierarchy};

/// Which servers a caller may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Every server of the tenant.
    All,
    /// Only these.
    Servers(BTreeSet<ServerId>),
}

/// What a verifier says of a good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The isolation boundary.
    pub tenant: TenantId,
    /// For whom the token speaks.
    pub user: UserId,
    /// To which client it was issued, if to one.
    pub client: Option<String>,
    /// The id of the token, for logs; never the token.
    pub token: Option<String>,
    /// What it allows.
    pub scopes: ScopeSet,
    /// Where it may be used.
    pub access: Access,
}

/// The verified sender of this request.
///
/// Only [`crate::Guard::admit`] makes one, so whoever holds a `Caller` has been verified.
#[derive(Debug, Clone)]
pub struct Caller {
    verified: Verified,
    hierarchy: Arc<ScopeHierarchy>,
}

// === impl Access ===

impl Access {
    /// Whether `server` may be used.
    pub fn allows(&self, server: &ServerId) -> bool {
        match self {
            Self::All => true,
            Self::Servers(servers) => servers.contains(server),
        }
    }
}

// === impl Caller ===

impl Caller {
    pub(crate) fn from_verified(verified: Verified, hierarchy: Arc<ScopeHierarchy>) -> Self {
        Self {
            verified,
            hierarchy,
        }
    }

    /// The isolation boundary.
    pub fn tenant(&self) -> &TenantId {
        &self.verified.tenant
    }

    /// For whom the caller speaks.
    pub fn user(&self) -> &UserId {
        &self.verified.user
    }

    /// The OAuth client, if the token was issued to one.
    pub fn client(&self) -> Option<&str> {
        self.verified.client.as_deref()
    }

    /// The id of the token, if it has one that may be told.
    pub fn token(&self) -> Option<&str> {
        self.verified.token.as_deref()
    }

    /// The scopes as they were granted.
    pub fn scopes(&self) -> &ScopeSet {
        &self.verified.scopes
    }

    /// Where the caller may go.
    pub fn access(&self) -> &Access {
        &self.verified.access
    }

    /// Asks for scopes; a broader one counts for those it implies.
    pub fn require(&self, needed: &ScopeSet) -> Result<(), MissingScope> {
        let held = self.hierarchy.expand(&self.verified.scopes);
        if needed.is_subset(&held) {
            return Ok(());
        }
        Err(MissingScope {
            needed: needed.clone(),
            missing: needed.minus(&held),
        })
    }
}
