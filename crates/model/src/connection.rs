//! A connection: how a user stands with a server, with or without a credential.

use claviger_wire::ScopeSet;
use serde::{Deserialize, Serialize};

use crate::{CredentialKey, Timestamp};

/// How a user stands with a server. Same words in the API, the console, the CLI and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A usable credential.
    Connected,
    /// A usable credential that ends soon and cannot be refreshed.
    Expiring,
    /// A setting is wrong; a sign-in would not help.
    Misconfigured,
    /// Works, but a scope that was asked for is missing.
    NeedsScopes,
    /// A person has to sign in.
    NeedsSignIn,
    /// Nobody signed in yet.
    NeverConnected,
    /// The server needs no sign-in.
    NoSignIn,
    /// The issuer or the server cannot be reached.
    Unreachable,
}

/// Why a connection stands as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The issuer rotated and the answer may have been lost.
    AmbiguousRotation,
    /// The issuer no longer knows our client.
    ClientRefused,
    /// The access token ended and there is no refresh token.
    Expired,
    /// The server names another issuer now.
    IssuerChanged,
    /// The server's address or sign-in settings were changed, or a scope was taken away (G6).
    SettingsChanged,
    /// The refresh token was refused (`invalid_grant`).
    RefreshRefused,
    /// The issuer refuses every refresh, without saying that the token is dead (Q08).
    RefreshStuck,
    /// A person disconnected it.
    Disconnected,
    /// A fresh token was refused; refreshing again would not help (N6).
    FreshTokenRefused,
    /// It came from a backup, and the issuer no longer takes it (F31).
    Restored,
    /// The server asks for more scopes.
    ScopesMissing,
    /// The last sign-in failed.
    SignInFailed,
}

/// What the server last asked for in a challenge; the next sign-in answers it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PendingChallenge {
    /// `resource_metadata` of the challenge (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
    /// `scope` of the challenge (RFC 6750 §3).
    pub scope: Option<ScopeSet>,
    /// It was a 403 `insufficient_scope`.
    pub insufficient_scope: bool,
}

/// One row per (tenant, user, server, account) that anything was ever tried for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Whose it is.
    pub key: CredentialKey,
    /// How it stands.
    pub standing: Standing,
    /// Why.
    pub reason: Option<Reason>,
    /// What the next sign-in has to answer.
    pub challenge: Option<PendingChallenge>,
    /// How often a step-up was tried for the challenged scopes without success (C-66).
    pub step_ups: u32,
    /// When it was changed.
    pub updated_at: Timestamp,
}

impl Standing {
    /// The word for it, everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Expiring => "expiring",
            Self::Misconfigured => "misconfigured",
            Self::NeedsScopes => "needs_scopes",
            Self::NeedsSignIn => "needs_sign_in",
            Self::NeverConnected => "never_connected",
            Self::NoSignIn => "no_sign_in",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Reason {
    /// The word for it, everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmbiguousRotation => "ambiguous_rotation",
            Self::ClientRefused => "client_refused",
            Self::Expired => "expired",
            Self::IssuerChanged => "issuer_changed",
            Self::RefreshRefused => "refresh_refused",
            Self::RefreshStuck => "refresh_stuck",
            Self::Disconnected => "disconnected",
            Self::FreshTokenRefused => "fresh_token_refused",
            Self::Restored => "restored",
            Self::ScopesMissing => "scopes_missing",
            Self::SettingsChanged => "settings_changed",
            Self::SignInFailed => "sign_in_failed",
        }
    }
}
