//! How an issuer behaves.

use core::fmt;

use claviger_model::{Fault, TenantId};
use claviger_wire::ScopeSet;
use url::{Host, Url};

use crate::{RateLimits, RefreshGrace};

/// May clients register themselves?
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationMode {
    /// Those on a list may.
    AllowList(AllowList),
    /// Nobody may.
    Off,
    /// Everybody may.
    Open,
    /// Who has an initial access token may (RFC 7591 §3).
    Token {
        /// SHA-256 of each token.
        tokens_sha256: Vec<[u8; 32]>,
    },
}

/// Who may register: either suffices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    /// Every redirect URI leads to one of these hosts.
    pub redirect_hosts: Vec<String>,
    /// The client says that it is this software; anybody can say so.
    pub software_ids: Vec<String>,
}

/// What lets a resource ask about tokens for itself (RFC 7662).
#[derive(Clone, PartialEq, Eq)]
pub struct ResourceCredential {
    /// Its user name.
    pub id: String,
    /// SHA-256 of its secret, which is random and long.
    pub secret_sha256: [u8; 32],
    /// The resource, as it stands among the resources.
    pub resource: String,
}

/// Whose refresh tokens are replaced at each use. Public clients' always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Everybody's.
    Every,
    /// Public clients' only; a client with a secret keeps its refresh token.
    PublicClients,
}

/// A resource for which tokens may be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// Its identifier, compared as text.
    pub resource: String,
    /// What may be granted for it.
    pub scopes: ScopeSet,
    /// What is granted when a client asks for nothing.
    pub scopes_default: ScopeSet,
}

/// An issuer's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Whose issuer this is; every row names it.
    pub tenant: TenantId,
    /// The issuer identifier, from the configuration and never from a request (A025).
    pub issuer: String,
    /// For what tokens are issued; the first is meant when a client names none.
    pub resources: Vec<ProtectedResource>,
    /// Life of an access token.
    pub access_ttl_s: u32,
    /// Life of a code.
    pub code_ttl_s: u32,
    /// How long a person may take.
    pub authorization_ttl_s: u32,
    /// A family ends when it was idle for so long.
    pub refresh_idle_ttl_s: u32,
    /// A family ends after so long, whatever happens.
    pub refresh_ttl_s: u32,
    /// Whose refresh tokens rotate.
    pub rotation: Rotation,
    /// For how long a refresh token that was used gets the same answer again.
    pub refresh_grace: RefreshGrace,
    /// May clients register themselves?
    pub registration: RegistrationMode,
    /// Resources that may ask about tokens, beside the clients that are one.
    pub resource_credentials: Vec<ResourceCredential>,
    /// Whether every DPoP proof needs a nonce of ours.
    pub dpop_nonces: bool,
    /// Whether an issuer with a path also answers at the root, for clients that look nowhere else.
    /// One issuer of a host may.
    pub metadata_at_root: bool,
    /// How often who may ask.
    pub limits: RateLimits,
}

/// Settings with which no issuer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// RFC 9700 §2.1.1.
    #[error("a code may live at most 60 seconds; lower code_ttl_s")]
    CodeTtl,
    /// RFC 8414 §2.
    #[error("the issuer has a query or a fragment; remove it")]
    IssuerQuery,
    ///
    #[error("the issuer is no https URL; plain http is for loopback only")]
    IssuerUrl,
    /// It could ask about nothing.
    #[error("a resource credential names a resource that is not among the resources")]
    ResourceCredential,
    /// A token for nothing in particular would be a token for everything.
    #[error("the issuer has no resource to issue tokens for; name at least one")]
    NoResource,
}

// === impl InvalidSettings ===

impl InvalidSettings {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

// === impl ResourceCredential ===

impl fmt::Debug for ResourceCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceCredential")
            .field("id", &self.id)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

// === impl IssuerSettings ===

impl IssuerSettings {
    /// The defaults, for one resource.
    pub fn new(issuer: &str, resource: ProtectedResource) -> Self {
        Self {
            tenant: TenantId::default_tenant(),
            issuer: issuer.to_owned(),
            resources: vec![resource],
            access_ttl_s: 600,
            code_ttl_s: 60,
            authorization_ttl_s: 600,
            refresh_idle_ttl_s: 30 * 86_400,
            refresh_ttl_s: 90 * 86_400,
            rotation: Rotation::Every,
            refresh_grace: RefreshGrace::default(),
            registration: RegistrationMode::Open,
            resource_credentials: Vec::new(),
            dpop_nonces: false,
            metadata_at_root: false,
            limits: RateLimits::default(),
        }
    }

    /// The resource of that name; without a name, the first.
    pub(crate) fn resource(&self, name: Option<&str>) -> Option<&ProtectedResource> {
        match name {
            // RFC 8707 §2: compared as text, so that no two spellings share tokens.
            Some(name) => self.resources.iter().find(|one| one.resource == name),
            None => self.resources.first(),
        }
    }

    pub(crate) fn check(&self) -> Result<Url, InvalidSettings> {
        let Ok(url) = Url::parse(&self.issuer) else {
            return Err(InvalidSettings::IssuerUrl);
        };
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(InvalidSettings::IssuerUrl);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidSettings::IssuerQuery);
        }
        if self.resources.is_empty() {
            return Err(InvalidSettings::NoResource);
        }
        let known = |one: &ResourceCredential| self.resource(Some(&one.resource)).is_some();
        if !self.resource_credentials.iter().all(known) {
            return Err(InvalidSettings::ResourceCredential);
        }
        if self.code_ttl_s > 60 {
            return Err(InvalidSettings::CodeTtl);
        }
        Ok(url)
    }
}
