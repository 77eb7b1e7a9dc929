//! What an issuer knows us as, and how we prove it.

use claviger_crypto::{AssertionClaims, Secret, SigningKey, base64url_encode};
use claviger_model::{Fault, RegistrationOrigin, Timestamp};
use claviger_wire::{AuthMethod, ClientAuth};

/// Client information in use: the stored row with its secrets opened (Q11).
#[derive(Debug, Clone)]
pub struct ClientInformation {
    /// The issuer it holds for; compared as text. Nothing of it goes to any other (C-31).
    pub issuer: String,
    /// How it came to be.
    pub origin: RegistrationOrigin,
    /// The client id.
    pub client_id: String,
    /// The secret.
    pub secret: Option<Secret>,
    /// The private key for `private_key_jwt`, as PKCS#8 PEM.
    pub private_key: Option<Secret>,
    /// How we prove ourselves, as granted (Q17).
    pub auth_method: AuthMethod,
    /// The redirect URI it was made with, byte for byte.
    pub redirect_uri: Option<String>,
    /// When the secret ends; `None` is never or unknown (Q10).
    pub secret_expires_at: Option<Timestamp>,
    /// RFC 7592 management address.
    pub registration_client_uri: Option<String>,
    /// RFC 7592 management token.
    pub registration_access_token: Option<Secret>,
}

/// Why we cannot prove ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// The client information is another issuer's (C-32, C-58).
    #[error("the client information was made for another issuer; register anew")]
    Issuer,
    /// The private key cannot be used.
    #[error("the private key cannot be used: PKCS#8 PEM with an EC, RSA or Ed25519 key is needed")]
    Key,
    /// The way of proving needs something that is not there.
    #[error("the client information lacks what `{method}` needs")]
    Lacks {
        /// The way.
        method: AuthMethod,
    },
}

// === impl ClientInformation ===

impl ClientInformation {
    /// A client with nothing but an id.
    pub fn public(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        origin: RegistrationOrigin,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            origin,
            client_id: client_id.into(),
            secret: None,
            private_key: None,
            auth_method: AuthMethod::None,
            redirect_uri: None,
            secret_expires_at: None,
            registration_client_uri: None,
            registration_access_token: None,
        }
    }

    /// Whether `other` says nothing that this does not: a secret that was renewed under the same id
    /// must be kept, since the old one is of no use any more. The operator's own secrets are in the
    /// settings, and never in a registration.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let secret = |one: &Option<Secret>| one.as_ref().map(|one| one.expose().to_owned());
        other.origin == RegistrationOrigin::Static
            || (self.auth_method == other.auth_method
                && secret(&self.secret) == secret(&other.secret)
                && secret(&self.registration_access_token)
                    == secret(&other.registration_access_token)
                && self.secret_expires_at == other.secret_expires_at
                && self.registration_client_uri == other.registration_client_uri)
    }

    /// Exactly one way of proving, for exactly this issuer. `jti` is fresh randomness.
    pub(crate) fn authenticate(
        &self,
        issuer: &str,
        raw_basic: bool,
        jti: [u8; 16],
        now: Timestamp,
    ) -> Result<ClientAuth, AuthenticateError> {
        if self.issuer != issuer {
            return Err(AuthenticateError::Issuer);
        }
        let lacks = AuthenticateError::Lacks {
            method: self.auth_method,
        };
        let client_id = self.client_id.clone();
        Ok(match self.auth_method {
            AuthMethod::ClientSecretBasic => ClientAuth::Basic {
                client_id,
                secret: self.secret.clone().ok_or(lacks)?,
                raw: raw_basic,
            },
            AuthMethod::ClientSecretPost => ClientAuth::Post {
                client_id,
                secret: self.secret.clone().ok_or(lacks)?,
            },
            AuthMethod::PrivateKeyJwt => ClientAuth::Jwt {
                assertion: self.assertion(issuer, jti, now)?,
            },
            AuthMethod::None => ClientAuth::None { client_id },
            _ => return Err(lacks),
        })
    }

    /// RFC 7523 §3. The audience is the issuer and nothing else, so that an assertion that a
    /// hostile issuer lures out of us is worth nothing anywhere else (A018).
    fn assertion(
        &self,
        issuer: &str,
        jti: [u8; 16],
        now: Timestamp,
    ) -> Result<Secret, AuthenticateError> {
        let pem = self.private_key.as_ref().ok_or(AuthenticateError::Lacks {
            method: self.auth_method,
        })?;
        let Ok(key) = SigningKey::from_pem(pem) else {
            return Err(AuthenticateError::Key);
        };
        let claims = AssertionClaims {
            issuer: self.client_id.clone(),
            subject: self.client_id.clone(),
            audience: issuer.to_owned(),
            issued_at: now.as_secs(),
            expires_at: now.plus(ASSERTION_TTL_S).as_secs(),
            id: base64url_encode(&jti),
        };
        key.sign(&claims).or(Err(AuthenticateError::Key))
    }
}

// === impl AuthenticateError ===

impl AuthenticateError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

const ASSERTION_TTL_S: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q11_a_secret_that_was_renewed_under_the_same_id_says_something_new() {
        let of = |secret: &str, origin: RegistrationOrigin| ClientInformation {
            secret: Some(Secret::new(secret)),
            ..ClientInformation::public("https://i.example", "id", origin)
        };
        let stored = of("old", RegistrationOrigin::Dynamic);
        assert!(stored.says_the_same(&stored.clone()));
        assert!(!stored.says_the_same(&of("new", RegistrationOrigin::Dynamic)));
        let later = ClientInformation {
            secret_expires_at: Some(Timestamp::from_secs(1)),
            ..stored.clone()
        };
        assert!(!stored.says_the_same(&later));
        // The operator's own secret is in the settings.
        assert!(stored.says_the_same(&of("new", RegistrationOrigin::Static)));
    }
}
