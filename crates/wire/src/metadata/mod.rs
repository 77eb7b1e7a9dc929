//! Published descriptions: of an issuer (RFC 8414, OpenID Connect Discovery), of a resource
//! (RFC 9728).

pub use issuer::{IssuerMetadata, parse_issuer_metadata};
pub use resource::{ResourceMetadata, parse_resource_metadata};

use crate::{InvalidUrl, JsonError};

mod issuer;
mod resource;
#[cfg(test)]
mod tests;

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// It is no JSON document.
    #[error("{0}")]
    Json(JsonError),
    /// A member it must have is not there.
    #[error("it has no `{field}`")]
    Missing {
        /// The member.
        field: &'static str,
    },
    /// A member is no URL we may use (A016).
    #[error("its `{field}` cannot be used: {why}")]
    Url {
        /// The member.
        field: &'static str,
        /// Why.
        why: InvalidUrl,
    },
}

impl MetadataError {
    /// Whether the body was no such document at all, rather than a bad one (Q30).
    pub fn is_other_content(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Missing { .. })
    }
}
