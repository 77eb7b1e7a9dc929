//! Finds the bearer token of a request: RFC 6750 §2.1.

use claviger_crypto::Secret;
use http::{HeaderMap, header};

/// What the `Authorization` header says.
#[derive(Debug)]
pub(crate) enum Presented {
    /// No credentials, or those of another scheme.
    Nothing,
    /// A well-formed token.
    Token(Secret),
    /// Something that is no token; the text says what was wrong.
    Malformed(&'static str),
}

/// Reads the header. The query is never looked at: OAuth 2.1 §5.1.
pub(crate) fn presented(headers: &HeaderMap, max_token_bytes: usize) -> Presented {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Presented::Nothing;
    };
    // Two headers, and two parties could each believe another one.
    if values.next().is_some() {
        return Presented::Malformed("more than one Authorization header");
    }
    let Ok(text) = value.to_str() else {
        return Presented::Malformed("the Authorization header is not ASCII");
    };
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    // RFC 9110 §11.1: the scheme is case-insensitive.
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Presented::Nothing;
    }
    let token = token.trim_matches(' ');
    if token.is_empty() {
        return Presented::Malformed("the bearer token is empty");
    }
    if token.len() > max_token_bytes {
        return Presented::Malformed("the bearer token is too long");
    }
    if !is_b64token(token) {
        return Presented::Malformed("the bearer token has characters that no token has");
    }
    Presented::Token(Secret::new(token))
}

// RFC 6750 §2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(plain)
}
