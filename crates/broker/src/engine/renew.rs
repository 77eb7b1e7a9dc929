//! One refresh request, and what its answer means.

use core::time::Duration;
use std::sync::Arc;

use claviger_client::{Refresh, RefreshError, Tokens as Obtained, TransientCause, refresh};
use claviger_model::{Credential, OauthSettings, RegistrationOrigin, Server};
use claviger_ports::{FetchError, failpoint_in_task};

use crate::HoldError;
use crate::broker::{Inner, reach_of};
use crate::herd::{Heard, Permit};
use crate::pause::MOST_PATIENT_S;
use crate::record::Tokens;

/// What a refresh came to.
pub(crate) enum Refreshed {
    /// Our client is not known there any more; the grant may live. Curable where the next sign-in
    /// makes or sends other client information.
    ClientRefused { hint: String, is_curable: bool },
    /// We cannot prove ourselves with what is set; nothing was sent.
    Misconfigured(String),
    /// There is nothing to refresh with.
    NoRefreshToken,
    /// New tokens, sealed into the row that is to be stored.
    Renewed {
        row: Box<Credential>,
        tokens: Tokens,
    },
    /// A clear no that names neither the token nor our client (Q08); what it said.
    Stuck { code: String },
    /// The refresh token is dead.
    Terminal,
    /// Later.
    Transient {
        retry_after_s: Option<u32>,
        /// The issuer may have rotated the token all the same.
        may_have_arrived: bool,
    },
}

// === impl Inner ===

impl Inner {
    /// Sends the refresh token to the one endpoint that gave it (Q39); never after `send_by_ms`,
    /// when the lease might end before the answer is there.
    pub(crate) async fn redeem_refresh(
        &self,
        server: &Server,
        settings: &OauthSettings,
        held: &Credential,
        tokens: &Tokens,
        send_by_ms: u64,
        permit: Permit,
    ) -> Result<Refreshed, HoldError> {
        let Some(refresh_token) = tokens.refresh.clone() else {
            return Ok(Refreshed::NoRefreshToken);
        };
        let registration = match &held.registration {
            Some(id) => self.lasting_client(server, settings, id).await?,
            None => None,
        };
        let Some(client) = registration else {
            let hint = "the client information of this credential is gone; sign in again";
            return Ok(Refreshed::ClientRefused {
                hint: hint.to_owned(),
                is_curable: true,
            });
        };
        let is_curable = client.origin != RegistrationOrigin::Static;
        let input = Refresh {
            issuer: held.issuer.clone(),
            token_endpoint: held.token_endpoint.clone(),
            client,
            refresh_token,
            resource: held.resource.clone(),
            scopes_granted: held.scopes_granted.clone(),
            quirks: Arc::clone(&self.parts.quirks),
            jti: self.parts.entropy.id_bytes(),
        };
        let mut unheard = |_step| {};
        let answer = self
            .run_until(
                &mut refresh(input),
                &reach_of(server),
                &mut unheard,
                Some(send_by_ms),
            )
            .await;
        failpoint_in_task!("refresh.after_response");
        permit.heard(heard(&answer));
        match answer {
            Ok(obtained) => self.renewed(server, held, obtained).await,
            Err(error) => Ok(failed(server, held, is_curable, error)),
        }
    }

    async fn renewed(
        &self,
        server: &Server,
        held: &Credential,
        obtained: Obtained,
    ) -> Result<Refreshed, HoldError> {
        let tokens = Tokens {
            access: obtained.access_token,
            refresh: obtained.refresh_token,
        };
        let mut row = Credential {
            version: held.version + 1,
            fingerprint: self.fingerprint(&tokens),
            scopes_granted: obtained.scopes_granted,
            obtained_at: obtained.obtained_at,
            expires_at: obtained.expires_at,
            is_refreshable: tokens.refresh.is_some(),
            ..held.clone()
        };
        self.seal_into(server, &mut row, &tokens).await?;
        Ok(Refreshed::Renewed {
            row: Box::new(row),
            tokens,
        })
    }
}

/// What a failure means for the credential.
fn failed(server: &Server, held: &Credential, is_curable: bool, error: RefreshError) -> Refreshed {
    match error {
        RefreshError::Terminal { .. } => Refreshed::Terminal,
        RefreshError::Transient {
            cause: TransientCause::Refused(refusal),
            ..
        } if is_final(refusal.status) => Refreshed::Stuck {
            code: refusal.to_string(),
        },
        RefreshError::Transient {
            cause,
            retry_after,
            may_have_arrived,
        } => {
            tracing::warn!(server = %server.slug, issuer = %held.issuer, cause = %cause, "a refresh did not go through");
            Refreshed::Transient {
                retry_after_s: retry_after.map(patience),
                may_have_arrived,
            }
        }
        error @ RefreshError::Registration { .. } => Refreshed::ClientRefused {
            hint: format!("{error}; set its client id and secret anew"),
            is_curable,
        },
        error => Refreshed::Misconfigured(error.to_string()),
    }
}

/// Whether asking the same again later is of no use, by the status alone.
fn is_final(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 425 | 429)
}

/// What it says about the issuer, whatever it says about the token.
fn heard(answer: &Result<Obtained, RefreshError>) -> Heard {
    let Err(error) = answer else {
        return Heard::Answer {
            retry_after_s: None,
        };
    };
    match error {
        RefreshError::Authenticate { .. } => Heard::Nothing,
        RefreshError::Transient {
            cause, retry_after, ..
        } => {
            let retry_after_s = retry_after.map(patience);
            match cause {
                // Our own rule: the issuer was not asked.
                TransientCause::Fetch(FetchError::Blocked { .. }) => Heard::Nothing,
                TransientCause::Refused(refusal) if (400..500).contains(&refusal.status) => {
                    Heard::Answer { retry_after_s }
                }
                _ => Heard::Fault { retry_after_s },
            }
        }
        _ => Heard::Answer {
            retry_after_s: None,
        },
    }
}

fn patience(asked: Duration) -> u32 {
    u32::try_from(asked.as_secs())
        .unwrap_or(u32::MAX)
        .min(MOST_PATIENT_S)
}
