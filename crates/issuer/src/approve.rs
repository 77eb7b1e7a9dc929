//! The person's part: a page that asks, and a hook that says who answered.

use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::{TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;

use crate::{Page, consent_page};

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRequest {
    /// The client.
    pub client_id: String,
    /// As it calls itself.
    pub client_name: Option<String>,
    /// Where the code would go.
    pub redirect_uri: String,
    /// The part of it a person should look at.
    pub redirect_host: String,
    /// Whether every redirect URI of the client leads to this machine.
    pub is_loopback_only: bool,
    /// For what.
    pub resource: String,
    /// What would be granted.
    pub scopes: ScopeSet,
    /// Until when access lasts without being asked again.
    pub lasts_s: u32,
}

/// What the form must carry.
#[derive(Debug, Clone)]
pub struct ConsentForm {
    /// Where the form goes.
    pub action: String,
    /// The hidden field `pending_id`.
    pub pending_id: String,
    /// The hidden field `csrf`.
    pub csrf: Secret,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Not granted.
    Denied,
    /// Granted.
    Granted {
        /// Whose.
        tenant: TenantId,
        /// Who said so.
        user: UserId,
        /// How much of what was asked.
        scopes: ScopeSet,
    },
}

/// Asks the person. A chained sign-in, a user directory or a demo stands behind it.
#[async_trait]
pub trait Approve: Send + Sync + 'static {
    /// The page that asks. Its form posts `pending_id`, `csrf` and `decision` (`approve` or `deny`).
    fn page(&self, request: &ConsentRequest, form: &ConsentForm) -> Page {
        consent_page(request, form)
    }

    /// Who pressed "approve", and for how much. Called only after the form came back from the
    /// browser to which the page was shown.
    async fn approve(&self, request: &ConsentRequest, now: Timestamp) -> Approval;
}
