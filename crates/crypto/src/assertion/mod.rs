//! Client assertions: a JWT that proves who we are to a token endpoint (RFC 7523).

use aws_lc_rs::error::Unspecified;
use serde::Serialize;

use crate::{Secret, SigningKey, base64url_encode};

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

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

impl SigningKey {
    /// Signs a client assertion. It is a secret for as long as it lives.
    pub fn sign(&self, claims: &AssertionClaims) -> Result<Secret, SignError> {
        let header = Header {
            typ: "JWT",
            alg: self.algorithm().as_str(),
            kid: self.key_id(),
        };
        let part = |json: Result<Vec<u8>, serde_json::Error>| {
            json.map(|json| base64url_encode(&json))
                .map_err(|source| SignError::Claims { source })
        };
        let mut token = part(serde_json::to_vec(&header))?;
        token.push('.');
        token.push_str(&part(serde_json::to_vec(claims))?);
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url_encode(&signature));
        Ok(Secret::new(token))
    }
}

#[cfg(test)]
mod tests;
