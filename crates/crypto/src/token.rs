//! Opaque tokens we issue: `clv_<kind>_` and base62 of 256 bits with a checksum.
//!
//! Secret scanners can match them, and their kind is known before anything is looked up.

use zeroize::Zeroizing;

use crate::{Secret, sha256};

/// What a token of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An access token.
    Access,
    /// An API token, for clients that cannot do OAuth.
    Api,
    /// An authorization code.
    Code,
    /// A device code (RFC 8628).
    Device,
    /// A refresh token.
    Refresh,
    /// A registration access token (RFC 7592).
    Registration,
}

// === impl TokenKind ===

impl TokenKind {
    /// The text every token of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "clv_at_",
            Self::Api => "clv_pat_",
            Self::Code => "clv_ac_",
            Self::Device => "clv_dc_",
            Self::Refresh => "clv_rt_",
            Self::Registration => "clv_reg_",
        }
    }
}

/// Makes a token of 32 random bytes.
pub fn mint(kind: TokenKind, bytes: [u8; 32]) -> Secret {
    let bytes = Zeroizing::new(bytes);
    let mut token = Zeroizing::new(String::with_capacity(64));
    token.push_str(kind.prefix());
    push_base62(&mut token, &*bytes, BODY_LEN);
    let checksum = checksum(&token);
    push_base62(&mut token, &checksum, CHECKSUM_LEN);
    Secret::new(token.as_str())
}

/// The kind of a token that has our form; the checksum catches typing mistakes, not forgers.
pub fn kind_of(unverified_token: &str) -> Option<TokenKind> {
    let kind = KINDS
        .into_iter()
        .find(|kind| unverified_token.starts_with(kind.prefix()))?;
    let body = unverified_token.strip_prefix(kind.prefix())?;
    if body.len() != BODY_LEN + CHECKSUM_LEN || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let (front, found) =
        unverified_token.split_at_checked(unverified_token.len().checked_sub(CHECKSUM_LEN)?)?;
    let mut expected = String::with_capacity(CHECKSUM_LEN);
    push_base62(&mut expected, &checksum(front), CHECKSUM_LEN);
    (expected == found).then_some(kind)
}

fn checksum(front: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(front.as_bytes());
    [a, b, c, d]
}

/// Appends exactly `width` digits, the most significant first.
fn push_base62(out: &mut String, bytes: &[u8], width: usize) {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut digits = Zeroizing::new(vec![b'0'; width]);
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in number.iter_mut() {
            let value = remainder << 8 | u32::from(*byte);
            // Both fit: the quotient of (62·256 - 1) by 62 is under 256.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    out.extend(digits.iter().copied().map(char::from));
}

const KINDS: [TokenKind; 6] = [
    TokenKind::Access,
    TokenKind::Api,
    TokenKind::Code,
    TokenKind::Device,
    TokenKind::Refresh,
    TokenKind::Registration,
];
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is the first power over 2^256.
const BODY_LEN: usize = 43;
/// 62^6 is the first power over 2^32.
const CHECKSUM_LEN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_again() {
        for kind in KINDS {
            for bytes in [[0; 32], [0xff; 32], [0x5a; 32]] {
                let token = mint(kind, bytes);
                assert!(token.expose().starts_with(kind.prefix()));
                assert_eq!(token.expose().len(), kind.prefix().len() + 49);
                assert_eq!(kind_of(token.expose()), Some(kind));
            }
        }
    }

    #[test]
    fn digits_are_base62() {
        let mut text = String::new();
        push_base62(&mut text, &[0, 0, 0, 61], 2);
        push_base62(&mut text, &[1, 0], 2);
        push_base62(&mut text, &[0xff; 4], CHECKSUM_LEN);
        // 256 = 4·62 + 8; 2^32 - 1 = 4gfFC3 in this alphabet.
        assert_eq!(text, "0z484gfFC3");
    }

    #[test]
    fn different_bytes_give_different_tokens() {
        let mut bytes = [0; 32];
        let first = mint(TokenKind::Access, bytes);
        bytes[31] = 1;
        assert!(!first.matches(&mint(TokenKind::Access, bytes)));
    }

    #[test]
    fn refuses_changed_forms() {
        let token = mint(TokenKind::Api, [7; 32]);
        let text = token.expose();
        let mut wrong_digit = text.to_owned();
        wrong_digit.pop();
        wrong_digit.push(if text.ends_with('0') { '1' } else { '0' });
        for other in [
            "",
            "clv_pat_",
            text.strip_prefix("clv_").unwrap(),
            &text.replace("clv_pat_", "clv_at_"),
            &text.replace("clv_", "CLV_"),
            &format!("{text}0"),
            &wrong_digit,
            &format!("clv_pat_{}", "é".repeat(24)),
        ] {
            assert_eq!(kind_of(other), None, "{other}");
        }
    }
}
