//! Links to our own sign-in page.

use claviger_crypto::{Secret, base64url_encode};
use claviger_model::CredentialKey;

use crate::Broker;

impl Broker {
    /// The link under which a person begins the sign-in of `key`; empty where no page is served.
    pub(crate) fn link(&self, key: &CredentialKey) -> String {
        let inner = &self.inner;
        let Some(base) = &inner.parts.settings.link_base else {
            return String::new();
        };
        let fresh = base64url_encode(&inner.parts.entropy.id_bytes());
        let ticket = inner.tickets.issue(key, fresh, inner.parts.clock.now());
        format!("{base}/login/{ticket}")
    }

    /// Whether the browser with this cookie may begin with a link: once one began with it, no other
    /// may begin again or over.
    pub fn may_follow(&self, ticket: &str, cookie: Option<&Secret>) -> bool {
        let mark = cookie.map(|cookie| self.vault().mark("link-cookie", cookie));
        self.inner.tickets.may_follow(ticket, mark)
    }

    /// Ties a link to the browser that will send this cookie.
    pub fn bind_ticket(&self, ticket: &str, cookie: &Secret) {
        let mark = self.vault().mark("link-cookie", cookie);
        self.inner.tickets.bind(ticket, mark);
    }

    /// What a link is for.
    pub fn ticket(&self, ticket: &str) -> Option<CredentialKey> {
        self.inner
            .tickets
            .find(ticket, self.inner.parts.clock.now())
    }
}
