//! What a resource publishes about itself: RFC 9728.

use claviger_model::Fault;
use claviger_wire::ScopeSet;
use serde::Serialize;
use url::Url;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A text that cannot be a resource identifier, or metadata that would name no issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidResource {
    /// RFC 9728 §1.2.
    #[error("the resource identifier has a fragment; remove it")]
    Fragment,
    ///
    #[error("the resource names no issuer; give at least one")]
    NoIssuer,
    /// Not an `https` URL, nor `http` on loopback.
    #[error("the resource identifier is no https URL; use the URL that clients connect to")]
    NotAUrl,
}

/// A resource's metadata, as it is published. What is empty is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<String>,
    #[serde(skip)]
    url: Url,
}

// === impl InvalidResource ===

impl InvalidResource {
    /// Who has to act: whoever configures the resource.
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

// === impl ResourceMetadata ===

impl ResourceMetadata {
    /// Describes `resource`, the URL exactly as clients type it, and the issuers of its tokens.
    pub fn new(resource: &str, issuers: Vec<String>) -> Result<Self, InvalidResource> {
        let Ok(url) = Url::parse(resource) else {
            return Err(InvalidResource::NotAUrl);
        };
        let loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(InvalidResource::NotAUrl);
        }
        if url.fragment().is_some() {
            return Err(InvalidResource::Fragment);
        }
        if issuers.is_empty() {
            return Err(InvalidResource::NoIssuer);
        }
        Ok(Self {
            resource: resource.to_owned(),
            authorization_servers: issuers,
            scopes_supported: Vec::new(),
            bearer_methods_supported: ["header"],
            resource_name: None,
            resource_documentation: None,
            url,
        })
    }

    /// The scopes for basic use; `offline_access` is never among them.
    #[must_use]
    pub fn with_scopes(mut self, scopes: &ScopeSet) -> Self {
        self.scopes_supported = scopes
            .iter()
            .filter(|scope| scope.as_str() != "offline_access")
            .map(ToString::to_string)
            .collect();
        self
    }

    /// A name for people.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.resource_name = Some(name.to_owned());
        self
    }

    /// Where people read about the resource.
    #[must_use]
    pub fn with_documentation(mut self, url: &str) -> Self {
        self.resource_documentation = Some(url.to_owned());
        self
    }

    /// The resource identifier.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    // RFC 9728 §3.1: the well-known part goes between host and path. A resource with a path has no
    // root document: strict clients refuse one whose `resource` is not what they asked for.
    /// The path of the document on the resource's own origin.
    pub fn well_known_path(&self) -> String {
        match self.url.path() {
            "/" => WELL_KNOWN.to_owned(),
            path => format!("{WELL_KNOWN}{path}"),
        }
    }

    /// The URL of the document, for the challenge.
    pub fn well_known_url(&self) -> String {
        let origin = self.url.origin().ascii_serialization();
        let query = self
            .url
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        format!("{origin}{}{query}", self.well_known_path())
    }

    /// The document.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(resource: &str) -> Result<ResourceMetadata, InvalidResource> {
        ResourceMetadata::new(resource, vec!["https://as.example".to_owned()])
    }

    #[test]
    fn r01_r04_r06_r07_prints_resource_and_issuer_and_leaves_out_what_is_empty() {
        let plain = metadata("https://a.example/mcp").unwrap();
        assert_eq!(
            plain.to_json(),
            serde_json::json!({
                "resource": "https://a.example/mcp",
                "authorization_servers": ["https://as.example"],
                "bearer_methods_supported": ["header"],
            })
        );
        let scoped = plain.with_scopes(&ScopeSet::parse_lossy("read offline_access"));
        assert_eq!(
            scoped.to_json()["scopes_supported"],
            serde_json::json!(["read"])
        );
    }

    #[test]
    fn r03_inserts_the_well_known_part_before_the_path() {
        for (resource, expected) in [
            (
                "https://a.example/x/mcp",
                "https://a.example/.well-known/oauth-protected-resource/x/mcp",
            ),
            (
                "https://a.example",
                "https://a.example/.well-known/oauth-protected-resource",
            ),
            (
                "http://127.0.0.1:81/mcp?k=v",
                "http://127.0.0.1:81/.well-known/oauth-protected-resource/mcp?k=v",
            ),
        ] {
            assert_eq!(metadata(resource).unwrap().well_known_url(), expected);
        }
    }

    #[test]
    fn refuses_what_cannot_be_a_resource() {
        for (resource, expected) in [
            ("http://a.example/mcp", InvalidResource::NotAUrl),
            ("http://127.0.0.1.evil/mcp", InvalidResource::NotAUrl),
            ("/mcp", InvalidResource::NotAUrl),
            ("https://a.example/mcp#x", InvalidResource::Fragment),
        ] {
            assert_eq!(metadata(resource), Err(expected), "{resource}");
        }
        assert_eq!(
            ResourceMetadata::new("https://a.example", Vec::new()),
            Err(InvalidResource::NoIssuer)
        );
    }
}
