//! Client assertions: a JWT that proves who we are to a token endpoint (RFC 7523).

use aws_lc_rs::error::Unspecified;
use serde::Serialize;

use crate::{Secret, SigningKey};

/// What a client assertion says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssertionClaims {
    /// `iss`: our client id.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// `sub`: our client id.
    #[serde(rename = "sub")]
    pub subject: String,
    /// `aud`: the issuer it is meant for.
    #[serde(rename = "aud")]
    pub audience: String,
    /// `iat`, in seconds.
    #[serde(rename = "iat")]
    pub issued_at: i64,
    /// `exp`, in seconds.
    #[serde(rename = "exp")]
    pub expires_at: i64,
    /// `jti`: another one each time.
    #[serde(rename = "jti")]
    pub id: String,
}

/// Why an assertion was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The claims have no JSON form.
    #[error("could not write the claims")]
    Claims {
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The key did not sign.
    #[error("could not sign with this private key")]
    Failed {
        /// The cause, which says nothing.
        #[source]
        source: Unspecified,
    },
}

impl SigningKey {
    /// Signs a client assertion. It is a secret for as long as it lives.
    pub fn sign(&self, claims: &AssertionClaims) -> Result<Secret, SignError> {
        self.sign_jwt("JWT", claims)
    }
}

#[cfg(test)]
mod tests;
