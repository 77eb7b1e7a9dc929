//! A sign-in in flight.

use serde::{Deserialize, Serialize};

use crate::{CredentialKey, SignInId, Timestamp};

/// How a sign-in ended; there is exactly one end (M4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Somebody ended it before it was done.
    Cancelled,
    /// The person or the issuer said no.
    Denied,
    /// Something went wrong.
    Failed,
    /// A credential is stored.
    Success,
    /// Nobody came back in time.
    TimedOut,
}

/// One sign-in as it is stored, so that any process can finish it (N14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Id.
    pub id: SignInId,
    /// For whom and what.
    pub key: CredentialKey,
    /// Keyed MAC of `state`; a callback is found by it and may take it once.
    pub state_mac: Vec<u8>,
    /// Sealed: verifier, issuer, endpoints, client, resource, scopes, redirect URI.
    pub sealed: Vec<u8>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its `state` stops counting.
    pub expires_at: Timestamp,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
}
