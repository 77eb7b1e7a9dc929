//! The form of access tokens: opaque, or a JWT that others can verify (RFC 9068).
//!
//! A JWT has a row like any other token, so that we verify, tell about and revoke it alike. Who
//! verifies it by its signature alone learns of a revocation when it expires.

use core::fmt;
use std::sync::{Arc, PoisonError};

use claviger_crypto::{PublicKey, Secret, SignError, SigningAlgorithm, SigningKey, TokenKind, hex};
use claviger_model::Timestamp;
use claviger_wire::ScopeSet;
use serde_json::{Value, json};

use crate::{AccessRow, EndpointError, ErrorCode, Family, Issuer};

/// The key that signs, and those that are published beside it.
#[derive(Clone)]
pub struct SigningKeys {
    signing: Arc<SigningKey>,
    public: PublicKey,
    beside: Vec<PublicKey>,
}

/// Keys that cannot sign access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("access tokens are signed by Ed25519 or P-256 keys; make one of these")]
pub struct InvalidSigningKeys;

// === impl SigningKeys ===

impl SigningKeys {
    /// This key signs; its name is its thumbprint.
    pub fn new(signing: SigningKey) -> Result<Self, InvalidSigningKeys> {
        let algorithm = signing.algorithm();
        if !matches!(algorithm, SigningAlgorithm::EdDsa | SigningAlgorithm::Es256) {
            return Err(InvalidSigningKeys);
        }
        let public = signing.public_key().ok_or(InvalidSigningKeys)?;
        let signing = signing.with_key_id(public.thumbprint());
        let public = public.with_names(signing.key_id(), algorithm);
        Ok(Self {
            signing: Arc::new(signing),
            public,
            beside: Vec::new(),
        })
    }

    /// Publishes another key: the next one before it signs, the last one until what it signed is
    /// over.
    #[must_use]
    pub fn beside(mut self, key: PublicKey) -> Self {
        self.beside.push(key);
        self
    }

    /// The public part of the key that signs.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn key_set(&self) -> Value {
        let keys = core::iter::once(&self.public).chain(&self.beside);
        json!({ "keys": keys.map(PublicKey::to_jwk).collect::<Vec<_>>() })
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("public", &self.public)
            .field("beside", &self.beside)
            .finish_non_exhaustive()
    }
}

// === impl Issuer ===

impl Issuer {
    /// Signs access tokens with these keys from now on; before the first time they are opaque.
    pub fn sign_access_tokens(&self, keys: SigningKeys) {
        *self.signing.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }

    /// Whether access tokens are JWTs.
    pub fn signs_access_tokens(&self) -> bool {
        self.signing_keys().is_some()
    }

    /// The public keys, for whoever verifies access tokens by signature.
    pub fn key_set(&self) -> Value {
        match self.signing_keys() {
            Some(keys) => keys.key_set(),
            None => json!({ "keys": [] }),
        }
    }

    /// A fresh access token of a family, and its row.
    pub(crate) fn mint_access(
        &self,
        family: &Family,
        scopes: ScopeSet,
        dpop_jkt: Option<String>,
        now: Timestamp,
    ) -> Result<(Secret, AccessRow), EndpointError> {
        let mut row = AccessRow {
            mac: [0; 32],
            grant: family.grant.clone(),
            client_id: family.client_id.clone(),
            resource: family.resource.clone(),
            scopes,
            tenant: family.tenant.clone(),
            user: family.user.clone(),
            dpop_jkt,
            issued_at: now,
            expires_at: now.plus(self.settings.access_ttl_s.into()),
        };
        let token = match self.signing_keys() {
            Some(keys) => self.sign(&row, &keys)?,
            None => self.mint(TokenKind::Access).0,
        };
        row.mac = self.token_mac(&token);
        Ok((token, row))
    }

    // RFC 9068 §2.2.
    fn sign(&self, row: &AccessRow, keys: &SigningKeys) -> Result<Secret, EndpointError> {
        let mut claims = json!({
            "iss": self.settings.issuer,
            "sub": row.user.as_str(),
            "aud": row.resource,
            "client_id": row.client_id,
            "scope": row.scopes.to_string(),
            "iat": row.issued_at.as_secs(),
            "exp": row.expires_at.as_secs(),
            "jti": hex(&self.doors.entropy.id_bytes()),
        });
        if let Some(jkt) = &row.dpop_jkt {
            claims["cnf"] = json!({ "jkt": jkt });
        }
        keys.signing.sign_jwt("at+jwt", &claims).or_else(not_signed)
    }

    fn signing_keys(&self) -> Option<SigningKeys> {
        self.signing
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn not_signed(source: SignError) -> Result<Secret, EndpointError> {
    Err(EndpointError::new(
        ErrorCode::TemporarilyUnavailable,
        "the issuer cannot sign at the moment; try again",
    )
    .with_source(source))
}
