//! From a server's URL to an issuer that may be used (RFC 9728, RFC 8414, and the older ways).

pub(crate) use error::shown;
pub use error::{DiscoverError, UnreachableCause};

use std::sync::Arc;

use claviger_model::Grant;
use claviger_ports::Reach;
use claviger_wire::{
    BearerChallenge, Deviation, IssuerMetadata, ResourceId, ResourceMetadata, parse_web_url,
};
use serde::{Deserialize, Serialize};

use crate::machine::Io;
use crate::{Machine, Quirks};

mod document;
mod endpoints;
mod error;
mod issuer;
mod legacy;
mod probe;
mod resource;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Discover {
    /// The server, as it was typed.
    pub server_url: String,
    /// Where to begin.
    pub start: Start,
    /// Which grant will be used; a code needs more of an issuer than client credentials.
    pub grant: Grant,
    /// The MCP revision that is spoken with this server, if that is known.
    pub protocol_version: Option<String>,
    /// Only this issuer (C-33).
    pub pinned_issuer: Option<String>,
    /// This issuer, if the server still lists it: the one whose registration we hold.
    pub preferred_issuer: Option<String>,
    /// How far requests will reach: plain `http` to other machines only where it says so.
    pub reach: Reach,
    /// The quirk file.
    pub quirks: Arc<Quirks>,
}

/// Where discovery begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With a challenge of the server's.
    Challenge(BearerChallenge),
    /// With one unauthenticated request, to see whether there is a challenge.
    Probe,
    /// With the well-known places.
    WellKnown,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discovery {
    /// The server answers without a sign-in, and nothing says that it has one (M5).
    Open,
    /// An issuer that may be used.
    SignIn(Box<Discovered>),
}

/// A resource and its issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered {
    /// The server, as it was typed.
    pub server_url: String,
    /// RFC 8707's `resource`, byte for byte as the server wrote it (Q29).
    pub resource: ResourceId,
    /// Its metadata; `None` for a server of 2025-03-26.
    pub resource_metadata: Option<ResourceMetadata>,
    /// Where that was.
    pub resource_metadata_url: Option<String>,
    /// The issuer's metadata.
    pub issuer: IssuerMetadata,
    /// Whether this is a server of 2025-03-26.
    pub legacy: Legacy,
    /// The challenge it began with.
    pub challenge: Option<BearerChallenge>,
    /// In what the documents were not as their RFCs want them.
    pub deviations: Vec<Deviation>,
}

/// How much of the 2025-03-26 revision was needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Legacy {
    /// Not even metadata: the default endpoints. They serve a first sign-in with a fresh
    /// registration; a stored secret or refresh token never goes there (C-13, Q39).
    DefaultEndpoints,
    /// No resource metadata, but issuer metadata at the server's origin (C-12).
    Metadata,
    /// None of it.
    #[default]
    No,
}

/// Begins a discovery.
pub fn discover(input: Discover) -> Machine<Result<Discovery, DiscoverError>> {
    Machine::new(|io| run(io, input))
}

// === impl Discover ===

impl Discover {
    /// Everything by default: a probe, a code, public addresses.
    pub fn new(server_url: impl Into<String>, quirks: Arc<Quirks>) -> Self {
        Self {
            server_url: server_url.into(),
            start: Start::Probe,
            grant: Grant::default(),
            protocol_version: None,
            pinned_issuer: None,
            preferred_issuer: None,
            reach: Reach::public(),
            quirks,
        }
    }
}

// === impl Discovered ===

impl Discovered {
    /// The issuer, compared as text everywhere.
    pub fn issuer_id(&self) -> &str {
        &self.issuer.issuer
    }

    /// What the resource says about scopes (M8): absent, none, or some.
    pub fn scopes_supported(&self) -> Option<&[String]> {
        self.resource_metadata
            .as_ref()
            .and_then(|metadata| metadata.scopes_supported.as_deref())
    }
}

async fn run(io: Io, input: Discover) -> Result<Discovery, DiscoverError> {
    parse_web_url(&input.server_url).map_err(|why| DiscoverError::ServerUrl { why })?;
    let seen = match &input.start {
        Start::Challenge(challenge) => probe::Seen::Demanded(Some(challenge.clone())),
        Start::Probe => probe::probe(&io, &input).await?,
        Start::WellKnown => probe::Seen::Demanded(None),
    };
    let challenge = match &seen {
        probe::Seen::Demanded(challenge) => challenge.clone(),
        _ => None,
    };
    let mut deviations = Vec::new();
    let found = resource::find(&io, &input, challenge.as_ref(), &mut deviations).await;
    let document = match found {
        // Nobody asked for a sign-in; that its well-known places are out of order is no reason to.
        Err(DiscoverError::Unreachable { .. }) if seen == probe::Seen::Open => {
            return Ok(Discovery::Open);
        }
        Err(error) => return Err(error),
        Ok(resource::Found::Document(document)) => Ok(document),
        Ok(resource::Found::Absent(absent)) => Err(absent),
    };
    let (issuer, legacy) = match (&document, seen) {
        (Ok(document), _) => {
            let issuer = issuer::choose(&io, &input, document, &mut deviations).await?;
            (issuer, Legacy::No)
        }
        // Nobody asked for a sign-in, and nothing says that there is one.
        (Err(_), probe::Seen::Open) => return Ok(Discovery::Open),
        (Err(_), probe::Seen::Unclear(status)) => {
            return Err(DiscoverError::ProbeRefused { status });
        }
        (Err(absent), probe::Seen::Demanded(_)) => {
            legacy::find(&io, &input, absent, &mut deviations).await?
        }
    };
    let document = document.ok();
    let resource = match &document {
        Some(document) => ResourceId::verbatim(document.metadata.resource.clone()),
        // C-43: the old revision knows no resource metadata; the canonical URL stands for it.
        None => ResourceId::canonical(&input.server_url)
            .map_err(|why| DiscoverError::ServerUrl { why })?,
    };
    let (resource_metadata_url, resource_metadata) =
        document.map(|one| (one.url, one.metadata)).unzip();
    Ok(Discovery::SignIn(Box::new(Discovered {
        server_url: input.server_url,
        resource,
        resource_metadata,
        resource_metadata_url,
        issuer,
        legacy,
        challenge,
        deviations,
    })))
}
