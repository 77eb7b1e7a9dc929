//! JSON-RPC error codes: the standard ones, those of MCP, and our own.

/// The bytes are no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// JSON, but no request.
pub const INVALID_REQUEST: i64 = -32600;
/// No such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not fit.
pub const INVALID_PARAMS: i64 = -32602;
/// A mirrored header is missing or differs from the body (2026-07-28).
pub const HEADER_MISMATCH: i64 = -32020;
/// The revision is not spoken here (2026-07-28).
pub const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32022;
/// Somebody has to open a URL first (2025-11-25 only).
pub const URL_ELICITATION_REQUIRED: i64 = -32042;

// P-20: our own codes stay outside -32768..=-32000, which JSON-RPC and MCP reserve.

/// A person has to sign in to the server behind.
pub const NEEDS_SIGN_IN: i64 = -31001;
/// The server behind asks for more permissions.
pub const NEEDS_SCOPES: i64 = -31002;
/// The server behind, or its sign-in service, cannot be reached.
pub const UNREACHABLE: i64 = -31003;
/// A setting of the server behind is wrong.
pub const MISCONFIGURED: i64 = -31004;
/// The server behind answered with something that is not MCP.
pub const BAD_ANSWER: i64 = -31005;
/// The request is refused before it was read: too large, or a form we do not take.
pub const REFUSED: i64 = -31006;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p20_our_own_codes_are_outside_the_reserved_ranges() {
        let own = [
            NEEDS_SIGN_IN,
            NEEDS_SCOPES,
            UNREACHABLE,
            MISCONFIGURED,
            BAD_ANSWER,
            REFUSED,
        ];
        for code in own {
            assert!(!(-32768..=-32000).contains(&code), "{code}");
        }
    }
}
