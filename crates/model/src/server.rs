//! A server: one upstream MCP server in the catalogue.

use claviger_wire::ScopeSet;
use serde::{Deserialize, Serialize};

use crate::{ServerId, Slug, TenantId, Timestamp};

/// A row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Id; also the last segment of the sign-in callback's path (A079).
    pub id: ServerId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name in the address.
    pub slug: Slug,
    /// Name for people.
    pub display_name: String,
    /// The upstream MCP endpoint, exactly as it was typed.
    pub url: String,
    /// How requests to it are authorized.
    pub auth: Auth,
    /// Private and loopback addresses of this host may be dialled.
    pub allow_private: bool,
    /// Off: nothing is forwarded.
    pub enabled: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// How requests to a server are authorized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Auth {
    /// Fixed headers.
    Headers {
        /// The headers, in order.
        headers: Vec<HeaderTemplate>,
    },
    /// Nothing is attached.
    None,
    /// OAuth, by discovery where a setting is absent.
    Oauth(Box<OauthSettings>),
}

/// One fixed header; its value is sealed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderTemplate {
    /// Header name.
    pub name: String,
    /// The sealed value, in base64.
    pub sealed_value: String,
}

/// What an operator fixed instead of leaving it to discovery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OauthSettings {
    /// Which grant obtains the credential.
    pub grant: Grant,
    /// A pre-registered client id.
    pub client_id: Option<String>,
    /// Its sealed secret, in base64.
    pub sealed_client_secret: Option<String>,
    /// Its sealed private key (PKCS#8 PEM), in base64.
    pub sealed_private_key: Option<String>,
    /// The `https` URL of our client id metadata document.
    pub client_metadata_url: Option<String>,
    /// Only this issuer.
    pub issuer: Option<String>,
    /// Exactly these scopes.
    pub scopes: Option<ScopeSet>,
}

/// The grant that obtains a server's credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grant {
    /// A person signs in (RFC 6749 §4.1 with PKCE).
    #[default]
    AuthorizationCode,
    /// Claviger signs in as itself (RFC 6749 §4.4).
    ClientCredentials,
}
