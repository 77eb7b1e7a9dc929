//! Finds a token where it must not stand: in a header that repeats it.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The token of a credential: what follows the scheme.
pub(crate) fn token(value: &HeaderValue) -> Option<&[u8]> {
    let value = value.as_bytes().trim_ascii();
    let token = value.rsplit(|byte| *byte == b' ').next().unwrap_or(value);
    (token.len() >= MIN_LENGTH).then_some(token)
}

/// Whether a header's value holds the token.
pub(crate) fn holds(value: &HeaderValue, token: &[u8]) -> bool {
    let mut windows = value.as_bytes().windows(token.len());
    windows.any(|window| window == token)
}

/// Removes every header that holds the token of one of `credentials`.
pub(crate) fn strip<'a>(
    headers: &mut HeaderMap,
    credentials: impl Iterator<Item = &'a HeaderValue>,
) {
    for token in credentials.filter_map(token) {
        let echoes: Vec<HeaderName> = headers
            .iter()
            .filter(|(_, value)| holds(value, token))
            .map(|(name, _)| name.clone())
            .collect();
        for name in echoes {
            headers.remove(name);
        }
    }
}

/// Whether a body holds the token its request was sent with.
pub(crate) fn is_in_body(body: &[u8], headers: &HeaderMap) -> bool {
    // The search of `str` takes linear time, whatever a caller writes.
    let Ok(body) = str::from_utf8(body) else {
        return false;
    };
    let tokens = headers.get_all(AUTHORIZATION).iter().filter_map(token);
    tokens
        .filter_map(|token| str::from_utf8(token).ok())
        .any(|token| body.contains(token))
}

/// Shorter values stand in headers by chance.
const MIN_LENGTH: usize = 8;
