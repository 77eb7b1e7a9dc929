//! Client information: what an issuer knows us as.

use serde::{Deserialize, Serialize};

use crate::{RegistrationId, ServerId, TenantId, Timestamp};

/// How a client id came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationOrigin {
    /// Our client id metadata document's URL; portable between issuers.
    Document,
    /// RFC 7591.
    Dynamic,
    /// Given by the operator.
    Static,
}

/// Client information as it is stored, keyed by (tenant, server, issuer) (C-31).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Id.
    pub id: RegistrationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// For which server it was made.
    pub server: ServerId,
    /// The issuer it holds for; compared as text.
    pub issuer: String,
    /// How it came to be.
    pub origin: RegistrationOrigin,
    /// The client id.
    pub client_id: String,
    /// `token_endpoint_auth_method` as granted (Q17).
    pub auth_method: String,
    /// The redirect URI it was made with, byte for byte (Q24, M6).
    pub redirect_uri: Option<String>,
    /// When the secret ends (Q10); `None` is never or unknown.
    pub secret_expires_at: Option<Timestamp>,
    /// RFC 7592 management address.
    pub registration_client_uri: Option<String>,
    /// Sealed JSON: client secret, registration access token (Q11).
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}
