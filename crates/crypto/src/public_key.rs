//! Public keys in JWK form (RFC 7517), and what they verify.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
};
use serde_json::{Map, Value, json};

use crate::{SigningAlgorithm, base64url_decode, base64url_encode, sha256};

/// Somebody's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    shape: Shape,
    key_id: Option<String>,
    algorithm: Option<SigningAlgorithm>,
}

/// Why a JWK is no key of ours to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Members are missing or have another form.
    #[error("not a JSON web key")]
    Malformed,
    /// It holds the private part, too, or is symmetric.
    #[error("the key is not a public one")]
    NotPublic,
    /// For encryption, say.
    #[error("the key is not for signatures")]
    OtherUse,
    /// A kind, curve or size that is not supported.
    #[error("not a supported key: use P-256, P-384, Ed25519 or RSA of 2048 bits and more")]
    Unsupported,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Ed25519([u8; 32]),
    P256([u8; 32], [u8; 32]),
    P384([u8; 48], [u8; 48]),
    Rsa(Vec<u8>, Vec<u8>),
}

// === impl PublicKey ===

impl PublicKey {
    /// Reads a JWK. Q49: `use` and `key_ops` are heeded, and a private part is refused.
    pub fn from_jwk(jwk: &Value) -> Result<Self, PublicKeyError> {
        let jwk = jwk.as_object().ok_or(PublicKeyError::Malformed)?;
        if PRIVATE.iter().any(|member| jwk.contains_key(*member)) {
            return Err(PublicKeyError::NotPublic);
        }
        if is_for_something_else(jwk) {
            return Err(PublicKeyError::OtherUse);
        }
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        let shape = read_shape(jwk)?;
        let algorithm = match text("alg") {
            Some(name) => Some(SigningAlgorithm::parse(name).ok_or(PublicKeyError::Unsupported)?),
            None => None,
        };
        let key = Self {
            shape,
            key_id: text("kid").map(str::to_owned),
            algorithm: None,
        };
        if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
            return Err(PublicKeyError::Unsupported);
        }
        Ok(Self { algorithm, ..key })
    }

    pub(crate) fn ed25519(bytes: &[u8]) -> Option<Self> {
        Some(Self::bare(Shape::Ed25519(bytes.try_into().ok()?)))
    }

    /// Of an uncompressed point.
    pub(crate) fn ecdsa(point: &[u8]) -> Option<Self> {
        let (4, rest) = point.split_first()? else {
            return None;
        };
        let (x, y) = rest.split_at_checked(rest.len() / 2)?;
        let shape = match x.len() {
            32 => Shape::P256(x.try_into().ok()?, y.try_into().ok()?),
            48 => Shape::P384(x.try_into().ok()?, y.try_into().ok()?),
            _ => return None,
        };
        Some(Self::bare(shape))
    }

    fn bare(shape: Shape) -> Self {
        Self {
            shape,
            key_id: None,
            algorithm: None,
        }
    }

    /// Names the key in `kid`, and the only algorithm it is for.
    #[must_use]
    pub fn with_names(self, key_id: Option<&str>, algorithm: SigningAlgorithm) -> Self {
        Self {
            key_id: key_id.map(str::to_owned),
            algorithm: Some(algorithm),
            ..self
        }
    }

    /// What it is called in `kid`.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The JWK, for a key set or a row.
    pub fn to_jwk(&self) -> Value {
        let mut jwk = self.required();
        if let Some(key_id) = &self.key_id {
            jwk["kid"] = json!(key_id);
        }
        if let Some(algorithm) = self.algorithm {
            jwk["alg"] = json!(algorithm.as_str());
        }
        jwk["use"] = json!("sig");
        jwk
    }

    /// RFC 7638: SHA-256 over the required members in order.
    pub fn thumbprint(&self) -> String {
        // Written, and printed, in the order the RFC demands.
        base64url_encode(&sha256(self.required().to_string().as_bytes()))
    }

    /// Whether `signature` was made over `message` by its owner, with this algorithm.
    pub fn verifies(&self, algorithm: SigningAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match &self.shape {
            Shape::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok(),
            Shape::P256(x, y) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(x, y))
                    .verify(message, signature)
                    .is_ok()
            }
            Shape::P384(x, y) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, uncompressed(x, y))
                    .verify(message, signature)
                    .is_ok()
            }
            Shape::Rsa(n, e) => {
                let parameters = match algorithm {
                    SigningAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                PublicKeyComponents { n, e }
                    .verify(parameters, message, signature)
                    .is_ok()
            }
        }
    }

    /// Q49: the key says which algorithms it is for, not the token.
    fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        let shaped = match &self.shape {
            Shape::Ed25519(_) => algorithm == SigningAlgorithm::EdDsa,
            Shape::P256(..) => algorithm == SigningAlgorithm::Es256,
            Shape::P384(..) => algorithm == SigningAlgorithm::Es384,
            Shape::Rsa(..) => {
                matches!(algorithm, SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256)
            }
        };
        shaped && self.algorithm.is_none_or(|only| only == algorithm)
    }

    fn required(&self) -> Value {
        let text = |bytes: &[u8]| base64url_encode(bytes);
        match &self.shape {
            Shape::Ed25519(x) => json!({"crv": "Ed25519", "kty": "OKP", "x": text(x)}),
            Shape::P256(x, y) => {
                json!({"crv": "P-256", "kty": "EC", "x": text(x), "y": text(y)})
            }
            Shape::P384(x, y) => {
                json!({"crv": "P-384", "kty": "EC", "x": text(x), "y": text(y)})
            }
            Shape::Rsa(n, e) => json!({"e": text(e), "kty": "RSA", "n": text(n)}),
        }
    }
}

