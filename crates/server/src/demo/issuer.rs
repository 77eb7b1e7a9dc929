//! The demo's own issuer: its one person, and how the guard asks it.

use core::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use claviger_crypto::{MacKey, Secret};
use claviger_guard::{Access, Verified, Verify, VerifyError};
use claviger_issuer::memory::MemoryStore;
use claviger_issuer::{
    Approval, Approve, ConsentRequest, InvalidSettings, Issuer, IssuerDoors, IssuerSettings,
    Observe, ProtectedResource, RefreshGrace, Rotation, VerifyIssuedError,
};
use claviger_model::{Timestamp, UserId};
use claviger_ports::Entropy;
use claviger_wire::ScopeSet;

use super::DemoSettings;

/// What every call needs.
pub(super) const SCOPE_READ: &str = "notes:read";
const SCOPES: &str = "notes:read notes:write";
const PERSON: &str = "alice";

/// The issuer on `origin` for the one resource.
pub(super) fn issuer(
    origin: &str,
    resource: &str,
    settings: DemoSettings,
    entropy: Arc<dyn Entropy>,
    observe: Arc<dyn Observe>,
) -> Result<Issuer, InvalidSettings> {
    let protected = ProtectedResource {
        resource: resource.to_owned(),
        scopes: ScopeSet::parse_lossy(SCOPES),
        scopes_default: ScopeSet::parse_lossy(SCOPE_READ),
    };
    let issuer_settings = IssuerSettings {
        access_ttl_s: settings.access_ttl_s,
        rotation: if settings.rotates_for_all {
            Rotation::Every
        } else {
            Rotation::PublicClients
        },
        // Whoever refreshes twice is to be seen.
        refresh_grace: RefreshGrace::NONE,
        ..IssuerSettings::new(origin, protected)
    };
    let mac_key = MacKey::new(entropy.key_bytes());
    let doors = IssuerDoors {
        store: Arc::new(MemoryStore::default()),
        entropy,
        approve: Arc::new(Alice),
        observe,
    };
    Issuer::new(issuer_settings, doors, mac_key)
}

/// The demo's only person. Whoever pressed "approve" is her.
#[derive(Debug)]
struct Alice;

#[async_trait]
impl Approve for Alice {
    async fn approve(&self, request: &ConsentRequest, _now: Timestamp) -> Approval {
        match UserId::parse(PERSON) {
            Ok(user) => Approval::Granted {
                user,
                scopes: request.scopes.clone(),
            },
            Err(_) => Approval::Denied,
        }
    }
}

/// Asks the issuer what a token is worth at one resource.
pub(super) struct OwnTokens {
    issuer: Arc<Issuer>,
    resource: String,
}

// === impl OwnTokens ===

impl OwnTokens {
    pub(super) fn new(issuer: Arc<Issuer>, resource: String) -> Self {
        Self { issuer, resource }
    }
}

#[async_trait]
impl Verify for OwnTokens {
    async fn verify(&self, token: &Secret, now: Timestamp) -> Result<Verified, VerifyError> {
        match self.issuer.verify(token, &self.resource, now).await {
            Ok(issued) => Ok(Verified {
                tenant: issued.tenant,
                user: issued.user,
                client: Some(issued.client_id),
                token: None,
                scopes: issued.scopes,
                access: Access::All,
            }),
            Err(VerifyIssuedError::Expired) => Err(VerifyError::Expired),
            Err(VerifyIssuedError::Unknown) => Err(VerifyError::Unknown),
            Err(VerifyIssuedError::WrongResource) => Err(VerifyError::WrongAudience),
            // Whatever else kept the issuer from answering is no verdict on the token.
            Err(_) => Err(VerifyError::Unavailable),
        }
    }
}

impl fmt::Debug for OwnTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnTokens").finish_non_exhaustive()
    }
}
