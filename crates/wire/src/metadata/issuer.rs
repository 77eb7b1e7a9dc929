//! Issuer metadata: RFC 8414 §2 and its OpenID cousin.

use serde::{Deserialize, Serialize};

use super::MetadataError;
use crate::json::Object;
use crate::{AuthMethod, InvalidUrl, JsonError, Parsed, is_json, parse_web_url};

/// What an issuer says about itself. Texts are as they came; `issuer` is compared as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IssuerMetadata {
    /// `issuer`.
    pub issuer: String,
    /// `authorization_endpoint`; absent where the issuer has no grant that needs one.
    pub authorization_endpoint: Option<String>,
    /// `token_endpoint`.
    pub token_endpoint: String,
    /// `registration_endpoint` (RFC 7591).
    pub registration_endpoint: Option<String>,
    /// `revocation_endpoint` (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// `introspection_endpoint` (RFC 7662).
    pub introspection_endpoint: Option<String>,
    /// `device_authorization_endpoint` (RFC 8628).
    pub device_authorization_endpoint: Option<String>,
    /// `jwks_uri`.
    pub jwks_uri: Option<String>,
    /// `scopes_supported`.
    pub scopes_supported: Option<Vec<String>>,
    /// `grant_types_supported`.
    pub grant_types_supported: Option<Vec<String>>,
    /// `token_endpoint_auth_methods_supported`.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`.
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// `code_challenge_methods_supported` (RFC 7636, C-42).
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// `authorization_response_iss_parameter_supported` (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// `client_id_metadata_document_supported`.
    pub client_id_metadata_document_supported: bool,
}

/// Reads issuer metadata. `content_type` is the header's value; absent is noted, other than JSON
/// is refused.
pub fn parse_issuer_metadata(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Parsed<IssuerMetadata>, MetadataError> {
    let mut object = read(content_type, body)?;
    // RFC 8414 §3.3: without `issuer` nothing says whose document this is (A006).
    let issuer = required(&mut object, "issuer")?;
    let token_endpoint = required(&mut object, "token_endpoint")?;
    check("token_endpoint", &token_endpoint)?;
    // A016: refused here, so that it is neither stored nor shown nor opened.
    let authorization_endpoint = object.text("authorization_endpoint");
    if let Some(endpoint) = &authorization_endpoint {
        check("authorization_endpoint", endpoint)?;
    }
    let metadata = IssuerMetadata {
        issuer,
        authorization_endpoint,
        token_endpoint,
        registration_endpoint: optional_url(&mut object, "registration_endpoint"),
        revocation_endpoint: optional_url(&mut object, "revocation_endpoint"),
        introspection_endpoint: optional_url(&mut object, "introspection_endpoint"),
        device_authorization_endpoint: optional_url(&mut object, "device_authorization_endpoint"),
        jwks_uri: optional_url(&mut object, "jwks_uri"),
        scopes_supported: object.texts("scopes_supported"),
        grant_types_supported: object.texts("grant_types_supported"),
        token_endpoint_auth_methods_supported: object
            .texts("token_endpoint_auth_methods_supported"),
        token_endpoint_auth_signing_alg_values_supported: object
            .texts("token_endpoint_auth_signing_alg_values_supported"),
        code_challenge_methods_supported: object.texts("code_challenge_methods_supported"),
        authorization_response_iss_parameter_supported: object
            .flag("authorization_response_iss_parameter_supported"),
        client_id_metadata_document_supported: object.flag("client_id_metadata_document_supported"),
    };
    Ok(Parsed {
        value: metadata,
        deviations: object.deviations,
    })
}

// === impl IssuerMetadata ===

impl IssuerMetadata {
    /// Whether the token endpoint takes this way of client authentication. RFC 8414 §2: where the
    /// list is absent, it takes `client_secret_basic`.
    pub fn takes(&self, method: AuthMethod) -> bool {
        self.token_endpoint_auth_methods_supported
            .as_ref()
            .map_or(method == AuthMethod::ClientSecretBasic, |list| {
                list.iter().any(|one| one == method.as_str())
            })
    }

    /// Whether this scope is listed.
    pub fn lists_scope(&self, scope: &str) -> bool {
        self.scopes_supported
            .iter()
            .flatten()
            .any(|one| one == scope)
    }
}

pub(super) fn read(content_type: Option<&str>, body: &[u8]) -> Result<Object, MetadataError> {
    if content_type.is_some_and(|value| !is_json(value)) {
        return Err(MetadataError::Json(JsonError::ContentType));
    }
    let mut object = Object::parse(body).map_err(MetadataError::Json)?;
    if content_type.is_none() {
        object.note("A014", "no content type", "content-type");
    }
    Ok(object)
}

pub(super) fn required(object: &mut Object, field: &'static str) -> Result<String, MetadataError> {
    object.text(field).ok_or(MetadataError::Missing { field })
}

pub(super) fn check(field: &'static str, text: &str) -> Result<(), MetadataError> {
    let url = parse_web_url(text).map_err(|why| MetadataError::Url { field, why })?;
    // RFC 6749 §3.1, §3.2: an endpoint has no fragment.
    if url.fragment().is_some() {
        return Err(MetadataError::Url {
            field,
            why: InvalidUrl::Fragment,
        });
    }
    Ok(())
}

fn optional_url(object: &mut Object, field: &'static str) -> Option<String> {
    let text = object.text(field)?;
    if check(field, &text).is_err() {
        object.note("A016", "no URL we may use, read as absent", field);
        return None;
    }
    Some(text)
}
