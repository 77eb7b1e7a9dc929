//! Signed JWTs (RFC 7515, RFC 7519): ours are made, others' are read and verified.

use core::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::assertion::SignError;
use crate::{PublicKey, Secret, SigningAlgorithm, SigningKey, base64url_decode, base64url_encode};

/// A signed JWT taken apart; nothing of it is verified.
#[derive(Clone)]
pub struct UnverifiedJws {
    header: Map<String, Value>,
    algorithm: SigningAlgorithm,
    signed: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

// === impl UnverifiedJws ===

impl UnverifiedJws {
    /// Reads a compact JWS. `none`, symmetric algorithms and critical extensions have no meaning
    /// here (RFC 8725 §3.1, RFC 7515 §4.1.11).
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let header: Map<String, Value> = serde_json::from_slice(&base64url_decode(header)?).ok()?;
        if header.contains_key("crit") {
            return None;
        }
        Some(Self {
            algorithm: SigningAlgorithm::parse(header.get("alg")?.as_str()?)?,
            header,
            signed: signed.as_bytes().to_vec(),
            payload: base64url_decode(payload)?,
            signature: base64url_decode(signature)?,
        })
    }

    /// `typ`.
    pub fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// `kid`.
    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// `sub`, to find out whose key is needed; nothing of it is proven.
    pub fn unverified_subject(&self) -> Option<String> {
        let claims: Map<String, Value> = serde_json::from_slice(&self.payload).ok()?;
        claims.get("sub")?.as_str().map(str::to_owned)
    }

    /// The key it brings along in `jwk`; proof of nothing but its possession.
    pub fn embedded_key(&self) -> Option<PublicKey> {
        PublicKey::from_jwk(self.header.get("jwk")?).ok()
    }

    /// The claims, if this key signed them.
    pub fn verify(&self, key: &PublicKey) -> Option<Map<String, Value>> {
        if !key.verifies(self.algorithm, &self.signed, &self.signature) {
            return None;
        }
        serde_json::from_slice(&self.payload).ok()
    }
}

// It may be a credential.
impl fmt::Debug for UnverifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJws")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// Signs claims as a JWT of this type. It is a secret for as long as it lives.
    pub fn sign_jwt(&self, typ: &str, claims: &impl Serialize) -> Result<Secret, SignError> {
        let header = Header {
            typ,
            alg: self.algorithm().as_str(),
            kid: self.key_id(),
        };
        self.sign_with_header(&header, claims)
    }

    /// Signs claims under a header of the caller's; its `alg` has to be the key's.
    pub fn sign_with_header(
        &self,
        header: &impl Serialize,
        claims: &impl Serialize,
    ) -> Result<Secret, SignError> {
        let part = |json: Result<Vec<u8>, serde_json::Error>| {
            json.map(|json| base64url_encode(&json))
                .map_err(|source| SignError::Claims { source })
        };
        let mut token = part(serde_json::to_vec(header))?;
        token.push('.');
        token.push_str(&part(serde_json::to_vec(claims))?);
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url_encode(&signature));
        Ok(Secret::new(token))
    }
}

const MAX_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(algorithm: SigningAlgorithm) -> SigningKey {
        SigningKey::from_pem(&SigningKey::generate_pem(algorithm).unwrap()).unwrap()
    }

    #[test]
    fn what_we_sign_our_public_key_verifies() {
        for algorithm in [
            SigningAlgorithm::EdDsa,
            SigningAlgorithm::Es256,
            SigningAlgorithm::Es384,
        ] {
            let key = key(algorithm).with_key_id("k1");
            let public = key.public_key().unwrap();
            let token = key.sign_jwt("at+jwt", &json!({"sub": "u"})).unwrap();
            let read = UnverifiedJws::read(token.expose()).unwrap();
            assert_eq!((read.typ(), read.key_id()), (Some("at+jwt"), Some("k1")));
            assert_eq!(read.verify(&public).unwrap()["sub"], "u");
            assert_eq!(public.key_id(), Some("k1"));
        }
    }

    #[test]
    fn another_key_a_changed_text_and_no_algorithm_verify_nothing() {
        let one = key(SigningAlgorithm::Es256);
        let other = key(SigningAlgorithm::Es256);
        let token = one.sign_jwt("JWT", &json!({"sub": "u"})).unwrap();
        let read = UnverifiedJws::read(token.expose()).unwrap();
        assert!(read.verify(&other.public_key().unwrap()).is_none());
        let (front, signature) = token.expose().rsplit_once('.').unwrap();
        let (header, _) = front.split_once('.').unwrap();
        let payload = base64url_encode(br#"{"sub":"v"}"#);
        let changed = format!("{header}.{payload}.{signature}");
        let read = UnverifiedJws::read(&changed).unwrap();
        assert!(read.verify(&one.public_key().unwrap()).is_none());
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"ES256","crit":["b64"]}"#,
            "{}",
            "[]",
        ] {
            let text = format!(
                "{}.{payload}.{signature}",
                base64url_encode(header.as_bytes())
            );
            assert!(UnverifiedJws::read(&text).is_none(), "{header}");
        }
        for text in ["", "a.b", "a.b.c.d", "...", &"a".repeat(20_000)] {
            assert!(UnverifiedJws::read(text).is_none());
        }
    }
}
