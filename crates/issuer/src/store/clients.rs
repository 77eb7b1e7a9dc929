//! Rows of clients.

use std::collections::BTreeSet;

use async_trait::async_trait;
use claviger_crypto::PublicKey;
use claviger_model::{TenantId, Timestamp, UserId};

use super::{IssuerStoreError, TokenMac};
use crate::RedirectUri;

/// How a client proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// It cannot: a public client.
    None,
    /// A JWT signed by its key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// Its secret in the `Authorization` header.
    SecretBasic,
    /// Its secret in the body.
    SecretPost,
}

/// Where a client comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientOrigin {
    /// From its metadata document; never stored.
    Document,
    /// It registered itself and is stored.
    Dynamic,
    /// It registered itself, and its id is its registration; never stored.
    Signed,
    /// An operator registered it.
    Static,
}

/// A wire mechanism that a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 8628.
    DeviceCode,
    /// RFC 6749 §6.
    RefreshToken,
}

/// A registration: what the issuer knows of a client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Made by us and never URL-shaped, or the URL of its metadata document.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// Where it comes from.
    pub origin: ClientOrigin,
    /// As it calls itself; nobody verified it.
    pub name: Option<String>,
    /// Where its codes may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it proves itself.
    pub auth: AuthMethod,
    /// Keyed MAC of its secret.
    pub secret_mac: Option<TokenMac>,
    /// Its keys, if it proves itself by one.
    pub keys: Vec<PublicKey>,
    /// What it may ask the token endpoint for.
    pub grant_types: BTreeSet<GrantType>,
    /// As whom it acts when no person is asked; an operator says so.
    pub user: Option<UserId>,
    /// The resource it is; it may ask about tokens for it. An operator says so.
    pub resource: Option<String>,
    /// Keyed MAC of its registration access token.
    pub registration_mac: Option<TokenMac>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last used, to the day.
    pub used_at: Option<Timestamp>,
}

/// Rows of clients.
#[async_trait]
pub trait ClientRows: Send + Sync + 'static {
    /// Adds a client. [`IssuerStoreError::Full`] ends a flood of registrations (A028); what an
    /// operator registers always fits.
    async fn insert_client(&self, client: Client) -> Result<(), IssuerStoreError>;

    /// A client that is stored.
    async fn find_client(&self, id: &str) -> Result<Option<Client>, IssuerStoreError>;

    /// Replaces a client's row; `false` if there is none.
    async fn update_client(&self, client: Client) -> Result<bool, IssuerStoreError>;

    /// Remembers that a stored client was used. Writes once a day at most.
    async fn use_client(&self, id: &str, now: Timestamp) -> Result<(), IssuerStoreError>;

    /// Ends a client, stored or not, with every request, code, grant and token of its own (A046).
    /// Its id is remembered, since a signed one would else come back.
    async fn retire_client(&self, id: &str, now: Timestamp) -> Result<(), IssuerStoreError>;

    /// Whether this id was retired.
    async fn is_client_retired(&self, id: &str) -> Result<bool, IssuerStoreError>;
}

// === impl AuthMethod ===

impl AuthMethod {
    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
        }
    }

    /// Reads what stands on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::None,
            Self::PrivateKeyJwt,
            Self::SecretBasic,
            Self::SecretPost,
        ]
        .into_iter()
        .find(|method| method.as_str() == text)
    }

    /// Whether a secret of ours goes with it.
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::SecretBasic | Self::SecretPost)
    }
}

// === impl GrantType ===

impl GrantType {
    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// Reads what stands on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::AuthorizationCode,
            Self::ClientCredentials,
            Self::DeviceCode,
            Self::RefreshToken,
        ]
        .into_iter()
        .find(|grant_type| grant_type.as_str() == text)
    }
}

// === impl Client ===

impl Client {
    /// Whether it may use this grant type.
    pub fn may(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// Whether one of its redirect URIs is this one.
    pub fn redirects_to(&self, redirect_uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|one| one.matches(redirect_uri))
    }

    /// Whether it proves itself in no way.
    pub fn is_public(&self) -> bool {
        self.auth == AuthMethod::None
    }
}
