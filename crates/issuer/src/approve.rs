//! The person's part: a page that asks, and a hook that says who answered.

use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::{Timestamp, UserId};
use claviger_wire::ScopeSet;

use crate::{Page, Visit, Visitor, consent_page};

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRequest {
    /// Who is asked, if the visitor is known.
    pub user: Option<UserId>,
    /// The client.
    pub client_id: String,
    /// The host of its metadata document, if it is known by one.
    pub client_host: Option<String>,
    /// As it calls itself.
    pub client_name: Option<String>,
    /// Where the code would go; nowhere if a device waits for the answer.
    pub redirect_uri: Option<String>,
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

    /// Who is in front of the browser.: before anything is fetched for a client or sent
    /// to it.
    async fn visitor(&self, _visit: &Visit<'_>, _now: Timestamp) -> Visitor {
        Visitor::Anybody
    }

    /// Who pressed "approve", and for how much. Called only after the form came back from the
    /// browser to which the page was shown.
    async fn approve(&self, request: &ConsentRequest, now: Timestamp) -> Approval;

    /// Whether what this user granted this client still stands; asked at every refresh (A118).
    async fn may_go_on(&self, _user: &UserId, _client_id: &str) -> bool {
        true
    }
}
