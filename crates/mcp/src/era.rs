//! Which of the two eras of MCP a request belongs to.

use crate::{Envelope, Kind, Message, version};

/// With sessions (up to 2025-11-25), or stateless (from 2026-07-28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// `initialize`, sessions, streams by `GET`.
    Legacy,
    /// Every request says in `_meta` what it needs.
    Modern,
}

impl Era {
    /// The era of a `POST`: by `_meta` and the version header, never by the method's name.
    ///
    /// The official suite sends `initialize` and `ping` with modern `_meta` and expects the modern
    /// answer, so that a method's name proves nothing.
    pub fn of_post(version_header: Option<&str>, message: &Message<'_>) -> Self {
        let header_says = version_header.is_some_and(version::is_modern);
        let body_says = message
            .envelopes()
            .iter()
            .any(|one| one.meta_version.is_some());
        if header_says || body_says {
            Self::Modern
        } else {
            Self::Legacy
        }
    }

    /// Whether an answer may ask for input instead of giving a result (T-14).
    pub fn may_require_input(envelope: &Envelope<'_>) -> bool {
        envelope.kind == Kind::Request
            && matches!(
                envelope.method.as_deref(),
                Some("tools/call" | "prompts/get" | "resources/read")
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: Option<&str>, body: &str, expected: Era) {
        let message = Message::read(body.as_bytes()).unwrap();
        assert_eq!(
            Era::of_post(header, &message),
            expected,
            "{header:?} {body}"
        );
    }

    #[test]
    fn n13_the_era_is_chosen_by_meta_and_header_and_not_by_method() {
        let meta = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let bare = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        check(None, meta, Era::Modern);
        check(Some("2025-11-25"), meta, Era::Modern);
        check(Some("2026-07-28"), bare, Era::Modern);
        check(Some("2027-01-01"), bare, Era::Modern);
        check(Some("2025-11-25"), bare, Era::Legacy);
        check(Some("zzzz"), bare, Era::Legacy);
        check(None, bare, Era::Legacy);
    }
}
