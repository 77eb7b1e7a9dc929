//! Resource identifiers (RFC 8707): kept byte for byte, matched at path boundaries.

use core::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::web_url::same_origin;
use crate::{InvalidUrl, parse_web_url};

/// A resource identifier. Equality is of the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(String);

/// How a resource's own identifier fits the server that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceMatch {
    /// The same.
    Equal,
    /// The same but for spelling: case of the host, a default port, a slash at the end (Q29).
    Equivalent,
    /// A parent of it, on the same origin, at a path boundary.
    Parent,
}

/// Why a resource's own identifier does not fit the server that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceMismatch {
    /// `http` where `https` was asked for, or the other way round.
    #[error("it has another scheme; the server may not know that it stands behind a TLS proxy")]
    Scheme,
    /// Another host or port.
    #[error("it names another host or port")]
    Origin,
    /// Another path.
    #[error("its path is neither that of the server nor a parent of it")]
    Path,
    /// Another query.
    #[error("it has another query")]
    Query,
    /// It is no identifier at all.
    #[error("it cannot be used: {0}")]
    Url(InvalidUrl),
}

// === impl ResourceId ===

impl ResourceId {
    /// C-44, C-45: the canonical identifier of a server whose own is not known: lower-case scheme
    /// and host, no default port, no fragment, no slash that means nothing.
    pub fn canonical(server_url: &str) -> Result<Self, InvalidUrl> {
        let mut url = parse_web_url(server_url)?;
        url.set_fragment(None);
        if url.path() == "/" && url.query().is_none() {
            let text = url.as_str();
            return Ok(Self(text.strip_suffix('/').unwrap_or(text).to_owned()));
        }
        Ok(Self(url.into()))
    }

    /// An identifier as a peer gave it, byte for byte.
    pub fn verbatim(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// C-06: whether this identifier, out of the server's own metadata, may stand for the server
    /// at `server_url`. A parent at a path boundary may; a neighbor never (A004, A005).
    pub fn fits(&self, server_url: &str) -> Result<ResourceMatch, ResourceMismatch> {
        if self.0 == server_url {
            return Ok(ResourceMatch::Equal);
        }
        let own = parse_web_url(&self.0).map_err(ResourceMismatch::Url)?;
        let server = parse_web_url(server_url).map_err(ResourceMismatch::Url)?;
        if own.fragment().is_some() {
            return Err(ResourceMismatch::Url(InvalidUrl::Fragment));
        }
        if !same_origin(&own, &server) {
            let only_scheme = own.host() == server.host() && own.scheme() != server.scheme();
            return Err(if only_scheme {
                ResourceMismatch::Scheme
            } else {
                ResourceMismatch::Origin
            });
        }
        if own.query().is_some() && own.query() != server.query() {
            return Err(ResourceMismatch::Query);
        }
        fits_path(&own, &server)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fits_path(own: &Url, server: &Url) -> Result<ResourceMatch, ResourceMismatch> {
    let (own_path, server_path) = (trimmed(own), trimmed(server));
    if own_path == server_path {
        let is_parent = own.query() != server.query();
        return Ok(if is_parent {
            ResourceMatch::Parent
        } else {
            ResourceMatch::Equivalent
        });
    }
    // A query belongs to one path; it cannot stand for paths below.
    let below = server_path
        .strip_prefix(own_path)
        .is_some_and(|rest| rest.starts_with('/'));
    if below && own.query().is_none() {
        return Ok(ResourceMatch::Parent);
    }
    Err(ResourceMismatch::Path)
}

fn trimmed(url: &Url) -> &str {
    let path = url.path();
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "https://h.example/a/mcp";

    #[test]
    fn c44_c45_canonical() {
        for (url, expected) in [
            ("HTTPS://H.example:443/mcp#x", "https://h.example/mcp"),
            ("https://h.example/", "https://h.example"),
            ("https://h.example:8443", "https://h.example:8443"),
            ("https://h.example/mcp/", "https://h.example/mcp/"),
        ] {
            assert_eq!(ResourceId::canonical(url).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn c06_q29_admits_the_same_and_a_parent() {
        for (text, expected) in [
            ("https://h.example/a/mcp", ResourceMatch::Equal),
            ("https://H.example:443/a/mcp/", ResourceMatch::Equivalent),
            ("https://h.example/a", ResourceMatch::Parent),
            ("https://h.example", ResourceMatch::Parent),
            ("https://h.example/", ResourceMatch::Parent),
        ] {
            assert_eq!(
                ResourceId::verbatim(text).fits(SERVER),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn a004_a005_refuses_neighbors() {
        for (text, expected) in [
            ("https://evil.example/a/mcp", ResourceMismatch::Origin),
            ("https://h.example:444/a/mcp", ResourceMismatch::Origin),
            ("http://h.example/a/mcp", ResourceMismatch::Scheme),
            ("https://h.example/a/mcp-evil", ResourceMismatch::Path),
            ("https://h.example/a/mc", ResourceMismatch::Path),
            ("https://h.example/a/mcp/x", ResourceMismatch::Path),
            ("https://h.example/A/mcp", ResourceMismatch::Path),
            ("https://h.example//a/mcp", ResourceMismatch::Path),
            ("https://h.example/a/mcp?x=1", ResourceMismatch::Query),
            ("https://h.example/a?x=1", ResourceMismatch::Query),
        ] {
            assert_eq!(
                ResourceId::verbatim(text).fits(SERVER),
                Err(expected),
                "{text}"
            );
        }
        let evil = "https://h.example/mcp-evil";
        assert_eq!(
            ResourceId::verbatim("https://h.example/mcp").fits(evil),
            Err(ResourceMismatch::Path)
        );
        assert!(
            ResourceId::verbatim("https://h.example/a/mcp#x")
                .fits(SERVER)
                .is_err()
        );
    }
}
