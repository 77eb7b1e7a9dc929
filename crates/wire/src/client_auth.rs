//! How a client proves itself at an issuer: exactly one way a request (RFC 6749 §2.3).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger_crypto::Secret;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::{self, Serializer};

/// A value of `token_endpoint_auth_method` that we can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// `client_secret_basic`.
    ClientSecretBasic,
    /// `client_secret_post`.
    ClientSecretPost,
    /// `none`: a public client.
    None,
    /// `private_key_jwt` (RFC 7523).
    PrivateKeyJwt,
}

/// One way of proving, with what it needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `Authorization: Basic`.
    Basic {
        /// The client id.
        client_id: String,
        /// The secret.
        secret: Secret,
        /// Not form-encoded first, for issuers that do not undo it (Q18).
        raw: bool,
    },
    /// A signed assertion in the body.
    Jwt {
        /// The assertion; its subject is the client.
        assertion: Secret,
    },
    /// The client id alone.
    None {
        /// The client id.
        client_id: String,
    },
    /// Id and secret in the body.
    Post {
        /// The client id.
        client_id: String,
        /// The secret.
        secret: Secret,
    },
}

// === impl AuthMethod ===

impl AuthMethod {
    /// Reads a method; `None` if it is one we cannot do.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::ClientSecretBasic,
            Self::ClientSecretPost,
            Self::None,
            Self::PrivateKeyJwt,
        ]
        .into_iter()
        .find(|method| method.as_str() == text)
    }

    /// The method as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl ClientAuth ===

impl ClientAuth {
    /// Adds what belongs in the body and gives the `Authorization` header, if there is one.
    pub(crate) fn print(&self, form: &mut Serializer<'_, String>) -> Option<Secret> {
        match self {
            Self::Basic {
                client_id,
                secret,
                raw,
            } => Some(basic(client_id, secret, *raw)),
            Self::Jwt { assertion } => {
                form.append_pair("client_assertion_type", JWT_BEARER);
                form.append_pair("client_assertion", assertion.expose());
                None
            }
            Self::None { client_id } => {
                form.append_pair("client_id", client_id);
                None
            }
            Self::Post { client_id, secret } => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", secret.expose());
                None
            }
        }
    }
}

/// RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
fn basic(client_id: &str, secret: &Secret, raw: bool) -> Secret {
    let encode = |text: &str| -> String {
        if raw {
            return text.to_owned();
        }
        form_urlencoded::byte_serialize(text.as_bytes()).collect()
    };
    let pair = Secret::new(format!("{}:{}", encode(client_id), encode(secret.expose())));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q18_basic_is_form_encoded_unless_raw() {
        let decode = |secret: Secret| {
            let text = secret.expose().strip_prefix("Basic ").unwrap().to_owned();
            String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
        };
        let secret = Secret::new("a+/%:b c");
        assert_eq!(
            decode(basic("i:d", &secret, false)),
            "i%3Ad:a%2B%2F%25%3Ab+c"
        );
        assert_eq!(decode(basic("id", &secret, true)), "id:a+/%:b c");
    }

    #[test]
    fn methods_read_back() {
        for text in [
            "none",
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ] {
            assert_eq!(AuthMethod::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(AuthMethod::parse("tls_client_auth"), None);
    }
}
