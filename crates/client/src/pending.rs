//! An authorization request in flight, as another process may finish it (C-51, N14).

use claviger_crypto::Secret;
use claviger_model::{RegistrationOrigin, Timestamp};
use claviger_wire::{AuthMethod, ScopeSet};
use serde::{Deserialize, Serialize};

use crate::ClientInformation;

/// Everything that redeeming needs, fixed before the browser was sent away. Later documents of the
/// server or the issuer change nothing of it (C-58).
#[derive(Debug, Clone)]
pub struct PendingAuthorization {
    /// The server.
    pub server_url: String,
    /// The issuer the browser was sent to; `iss` is compared with it.
    pub issuer: String,
    /// The only place the code may go to.
    pub token_endpoint: String,
    /// Where the tokens can be revoked later.
    pub revocation_endpoint: Option<String>,
    /// Whether the issuer said that it sends `iss` (RFC 9207 §3).
    pub iss_supported: bool,
    /// Whether the endpoints were only guessed (C-13).
    pub is_guessed: bool,
    /// The PKCE verifier.
    pub verifier: Secret,
    /// The state.
    pub state: Secret,
    /// `resource` as it was sent; empty where none was.
    pub resource: String,
    /// The scopes that were asked for.
    pub scopes: Option<ScopeSet>,
    /// The redirect URI, byte for byte (Q24).
    pub redirect_uri: String,
    /// What the issuer knows us as.
    pub client: ClientInformation,
}

/// A stored authorization request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored authorization request cannot be read (line {line}, column {column})")]
pub struct InvalidPending {
    line: usize,
    column: usize,
}

/// The same, in the open, for the moment between opening and using it.
#[derive(Serialize, Deserialize)]
struct Open<'a> {
    v: u8,
    server_url: String,
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: Option<String>,
    iss_supported: bool,
    is_guessed: bool,
    verifier: &'a str,
    state: &'a str,
    resource: String,
    scopes: Option<ScopeSet>,
    redirect_uri: String,
    client: OpenClient,
}

#[derive(Serialize, Deserialize)]
struct OpenClient {
    origin: RegistrationOrigin,
    client_id: String,
    secret: Option<String>,
    private_key: Option<String>,
    auth_method: AuthMethod,
    redirect_uri: Option<String>,
    secret_expires_at: Option<Timestamp>,
}

// === impl PendingAuthorization ===

impl PendingAuthorization {
    /// The whole as one secret text, to be sealed.
    pub fn to_secret(&self) -> Secret {
        let open = |secret: &Option<Secret>| secret.as_ref().map(|one| one.expose().to_owned());
        let client = &self.client;
        let text = serde_json::to_string(&Open {
            v: 1,
            server_url: self.server_url.clone(),
            issuer: self.issuer.clone(),
            token_endpoint: self.token_endpoint.clone(),
            revocation_endpoint: self.revocation_endpoint.clone(),
            iss_supported: self.iss_supported,
            is_guessed: self.is_guessed,
            verifier: self.verifier.expose(),
            state: self.state.expose(),
            resource: self.resource.clone(),
            scopes: self.scopes.clone(),
            redirect_uri: self.redirect_uri.clone(),
            client: OpenClient {
                origin: client.origin,
                client_id: client.client_id.clone(),
                secret: open(&client.secret),
                private_key: open(&client.private_key),
                auth_method: client.auth_method,
                redirect_uri: client.redirect_uri.clone(),
                secret_expires_at: client.secret_expires_at,
            },
        });
        // A struct of texts always has a JSON form.
        Secret::new(text.unwrap_or_default())
    }

    /// Reads what `to_secret` wrote.
    pub fn from_secret(text: &Secret) -> Result<Self, InvalidPending> {
        let open: Open<'_> =
            serde_json::from_str(text.expose()).map_err(|error| InvalidPending {
                line: error.line(),
                column: error.column(),
            })?;
        let client = ClientInformation {
            secret: open.client.secret.map(Secret::new),
            private_key: open.client.private_key.map(Secret::new),
            auth_method: open.client.auth_method,
            redirect_uri: open.client.redirect_uri,
            secret_expires_at: open.client.secret_expires_at,
            ..ClientInformation::public(&open.issuer, open.client.client_id, open.client.origin)
        };
        Ok(Self {
            server_url: open.server_url,
            issuer: open.issuer,
            token_endpoint: open.token_endpoint,
            revocation_endpoint: open.revocation_endpoint,
            iss_supported: open.iss_supported,
            is_guessed: open.is_guessed,
            verifier: Secret::new(open.verifier),
            state: Secret::new(open.state),
            resource: open.resource,
            scopes: open.scopes,
            redirect_uri: open.redirect_uri,
            client,
        })
    }
}

// === impl InvalidPending ===

impl InvalidPending {
    /// Who has to act.
    pub const fn fault(&self) -> claviger_model::Fault {
        claviger_model::Fault::Us
    }
}
