//! How an issuer behaves.

use claviger_model::Fault;
use claviger_wire::ScopeSet;
use url::{Host, Url};

/// May clients register themselves?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationMode {
    /// Nobody may.
    Off,
    /// Everybody may.
    Open,
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
    /// May clients register themselves?
    pub registration: RegistrationMode,
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

// === impl IssuerSettings ===

impl IssuerSettings {
    /// The defaults, for one resource.
    pub fn new(issuer: &str, resource: ProtectedResource) -> Self {
        Self {
            issuer: issuer.to_owned(),
            resources: vec![resource],
            access_ttl_s: 600,
            code_ttl_s: 60,
            authorization_ttl_s: 600,
            refresh_idle_ttl_s: 30 * 86_400,
            refresh_ttl_s: 90 * 86_400,
            rotation: Rotation::Every,
            registration: RegistrationMode::Open,
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
        if self.code_ttl_s > 60 {
            return Err(InvalidSettings::CodeTtl);
        }
        Ok(url)
    }
}
