//! Revocation at the issuer: RFC 7009, the refresh token first.

use core::time::Duration;

use claviger_crypto::Secret;
use claviger_model::Timestamp;
use claviger_ports::{FetchError, FetchResponse, Sink};
use claviger_wire::{RevocationRequest, TokenHint};
use serde::Deserialize;

use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;
use crate::token::{post, retry_after};
use crate::{AuthenticateError, ClientInformation, Machine};

/// What is to be revoked.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// The issuer that gave the tokens.
    pub issuer: String,
    /// Its revocation endpoint, as recorded.
    pub revocation_endpoint: String,
    /// What it knows us as.
    pub client: ClientInformation,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// The access token.
    pub access_token: Option<Secret>,
    /// Fresh randomness for client assertions, one each.
    pub jtis: [[u8; 16]; 2],
}

/// What became of it. A token that was not there needs no revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Of the refresh token.
    pub refresh_token: Revoked,
    /// Of the access token.
    pub access_token: Revoked,
}

/// What the issuer made of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// It is of no use any more: revoked, or unknown there (RFC 7009 §2.2).
    Confirmed,
    /// The issuer ends no tokens of this kind (`unsupported_token_type`).
    NotSupported,
    /// Not this time.
    Refused(RevokeError),
    /// There was no such token, or asking for it would have been of no use.
    Unasked,
}

/// Why a token is not revoked yet. No word of it is the issuer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// We cannot prove ourselves; nothing was sent.
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// The issuer does not know our client any more.
    #[error("the issuer no longer knows our client (`invalid_client`)")]
    ClientRefused,
    /// It answered with something else than a confirmation.
    #[error("the issuer answered with HTTP {status}")]
    Status {
        /// The status.
        status: u16,
        /// How long it wants us to wait.
        retry_after: Option<Duration>,
    },
    /// It cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] FetchError),
}

/// The error of RFC 6749 §5.2; nothing else of the answer is read.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Begins a revocation. It always ends; what did not work is worth another try later.
pub fn revoke(input: Revoke) -> Machine<Revocation> {
    Machine::new(|io| run(io, input))
}

async fn run(io: Io, input: Revoke) -> Revocation {
    let [first, second] = input.jtis;
    // RFC 7009 §2.1: with the refresh token, the access tokens of the grant usually end too; the
    // other way round they do not.
    let refresh = input.refresh_token.as_ref();
    let refresh_token = one(&io, &input, refresh, TokenHint::RefreshToken, first).await;
    let access = input
        .access_token
        .as_ref()
        .filter(|_| !refresh_token.concerns_both());
    Revocation {
        refresh_token,
        access_token: one(&io, &input, access, TokenHint::AccessToken, second).await,
    }
}

async fn one(
    io: &Io,
    input: &Revoke,
    token: Option<&Secret>,
    hint: TokenHint,
    jti: [u8; 16],
) -> Revoked {
    let Some(token) = token else {
        return Revoked::Unasked;
    };
    let event = Event::new(Stage::Revocation, "RFC 7009 §2.1").at_place(&input.revocation_endpoint);
    let auth = match input
        .client
        .authenticate(&input.issuer, false, jti, io.now())
    {
        Ok(auth) => auth,
        Err(error) => {
            io.tell(event.outcome(EventOutcome::Refused).note(error.to_string()));
            return Revoked::Refused(error.into());
        }
    };
    let printed = RevocationRequest { token, hint }.print(&auth);
    let request = post(Sink::Revocation, &input.revocation_endpoint, &printed);
    match io.fetch(request).await {
        Ok(response) => {
            let revoked = read(&response, io.now());
            let outcome = match revoked {
                Revoked::Confirmed => EventOutcome::Ok,
                _ => EventOutcome::Refused,
            };
            io.tell(event.status(response.status.as_u16()).outcome(outcome));
            revoked
        }
        Err(error) => {
            let note = error.to_string();
            io.tell(event.outcome(EventOutcome::Unreachable).note(note));
            Revoked::Refused(error.into())
        }
    }
}

/// RFC 7009 §2.2: an unknown token is answered with 200 as well. Some say `invalid_token` or
/// `invalid_grant` instead, which is as good a confirmation.
fn read(response: &FetchResponse, now: Timestamp) -> Revoked {
    if response.status.is_success() {
        return Revoked::Confirmed;
    }
    let status = response.status.as_u16();
    let refusal: Option<Refusal> = match status {
        400 | 401 | 403 => serde_json::from_slice(&response.body).ok(),
        _ => None,
    };
    let error = refusal
        .as_ref()
        .map_or("", |refusal| refusal.error.as_str());
    match (status, error) {
        (400, "invalid_token" | "invalid_grant") => Revoked::Confirmed,
        (_, "unsupported_token_type") => Revoked::NotSupported,
        (401, _) | (_, "invalid_client") => Revoked::Refused(RevokeError::ClientRefused),
        _ => Revoked::Refused(RevokeError::Status {
            status,
            retry_after: retry_after(&response.headers, now),
        }),
    }
}

// === impl Revocation ===

impl Revocation {
    /// Whether nothing is left that the issuer could still end.
    pub fn is_complete(&self) -> bool {
        self.refresh_token.is_over() && self.access_token.is_over()
    }

    /// Whether the issuer confirmed at least one end.
    pub fn is_confirmed(&self) -> bool {
        [&self.refresh_token, &self.access_token].contains(&&Revoked::Confirmed)
    }

    /// Why it is not complete.
    pub fn failure(&self) -> Option<&RevokeError> {
        [&self.refresh_token, &self.access_token]
            .into_iter()
            .find_map(|revoked| match revoked {
                Revoked::Refused(error) => Some(error),
                _ => None,
            })
    }
}

// === impl Revoked ===

impl Revoked {
    fn is_over(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// The other token would hear the same.
    fn concerns_both(&self) -> bool {
        matches!(
            self,
            Self::Refused(
                RevokeError::Authenticate(_)
                    | RevokeError::ClientRefused
                    | RevokeError::Unreachable(_)
                    | RevokeError::Status {
                        status: 429 | 503,
                        ..
                    }
            )
        )
    }
}

// === impl RevokeError ===

impl RevokeError {
    /// How long the issuer wants us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
