//! Bytes as text. Decoders answer `None` and never say which byte was wrong: it may be a secret's.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)])
        .collect()
}

/// Base64 with the URL alphabet, without padding (RFC 4648 §5).
pub fn base64url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64 with the URL alphabet, without padding.
pub fn base64url_decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Base64 with padding (RFC 4648 §4).
pub fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64 with padding.
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_and_decodes() {
        let bytes = [0_u8, 0x1f, 0xfb, 0xff];
        assert_eq!(hex(&bytes), "001ffbff");
        assert_eq!(base64url_encode(&bytes), "AB_7_w");
        assert_eq!(base64_encode(&bytes), "AB/7/w==");
        assert_eq!(base64url_decode("AB_7_w").as_deref(), Some(&bytes[..]));
        assert_eq!(base64_decode("AB/7/w==").as_deref(), Some(&bytes[..]));
    }

    #[test]
    fn refuses_the_other_alphabet_padding_and_loose_bits() {
        for text in ["AB/7_w", "AB_7_w==", "AB_7_x", "A", " AB_7_w"] {
            assert_eq!(base64url_decode(text), None, "{text}");
        }
        for text in ["AB_7/w==", "AB/7/w", "AB/7/w=\n="] {
            assert_eq!(base64_decode(text), None, "{text}");
        }
    }
}
