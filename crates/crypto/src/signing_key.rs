//! Private keys we prove ourselves with.

use core::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use zeroize::Zeroizing;

use crate::{PublicKey, Secret, SignError, base64_decode, base64_encode};

/// A JWS signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// `EdDSA` with Ed25519.
    EdDsa,
    /// `ES256`.
    Es256,
    /// `ES384`.
    Es384,
    /// `PS256`.
    Ps256,
    /// `RS256`.
    Rs256,
}

/// A private key with the algorithm it signs by.
pub struct SigningKey {
    pair: Pair,
    algorithm: SigningAlgorithm,
    key_id: Option<String>,
}

/// Why a private key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The key is locked by a passphrase.
    #[error("the private key is encrypted; decrypt it with `openssl pkcs8 -topk8 -nocrypt`")]
    Encrypted,
    /// The algorithm asked for needs another kind of key.
    #[error("this kind of private key cannot sign with {algorithm}")]
    OtherAlgorithm {
        /// What was asked for.
        algorithm: SigningAlgorithm,
    },
    /// It is PEM, but in an older form.
    #[error("the private key is not PKCS#8; convert it with `openssl pkcs8 -topk8 -nocrypt`")]
    NotPkcs8,
    /// It is no PEM.
    #[error("not a private key: expected PEM beginning with `-----BEGIN PRIVATE KEY-----`")]
    NotPem,
    /// A key of a kind, curve or size that is not supported.
    #[error("not a supported private key: use P-256, P-384, Ed25519 or RSA of 2048 bits and more")]
    Unsupported,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

// === impl SigningAlgorithm ===

impl SigningAlgorithm {
    /// The name in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads the name in `alg`; `none` and the symmetric ones have no meaning here.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::EdDsa,
            Self::Es256,
            Self::Es384,
            Self::Ps256,
            Self::Rs256,
        ]
        .into_iter()
        .find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// Reads a PKCS#8 PEM. RSA keys sign by RS256 unless asked otherwise.
    pub fn from_pem(pem: &Secret) -> Result<Self, SigningKeyError> {
        let der = pkcs8_der(pem.expose())?;
        let (pair, algorithm) = read_pair(&der).ok_or(SigningKeyError::Unsupported)?;
        Ok(Self {
            pair,
            algorithm,
            key_id: None,
        })
    }

    /// Signs by this algorithm from now on.
    pub fn with_algorithm(self, algorithm: SigningAlgorithm) -> Result<Self, SigningKeyError> {
        let is_rsa =
            |algorithm| matches!(algorithm, SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256);
        if algorithm == self.algorithm || is_rsa(algorithm) && is_rsa(self.algorithm) {
            Ok(Self { algorithm, ..self })
        } else {
            Err(SigningKeyError::OtherAlgorithm { algorithm })
        }
    }

    /// Names the key in `kid` from now on.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<String>) -> Self {
        Self {
            key_id: Some(key_id.into()),
            ..self
        }
    }

    /// The algorithm it signs by.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// What it is called in `kid`.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// A new private key in PEM, of any kind but RSA; nothing for that one.
    pub fn generate_pem(algorithm: SigningAlgorithm) -> Option<Secret> {
        let rng = SystemRandom::new();
        let der = match algorithm {
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng),
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)
            }
            SigningAlgorithm::Es384 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &rng)
            }
            SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256 => return None,
        };
        let body = Zeroizing::new(base64_encode(der.ok()?.as_ref()));
        Some(Secret::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            &*body
        )))
    }

    /// Its public part, named as it is; none of an RSA key.
    pub fn public_key(&self) -> Option<PublicKey> {
        let key = match &self.pair {
            Pair::Ecdsa(pair) => PublicKey::ecdsa(pair.public_key().as_ref()),
            Pair::Ed25519(pair) => PublicKey::ed25519(pair.public_key().as_ref()),
            Pair::Rsa(_) => None,
        };
        key.map(|key| key.with_names(self.key_id(), self.algorithm))
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let rng = SystemRandom::new();
        let failed = |source| SignError::Failed { source };
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair.sign(&rng, message).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let encoding = match self.algorithm {
                    SigningAlgorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &rng, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// The key tells its kind by being readable as one; PKCS#8 names the kind inside.
fn read_pair(der: &[u8]) -> Option<(Pair, SigningAlgorithm)> {
    if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
        return Some((Pair::Ecdsa(pair), SigningAlgorithm::Es256));
    }
    if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der) {
        return Some((Pair::Ecdsa(pair), SigningAlgorithm::Es384));
    }
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
        return Some((Pair::Ed25519(pair), SigningAlgorithm::EdDsa));
    }
    let pair = RsaKeyPair::from_pkcs8(der).ok()?;
    Some((Pair::Rsa(pair), SigningAlgorithm::Rs256))
}

fn pkcs8_der(pem: &str) -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
    let (_, rest) = pem
        .split_once("-----BEGIN ")
        .ok_or(SigningKeyError::NotPem)?;
    let (label, rest) = rest.split_once("-----").ok_or(SigningKeyError::NotPem)?;
    match label {
        "PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => return Err(SigningKeyError::Encrypted),
        other if other.ends_with("PRIVATE KEY") => return Err(SigningKeyError::NotPkcs8),
        _ => return Err(SigningKeyError::NotPem),
    }
    let (body, _) = rest
        .split_once("-----END PRIVATE KEY-----")
        .ok_or(SigningKeyError::NotPem)?;
    let mut packed = Zeroizing::new(String::with_capacity(body.len()));
    packed.extend(body.split_ascii_whitespace());
    base64_decode(&packed)
        .map(Zeroizing::new)
        .ok_or(SigningKeyError::NotPem)
}
