//! PKCE with S256 and nothing else (RFC 7636, C-41).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_crypto::Secret;

/// The verifier: 32 random bytes as 43 characters (RFC 7636 §4.1).
#[derive(Debug, Clone)]
pub struct Verifier(Secret);

/// The challenge that belongs to a verifier; it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

// === impl Verifier ===

impl Verifier {
    /// Makes a verifier of random bytes.
    pub fn from_bytes(random: [u8; 32]) -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(random)))
    }

    /// A verifier that was made before.
    pub fn from_text(text: Secret) -> Self {
        Self(text)
    }

    /// RFC 7636 §4.2: BASE64URL(SHA256(ASCII(verifier))).
    pub fn challenge(&self) -> Challenge {
        Challenge(URL_SAFE_NO_PAD.encode(claviger_crypto::sha256(self.0.expose().as_bytes())))
    }

    /// Shows the verifier. Call this only where it leaves for the token endpoint or to be sealed.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

// === impl Challenge ===

impl Challenge {
    /// The challenge as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c41_the_example_of_rfc_7636_appendix_b() {
        let verifier =
            Verifier::from_text(Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(
            verifier.challenge().as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn c40_a_verifier_has_43_unreserved_characters() {
        let verifier = Verifier::from_bytes([255; 32]);
        assert_eq!(verifier.expose().len(), 43);
        assert_eq!(format!("{verifier:?}"), "Verifier([redacted])");
    }
}
