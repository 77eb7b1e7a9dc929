//! Whether the issuer still knows a client of ours that was registered by an earlier process (Q09).

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use claviger_client::{
    Authorize, ClientInformation, ClientKnown, Register, authorize, client_known,
};
use claviger_model::{RegistrationId, RegistrationOrigin, Server};

use crate::broker::{Inner, reach_of};
use crate::step::StepSink;

/// Registrations that this process made, or asked about: each is asked about once.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    known: Mutex<BTreeSet<RegistrationId>>,
}

/// Beyond this all are forgotten, and asked about once more.
const MOST: usize = 10_000;

// === impl Probed ===

impl Probed {
    /// Remembers it; says whether that is new.
    pub(crate) fn remember(&self, id: &RegistrationId) -> bool {
        let mut known = self.open();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id.clone())
    }

    /// The question is open again: what was to be done about its answer did not work.
    pub(crate) fn forget(&self, id: &RegistrationId) {
        self.open().remove(id);
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<RegistrationId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl Inner {
    /// Whether the issuer says on its authorization page that it has lost our client. Asked once
    /// for each registration that came from the database, before a person is sent there; nobody
    /// asks about a client of the operator's or about our document. Where no clear answer comes,
    /// nothing is known.
    pub(crate) async fn is_lost(
        &self,
        server: &Server,
        wanted: &Register,
        client: &ClientInformation,
        id: &RegistrationId,
        steps: StepSink<'_>,
    ) -> bool {
        if client.origin != RegistrationOrigin::Dynamic || !self.probed.remember(id) {
            return false;
        }
        let Some(redirect_uri) = &client.redirect_uri else {
            return false;
        };
        let asked = authorize(
            &Authorize {
                discovered: &wanted.discovered,
                client,
                redirect_uri,
                // The same as the person's request will: an issuer may look at what comes first.
                scopes: wanted.scopes.clone(),
                is_first: false,
                // Nobody's: nothing comes of an answer to it.
                state: self.parts.entropy.key_bytes(),
                verifier: self.parts.entropy.key_bytes(),
            },
            &self.parts.quirks,
        );
        let Ok(asked) = asked else {
            return false;
        };
        let mut errand = client_known(asked.url);
        self.run(&mut errand, &reach_of(server), steps).await == ClientKnown::Lost
    }
}
