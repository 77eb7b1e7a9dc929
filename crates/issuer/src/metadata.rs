//! What the issuer publishes about itself: RFC 8414.

use claviger_wire::ScopeSet;
use serde::Serialize;

use crate::{GrantType, Issuer, RegistrationMode};

/// The metadata document. What is not offered is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the registry of RFC 8414 has as many"
)]
pub struct IssuerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    device_authorization_endpoint: String,
    pushed_authorization_request_endpoint: String,
    jwks_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    #[serde(skip_serializing_if = "ScopeSet::is_empty")]
    scopes_supported: ScopeSet,
    response_types_supported: &'static [&'static str],
    response_modes_supported: &'static [&'static str],
    grant_types_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: &'static [&'static str],
    token_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
    introspection_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    dpop_signing_alg_values_supported: &'static [&'static str],
    code_challenge_methods_supported: &'static [&'static str],
    authorization_response_iss_parameter_supported: bool,
    client_id_metadata_document_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    protected_resources: Vec<String>,
}

const AUTH_METHODS: &[&str] = &[
    "none",
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
];
// A133: nobody asks about tokens without a proof.
const RESOURCE_AUTH_METHODS: &[&str] = &[
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
];
const SIGNING_ALGORITHMS: &[&str] = &["EdDSA", "ES256", "ES384", "PS256", "RS256"];
const GRANT_TYPES: [GrantType; 4] = [
    GrantType::AuthorizationCode,
    GrantType::RefreshToken,
    GrantType::DeviceCode,
    GrantType::ClientCredentials,
];

impl Issuer {
    // A025: from the settings alone; no request says who we are.
    /// The document.
    pub fn metadata(&self) -> IssuerMetadata {
        let settings = &self.settings;
        let open = settings.registration != RegistrationMode::Off;
        let scopes = settings
            .resources
            .iter()
            .fold(ScopeSet::new(), |sum, one| sum.union(&one.scopes));
        let resources = settings.resources.iter();
        IssuerMetadata {
            issuer: settings.issuer.clone(),
            authorization_endpoint: self.endpoint_url("authorize"),
            token_endpoint: self.endpoint_url("token"),
            revocation_endpoint: self.endpoint_url("revoke"),
            introspection_endpoint: self.endpoint_url("oauth/introspect"),
            device_authorization_endpoint: self.endpoint_url("oauth/device_authorization"),
            pushed_authorization_request_endpoint: self.endpoint_url("oauth/par"),
            jwks_uri: self.endpoint_url("oauth/jwks"),
            registration_endpoint: open.then(|| self.endpoint_url("register")),
            scopes_supported: scopes,
            response_types_supported: &["code"],
            response_modes_supported: &["query"],
            grant_types_supported: GRANT_TYPES.iter().map(|one| one.as_str()).collect(),
            token_endpoint_auth_methods_supported: AUTH_METHODS,
            token_endpoint_auth_signing_alg_values_supported: SIGNING_ALGORITHMS,
            revocation_endpoint_auth_methods_supported: AUTH_METHODS,
            revocation_endpoint_auth_signing_alg_values_supported: SIGNING_ALGORITHMS,
            introspection_endpoint_auth_methods_supported: RESOURCE_AUTH_METHODS,
            introspection_endpoint_auth_signing_alg_values_supported: SIGNING_ALGORITHMS,
            dpop_signing_alg_values_supported: SIGNING_ALGORITHMS,
            code_challenge_methods_supported: &["S256"],
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: self.documents.is_some(),
            request_parameter_supported: false,
            // OpenID Connect Discovery §3: true if omitted, and only pushed ones are taken.
            request_uri_parameter_supported: false,
            protected_resources: resources.map(|one| one.resource.clone()).collect(),
        }
    }

    // RFC 8414 §3.1 inserts, OpenID Connect Discovery §4 appends; both names in both places.
    /// Every path at which the document is served.
    pub fn metadata_paths(&self) -> Vec<String> {
        let base = self.url.path().trim_end_matches('/');
        let mut paths: Vec<String> = ["oauth-authorization-server", "openid-configuration"]
            .into_iter()
            .map(|name| format!("/.well-known/{name}{base}"))
            .collect();
        if !base.is_empty() {
            paths.push(format!("{base}/.well-known/openid-configuration"));
            paths.push(format!("{base}/.well-known/oauth-authorization-server"));
            if self.settings.metadata_at_root {
                paths.push("/.well-known/oauth-authorization-server".to_owned());
                paths.push("/.well-known/openid-configuration".to_owned());
            }
        }
        paths
    }
}
