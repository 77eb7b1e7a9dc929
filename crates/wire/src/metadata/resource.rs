//! Resource metadata: RFC 9728 §2.

use serde::{Deserialize, Serialize};

use super::MetadataError;
use super::issuer::{check, read, required};
use crate::Parsed;

/// What a resource says about itself. Texts are as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceMetadata {
    /// `resource`: sent back byte for byte as RFC 8707's `resource` (Q29).
    pub resource: String,
    /// `authorization_servers`: the issuers to pick from (C-07).
    pub authorization_servers: Vec<String>,
    /// `scopes_supported`; an empty list is kept apart from none (M8).
    pub scopes_supported: Option<Vec<String>>,
    /// `resource_name`.
    pub resource_name: Option<String>,
    /// `bearer_methods_supported`.
    pub bearer_methods_supported: Option<Vec<String>>,
}

/// Reads resource metadata. `content_type` is the header's value; absent is noted, other than JSON
/// is refused.
pub fn parse_resource_metadata(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Parsed<ResourceMetadata>, MetadataError> {
    let mut object = read(content_type, body)?;
    let resource = required(&mut object, "resource")?;
    check("resource", &resource)?;
    let metadata = ResourceMetadata {
        resource,
        authorization_servers: object.texts("authorization_servers").unwrap_or_default(),
        scopes_supported: object.texts("scopes_supported"),
        resource_name: object.text("resource_name"),
        bearer_methods_supported: object.texts("bearer_methods_supported"),
    };
    Ok(Parsed {
        value: metadata,
        deviations: object.deviations,
    })
}
