//! Every OAuth error code we act on, once, and nothing else of an error body.

use core::fmt;

use serde::{Deserialize, Serialize};

/// An OAuth error code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum ErrorCode {
    /// RFC 6749 §4.1.2.1.
    AccessDenied,
    /// GitHub's name for a dead refresh token (Q08).
    BadRefreshToken,
    /// OpenID Connect Core §3.1.2.6.
    ConsentRequired,
    /// RFC 6750 §3.1.
    InsufficientScope,
    /// OpenID Connect Core §3.1.2.6.
    InteractionRequired,
    /// RFC 6749 §5.2.
    InvalidClient,
    /// RFC 7591 §3.2.2.
    InvalidClientMetadata,
    /// RFC 6749 §5.2.
    InvalidGrant,
    /// RFC 7591 §3.2.2.
    InvalidRedirectUri,
    /// RFC 6749 §4.1.2.1.
    InvalidRequest,
    /// RFC 6749 §4.1.2.1.
    InvalidScope,
    /// RFC 7591 §3.2.2.
    InvalidSoftwareStatement,
    /// RFC 8707 §2.
    InvalidTarget,
    /// RFC 6750 §3.1.
    InvalidToken,
    /// OpenID Connect Core §3.1.2.6.
    LoginRequired,
    /// RFC 6749 §4.1.2.1.
    ServerError,
    /// RFC 8628 §3.5, and some issuers' word for too many requests.
    SlowDown,
    /// RFC 6749 §4.1.2.1.
    TemporarilyUnavailable,
    /// RFC 6749 §4.1.2.1.
    UnauthorizedClient,
    /// RFC 7591 §3.2.2.
    UnapprovedSoftwareStatement,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType,
    /// A code of no RFC: lower-case words only, so that no secret can hide in it (A088).
    Other(String),
    /// Something that is no code.
    Unreadable,
}

/// An error answer, reduced to what may be kept of it (A088): no description, no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error code; `None` where the body was no OAuth error.
    pub code: Option<ErrorCode>,
    /// Whether the body was JSON. Only such an answer can end a grant.
    pub is_json: bool,
    /// An issuer's own number out of the description (`AADSTS` and digits), and nothing else of it.
    pub detail: Option<String>,
}

// === impl ErrorCode ===

impl ErrorCode {
    /// Reads a code.
    pub fn parse(text: &str) -> Self {
        if let Some((code, _)) = NAMES.iter().find(|(_, name)| *name == text) {
            return code.clone();
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if (1..=40).contains(&text.len()) && text.bytes().all(plain) {
            return Self::Other(text.to_owned());
        }
        Self::Unreadable
    }

    /// The code as it stands on the wire.
    pub fn as_str(&self) -> &str {
        if let Self::Other(text) = self {
            return text;
        }
        NAMES
            .iter()
            .find(|(code, _)| code == self)
            .map_or("unreadable", |(_, name)| name)
    }
}

impl From<String> for ErrorCode {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Refusal ===

impl Refusal {
    /// The code and the status, for people.
    pub fn summary(&self) -> String {
        let code = self
            .code
            .as_ref()
            .map_or("no OAuth error", ErrorCode::as_str);
        match &self.detail {
            Some(detail) => format!("status {}, {code}, {detail}", self.status),
            None => format!("status {}, {code}", self.status),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

/// Finds an `AADSTS` number in a description (Q35). Digits cannot carry a secret of ours.
pub(crate) fn detail_of(description: &str) -> Option<String> {
    let (_, after) = description.split_once("AADSTS")?;
    let digits: String = after
        .chars()
        .take_while(char::is_ascii_digit)
        .take(9)
        .collect();
    (!digits.is_empty()).then(|| format!("AADSTS{digits}"))
}

const NAMES: [(ErrorCode, &str); 23] = [
    (ErrorCode::AccessDenied, "access_denied"),
    (ErrorCode::BadRefreshToken, "bad_refresh_token"),
    (ErrorCode::ConsentRequired, "consent_required"),
    (ErrorCode::InsufficientScope, "insufficient_scope"),
    (ErrorCode::InteractionRequired, "interaction_required"),
    (ErrorCode::InvalidClient, "invalid_client"),
    (ErrorCode::InvalidClientMetadata, "invalid_client_metadata"),
    (ErrorCode::InvalidGrant, "invalid_grant"),
    (ErrorCode::InvalidRedirectUri, "invalid_redirect_uri"),
    (ErrorCode::InvalidRequest, "invalid_request"),
    (ErrorCode::InvalidScope, "invalid_scope"),
    (
        ErrorCode::InvalidSoftwareStatement,
        "invalid_software_statement",
    ),
    (ErrorCode::InvalidTarget, "invalid_target"),
    (ErrorCode::InvalidToken, "invalid_token"),
    (ErrorCode::LoginRequired, "login_required"),
    (ErrorCode::ServerError, "server_error"),
    (ErrorCode::SlowDown, "slow_down"),
    (ErrorCode::TemporarilyUnavailable, "temporarily_unavailable"),
    (ErrorCode::UnauthorizedClient, "unauthorized_client"),
    (
        ErrorCode::UnapprovedSoftwareStatement,
        "unapproved_software_statement",
    ),
    (ErrorCode::UnsupportedGrantType, "unsupported_grant_type"),
    (
        ErrorCode::UnsupportedResponseType,
        "unsupported_response_type",
    ),
    (ErrorCode::UnsupportedTokenType, "unsupported_token_type"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for (code, name) in &NAMES {
            assert_eq!(&ErrorCode::parse(name), code);
            assert_eq!(code.as_str(), *name);
        }
    }

    #[test]
    fn a088_what_is_no_code_is_not_kept() {
        assert_eq!(ErrorCode::parse("s3cr3t-Value"), ErrorCode::Unreadable);
        assert_eq!(ErrorCode::parse(&"a".repeat(41)), ErrorCode::Unreadable);
        assert_eq!(ErrorCode::parse("").as_str(), "unreadable");
        assert_eq!(
            ErrorCode::parse("quota_exceeded"),
            ErrorCode::Other("quota_exceeded".to_owned())
        );
    }

    #[test]
    fn q35_keeps_only_the_number() {
        assert_eq!(
            detail_of("AADSTS9010010: secret hunter2").as_deref(),
            Some("AADSTS9010010")
        );
        assert_eq!(detail_of("AADSTS: x"), None);
    }
}
