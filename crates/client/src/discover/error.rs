//! Why nothing usable was found, at which place, by which rule.

use claviger_model::Fault;
use claviger_ports::FetchError;
use claviger_wire::{InvalidUrl, ResourceMismatch};

/// Why a discovery failed. Texts from peers are shortened and carry no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// An endpoint may not be used.
    #[error("the {which} endpoint of the issuer {issuer} cannot be used: {why}")]
    Endpoint {
        /// The issuer.
        issuer: String,
        /// Which endpoint.
        which: &'static str,
        /// Why.
        why: &'static str,
    },
    /// C-32, C-33, A019: the server names another issuer than the one that is pinned.
    #[error(
        "the server names {offered}, but it is bound to the issuer {pinned}; \
         change the setting if that is meant"
    )]
    IssuerChanged {
        /// The pinned issuer.
        pinned: String,
        /// What is offered now.
        offered: String,
    },
    /// C-11, A006, A007: the document at the issuer's place is another issuer's.
    #[error(
        "the issuer {listed} answers as {answered}; \
         add an alias to the quirk file if both are the same"
    )]
    IssuerMismatch {
        /// What the server lists.
        listed: String,
        /// What the document says.
        answered: String,
    },
    /// The resource metadata lists no issuer.
    #[error("the resource metadata at {place} names no issuer")]
    NoIssuer {
        /// Where.
        place: String,
    },
    /// Nothing usable at any place of the issuer (C-08, C-09).
    #[error("no usable metadata of the issuer {issuer} was found")]
    NoIssuerMetadata {
        /// The issuer.
        issuer: String,
    },
    /// Nothing usable at any place of the server (C-04).
    #[error(
        "the server publishes no usable resource metadata; \
         it needs a sign-in, but says not where (set the issuer by hand, or fixed headers)"
    )]
    NoResourceMetadata,
    /// C-42, A020: nothing says that S256 works.
    #[error(
        "the issuer {issuer} does not offer PKCE with S256; \
         if it does all the same, say so in the quirk file (s256_unadvertised)"
    )]
    NoS256 {
        /// The issuer.
        issuer: String,
    },
    /// The server answers an unauthenticated request, but neither with a sign-in nor without.
    #[error("the server answered with status {status} and asks for no sign-in")]
    ProbeRefused {
        /// The status.
        status: u16,
    },
    /// C-06, A004, A005: the resource metadata is another resource's.
    #[error("the resource metadata at {place} is about {found}, not about this server: {why}")]
    ResourceMismatch {
        /// Where.
        place: String,
        /// What it is about.
        found: String,
        /// How it differs.
        why: ResourceMismatch,
    },
    /// The server's own URL cannot be used.
    #[error("the server's URL cannot be used: {why}")]
    ServerUrl {
        /// Why.
        why: InvalidUrl,
    },
    /// Q30: no answer, which is another thing than no metadata.
    #[error("{place} cannot be reached: {cause}")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        cause: UnreachableCause,
    },
}

/// Why there was no answer to work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreachableCause {
    /// No answer at all.
    #[error("{0}")]
    Fetch(FetchError),
    /// An answer that says that it will be better later.
    #[error("it answers with status {0}")]
    Status(u16),
}

// === impl DiscoverError ===

impl DiscoverError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::IssuerChanged { .. } | Self::ServerUrl { .. } => Fault::Operator,
            Self::Unreachable { cause, .. } => cause.fault(),
            _ => Fault::Peer,
        }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { cause, .. }
            if !matches!(cause, UnreachableCause::Fetch(FetchError::Blocked { .. })))
    }
}

// === impl UnreachableCause ===

impl UnreachableCause {
    /// Who has to act: an address that is not allowed is the operator's to allow.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Fetch(FetchError::Blocked { .. }) => Fault::Operator,
            Self::Fetch(_) | Self::Status(_) => Fault::Peer,
        }
    }
}

/// A foreign identifier as it may be shown: printable, without query, shortened. Unlike a parsed
/// URL it keeps the difference between two spellings, which is what a mismatch is about.
pub(crate) fn shown(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let kept: String = text
        .get(..end)
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_graphic)
        .take(160)
        .collect();
    if kept.contains('@') {
        return "(a URL with a user name)".to_owned();
    }
    kept
}