fn is_for_something_else(jwk: &Map<String, Value>) -> bool {
    let used = jwk.get("use").is_some_and(|used| used != "sig");
    let verifies = |ops: &Vec<Value>| ops.iter().any(|op| op == "verify");
    let operates = jwk
        .get("key_ops")
        .is_some_and(|ops| !ops.as_array().is_some_and(verifies));
    used || operates
}

fn read_shape(jwk: &Map<String, Value>) -> Result<Shape, PublicKeyError> {
    let bytes = |member: &str| -> Result<Vec<u8>, PublicKeyError> {
        let text = jwk.get(member).and_then(Value::as_str);
        text.and_then(base64url_decode)
            .ok_or(PublicKeyError::Malformed)
    };
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    match (text("kty"), text("crv")) {
        (Some("OKP"), Some("Ed25519")) => Ok(Shape::Ed25519(sized(&bytes("x")?)?)),
        (Some("EC"), Some("P-256")) => Ok(Shape::P256(sized(&bytes("x")?)?, sized(&bytes("y")?)?)),
        (Some("EC"), Some("P-384")) => Ok(Shape::P384(sized(&bytes("x")?)?, sized(&bytes("y")?)?)),
        (Some("RSA"), _) => {
            let (n, e) = (bytes("n")?, bytes("e")?);
            if n.len() < 256 || n.len() > 1024 || e.is_empty() || e.len() > 8 {
                return Err(PublicKeyError::Unsupported);
            }
            Ok(Shape::Rsa(n, e))
        }
        (Some("oct"), _) => Err(PublicKeyError::NotPublic),
        (Some(_), _) => Err(PublicKeyError::Unsupported),
        (None, _) => Err(PublicKeyError::Malformed),
    }
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<[u8; N], PublicKeyError> {
    let sized = <[u8; N]>::try_from(bytes).ok();
    sized.ok_or(PublicKeyError::Malformed)
}

fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

/// Members only a private or a symmetric key has (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

#[cfg(test)]
mod tests {
    use super::*;

    fn ed25519() -> Value {
        // RFC 8037 appendix A.2.
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    #[test]
    fn thumbprint_of_rfc_8037() {
        let key = PublicKey::from_jwk(&ed25519()).unwrap();
        assert_eq!(
            key.thumbprint(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn verifies_the_signature_of_rfc_8037() {
        let key = PublicKey::from_jwk(&ed25519()).unwrap();
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = base64url_decode(signature).unwrap();
        assert!(key.verifies(SigningAlgorithm::EdDsa, message, &signature));
        assert!(!key.verifies(SigningAlgorithm::Es256, message, &signature));
        assert!(!key.verifies(SigningAlgorithm::EdDsa, b"other", &signature));
    }

    #[test]
    fn q49_refuses_keys_for_something_else() {
        for (member, value, expected) in [
            ("use", json!("enc"), PublicKeyError::OtherUse),
            ("key_ops", json!(["encrypt"]), PublicKeyError::OtherUse),
            ("key_ops", json!("verify"), PublicKeyError::OtherUse),
            ("d", json!("AA"), PublicKeyError::NotPublic),
            ("alg", json!("HS256"), PublicKeyError::Unsupported),
            ("alg", json!("RS256"), PublicKeyError::Unsupported),
            ("kty", json!("oct"), PublicKeyError::NotPublic),
            ("crv", json!("X25519"), PublicKeyError::Unsupported),
            ("x", json!("AA"), PublicKeyError::Malformed),
            ("kty", Value::Null, PublicKeyError::Malformed),
        ] {
            let mut jwk = ed25519();
            jwk[member] = value;
            assert_eq!(PublicKey::from_jwk(&jwk), Err(expected), "{member}");
        }
        let mut jwk = ed25519();
        jwk["use"] = json!("sig");
        jwk["key_ops"] = json!(["verify"]);
        jwk["kid"] = json!("k1");
        let key = PublicKey::from_jwk(&jwk).unwrap();
        assert_eq!(key.key_id(), Some("k1"));
        assert_eq!(PublicKey::from_jwk(&key.to_jwk()), Ok(key));
    }
}
