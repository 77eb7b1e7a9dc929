//! Mirrored headers must say what the body says (2026-07-28).

use http::{HeaderMap, HeaderName};

use crate::header::{MCP_METHOD, MCP_NAME, MCP_PROTOCOL_VERSION, decode};
use crate::{Envelope, Era, Kind};

/// How a mirrored header and the body differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The header says something else than the body.
    #[error("the header `{0}` differs from the body")]
    Differs(&'static str),
    /// The header is not there.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    /// The header stands more than once.
    #[error("the header `{0}` stands more than once")]
    Repeated(&'static str),
    /// The header cannot be read.
    #[error("the header `{0}` cannot be read")]
    Unreadable(&'static str),
}

/// Checks `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` against the body.
///
/// In the modern era a request must carry them (T-04). A notification, and everything of the older
/// era, only must not contradict itself (T-05, P-13): whoever trusts a header behind us would
/// otherwise decide about another call than the one that runs.
pub fn check_mirrored(
    headers: &HeaderMap,
    envelope: &Envelope<'_>,
    era: Era,
) -> Result<(), Mismatch> {
    let is_required = era == Era::Modern && envelope.kind == Kind::Request;
    let version = envelope.meta_version.as_deref();
    check_one(
        headers,
        &MCP_PROTOCOL_VERSION,
        "MCP-Protocol-Version",
        |said| version.is_none_or(|version| said == version),
    )?
    .or_missing(is_required, "MCP-Protocol-Version")?;
    let method = envelope.method.as_deref();
    check_one(headers, &MCP_METHOD, "Mcp-Method", |said| {
        Some(said) == method
    })?
    .or_missing(is_required, "Mcp-Method")?;
    let (name, has_name) = (envelope.mirrored_name(), envelope.has_mirrored_name());
    check_one(headers, &MCP_NAME, "Mcp-Name", |said| {
        !has_name || Some(said) == name
    })?
    .or_missing(is_required && name.is_some(), "Mcp-Name")
}

enum Presence {
    Absent,
    Agrees,
}

impl Presence {
    fn or_missing(self, is_required: bool, title: &'static str) -> Result<(), Mismatch> {
        match self {
            Self::Absent if is_required => Err(Mismatch::Missing(title)),
            Self::Absent | Self::Agrees => Ok(()),
        }
    }
}

fn check_one(
    headers: &HeaderMap,
    name: &HeaderName,
    title: &'static str,
    agrees: impl Fn(&str) -> bool,
) -> Result<Presence, Mismatch> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(Presence::Absent);
    };
    if values.next().is_some() {
        return Err(Mismatch::Repeated(title));
    }
    let said = decode(value.as_bytes()).or(Err(Mismatch::Unreadable(title)))?;
    if agrees(&said) {
        Ok(Presence::Agrees)
    } else {
        Err(Mismatch::Differs(title))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::Message;

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wëather","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

    fn check(body: &str, headers: &[(&'static str, &str)], expected: Result<(), Mismatch>) {
        let message = Message::read(body.as_bytes()).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let version = map
            .get(MCP_PROTOCOL_VERSION)
            .and_then(|value| value.to_str().ok());
        let era = Era::of_post(version, &message);
        let found = check_mirrored(&map, message.single().unwrap(), era);
        assert_eq!(found, expected, "{headers:?}");
    }

    const VERSION: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
    const METHOD: (&str, &str) = ("mcp-method", "tools/call");
    const NAME: (&str, &str) = ("mcp-name", "=?base64?d8OrYXRoZXI=?=");

    #[test]
    fn t04_a_complete_set_agrees() {
        check(CALL, &[VERSION, METHOD, NAME], Ok(()));
    }

    #[test]
    fn t04_a150_a_missing_header_is_refused() {
        check(
            CALL,
            &[METHOD, NAME],
            Err(Mismatch::Missing("MCP-Protocol-Version")),
        );
        check(CALL, &[VERSION, NAME], Err(Mismatch::Missing("Mcp-Method")));
        check(CALL, &[VERSION, METHOD], Err(Mismatch::Missing("Mcp-Name")));
    }

    #[test]
    fn t09_a150_a_header_that_differs_is_refused() {
        let differs = |title| Err(Mismatch::Differs(title));
        check(
            CALL,
            &[VERSION, ("mcp-method", "Tools/call"), NAME],
            differs("Mcp-Method"),
        );
        check(
            CALL,
            &[VERSION, METHOD, ("mcp-name", "other")],
            differs("Mcp-Name"),
        );
        check(
            CALL,
            &[VERSION, METHOD, ("mcp-name", "=?base64?*?=")],
            Err(Mismatch::Unreadable("Mcp-Name")),
        );
        check(
            CALL,
            &[VERSION, METHOD, METHOD, NAME],
            Err(Mismatch::Repeated("Mcp-Method")),
        );
    }

    #[test]
    fn t19_another_version_than_in_meta_is_refused() {
        let other = ("mcp-protocol-version", "2025-11-25");
        check(
            CALL,
            &[other, METHOD, NAME],
            Err(Mismatch::Differs("MCP-Protocol-Version")),
        );
    }

    #[test]
    fn t05_p13_what_need_not_be_there_must_not_contradict() {
        let old = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        check(old, &[], Ok(()));
        check(old, &[METHOD], Err(Mismatch::Differs("Mcp-Method")));
        let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        check(note, &[], Ok(()));
    }
}
