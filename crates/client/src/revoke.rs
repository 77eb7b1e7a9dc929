//! Revocation at the issuer: RFC 7009, the refresh token first.

use claviger_crypto::Secret;
use claviger_ports::Sink;
use claviger_wire::{RevocationRequest, TokenHint};

use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;
use crate::token::post;
use crate::{ClientInformation, Machine};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The refresh token is gone.
    pub refresh_token: bool,
    /// The access token is gone.
    pub access_token: bool,
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
    let access = input.access_token.as_ref();
    Revocation {
        refresh_token: one(&io, &input, refresh, TokenHint::RefreshToken, first).await,
        access_token: one(&io, &input, access, TokenHint::AccessToken, second).await,
    }
}

async fn one(
    io: &Io,
    input: &Revoke,
    token: Option<&Secret>,
    hint: TokenHint,
    jti: [u8; 16],
) -> bool {
    let Some(token) = token else {
        return true;
    };
    let event = Event::new(Stage::Revocation, "RFC 7009 §2.1").at_place(&input.revocation_endpoint);
    let auth = match input
        .client
        .authenticate(&input.issuer, false, jti, io.now())
    {
        Ok(auth) => auth,
        Err(error) => {
            io.tell(event.outcome(EventOutcome::Refused).note(error.to_string()));
            return false;
        }
    };
    let printed = RevocationRequest { token, hint }.print(&auth);
    let request = post(Sink::Revocation, &input.revocation_endpoint, &printed);
    match io.fetch(request).await {
        Ok(response) => {
            // RFC 7009 §2.2: an unknown token is answered with 200 as well.
            let is_done = response.status.is_success();
            let outcome = if is_done {
                EventOutcome::Ok
            } else {
                EventOutcome::Refused
            };
            io.tell(event.status(response.status.as_u16()).outcome(outcome));
            is_done
        }
        Err(error) => {
            io.tell(
                event
                    .outcome(EventOutcome::Unreachable)
                    .note(error.to_string()),
            );
            false
        }
    }
}

// === impl Revocation ===

impl Revocation {
    /// Whether nothing is left.
    pub fn is_complete(self) -> bool {
        self.refresh_token && self.access_token
    }
}
