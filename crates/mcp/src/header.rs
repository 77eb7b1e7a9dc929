//! Header names of MCP, and the Base64 form their values may take.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;

/// Where a client asks to resume a stream (sessions only).
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The JSON-RPC method, mirrored.
pub const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The tool, prompt or resource, mirrored.
pub const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");
/// The protocol revision.
pub const MCP_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The session's id (sessions only).
pub const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// What mirrored tool arguments begin with.
pub const MCP_PARAM_PREFIX: &str = "mcp-param-";

/// A value that claims to be Base64 and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is marked as base64 and is not base64 of UTF-8 text")]
pub struct BadSentinel;

/// Reads a mirrored value: plain, or `=?base64?…?=`. A near miss of that form is a literal.
pub fn decode(value: &[u8]) -> Result<Cow<'_, str>, BadSentinel> {
    let value = value.trim_ascii();
    let inner = value
        .strip_prefix(OPEN)
        .and_then(|rest| rest.strip_suffix(CLOSE));
    let Some(inner) = inner else {
        return str::from_utf8(value)
            .map(Cow::Borrowed)
            .or(Err(BadSentinel));
    };
    let bytes = STANDARD.decode(inner).or(Err(BadSentinel))?;
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .or(Err(BadSentinel))
}

/// Writes a value so that [`decode`] gives it back: plain where a header can hold it.
pub fn encode(text: &str) -> Cow<'_, str> {
    let printable = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    let looks_encoded = text.as_bytes().starts_with(OPEN) && text.as_bytes().ends_with(CLOSE);
    if printable && text.trim_ascii() == text && !looks_encoded {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("=?base64?{}?=", STANDARD.encode(text)))
}

const OPEN: &[u8] = b"=?base64?";
const CLOSE: &[u8] = b"?=";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn t09_a_near_miss_of_the_sentinel_is_a_literal() {
        for text in ["=?BASE64?YQ==?=", "=?base64?YQ==", "base64?YQ==?="] {
            assert_eq!(decode(text.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn t09_bad_base64_is_refused() {
        for text in ["=?base64?***?=", "=?base64?/w==?=", "=?base64?YQ?="] {
            assert_eq!(decode(text.as_bytes()), Err(BadSentinel), "{text}");
        }
    }

    #[test]
    fn t09_what_a_header_cannot_hold_is_encoded() {
        for text in ["é", " a", "a ", "a\nb", "=?base64?YQ==?="] {
            assert!(encode(text).starts_with("=?base64?"), "{text:?}");
        }
        assert_eq!(encode("get_weather"), "get_weather");
    }

    proptest! {
        #[test]
        fn t09_every_text_survives_the_header(text in any::<String>()) {
            let value = encode(&text);
            prop_assert_eq!(decode(value.as_bytes()).unwrap(), text.as_str());
        }
    }
}
