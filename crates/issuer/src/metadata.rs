//! What the issuer publishes about itself: RFC 8414.

use claviger_wire::ScopeSet;
use serde::Serialize;

use crate::{Issuer, RegistrationMode};

/// The metadata document. What is not offered is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    #[serde(skip_serializing_if = "ScopeSet::is_empty")]
    scopes_supported: ScopeSet,
    response_types_supported: &'static [&'static str],
    response_modes_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    code_challenge_methods_supported: &'static [&'static str],
    authorization_response_iss_parameter_supported: bool,
    protected_resources: Vec<String>,
}

const AUTH_METHODS: &[&str] = &["none", "client_secret_basic", "client_secret_post"];

impl Issuer {
    // A025: from the settings alone; no request says who we are.
    /// The document.
    pub fn metadata(&self) -> IssuerMetadata {
        let settings = &self.settings;
        let open = settings.registration == RegistrationMode::Open;
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
            registration_endpoint: open.then(|| self.endpoint_url("register")),
            scopes_supported: scopes,
            response_types_supported: &["code"],
            response_modes_supported: &["query"],
            grant_types_supported: &["authorization_code", "refresh_token"],
            token_endpoint_auth_methods_supported: AUTH_METHODS,
            revocation_endpoint_auth_methods_supported: AUTH_METHODS,
            code_challenge_methods_supported: &["S256"],
            authorization_response_iss_parameter_supported: true,
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
        }
        paths
    }
}
