//! Code to tokens: RFC 6749 §4.1.3, RFC 7636 §4.6.

use claviger_crypto::{Secret, TokenKind, kind_of, pkce_challenge};
use claviger_model::Timestamp;

use crate::begin::Granted;
use crate::token::{TokenAsk, malformed};
use crate::{
    CodeRow, EndpointError, ErrorCode, Issuer, IssuerEvent, MAX_CODE_FAILURES, TokenAnswer,
};

impl Issuer {
    pub(crate) async fn redeem(&self, ask: &TokenAsk<'_>) -> Result<TokenAnswer, EndpointError> {
        let Some(code) = ask.parameters.one("code") else {
            return Err(malformed("code is missing"));
        };
        let Some(verifier) = ask.parameters.one("code_verifier") else {
            return Err(malformed("code_verifier is missing"));
        };
        // A119: another kind of token is never looked up as a code.
        if kind_of(code) != Some(TokenKind::Code) {
            return Err(not_good());
        }
        let mac = self.token_mac(&Secret::new(code));
        let Some(row) = self.doors.store.find_code(&mac).await? else {
            return Err(not_good());
        };
        check_binding(&row, ask)?;
        self.check_verifier(&row, verifier).await?;
        if row.is_redeemed {
            return Err(self.code_reused(&row, ask.now).await?);
        }
        if row.expires_at <= ask.now {
            return Err(not_good());
        }
        let begun = self.draw_up_grant(
            Granted {
                grant: row.grant.clone(),
                user: row.user.clone(),
                resource: row.resource.clone(),
                scopes: row.scopes.clone(),
            },
            ask,
        )?;
        let store = &self.doors.store;
        if !store
            .redeem_code(&row.mac, begun.family, begun.access)
            .await?
        {
            return Err(self.code_reused(&row, ask.now).await?);
        }
        self.observe(IssuerEvent::CodeRedeemed);
        self.used(ask.client, ask.now).await?;
        Ok(begun.answer)
    }

    // RFC 6749 §4.1.2: a code that comes twice was stolen from one of the two; what it gave ends
    // (A093).
    async fn code_reused(
        &self,
        row: &CodeRow,
        now: Timestamp,
    ) -> Result<EndpointError, EndpointError> {
        self.doors.store.revoke_grant(&row.grant, now).await?;
        self.observe(IssuerEvent::CodeReused);
        Ok(not_good())
    }

    // A096: whoever has a code and guesses verifiers has three tries.
    async fn check_verifier(&self, row: &CodeRow, verifier: &str) -> Result<(), EndpointError> {
        // RFC 7636 §4.1: 43 to 128 unreserved characters.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(plain);
        let computed = Secret::new(pkce_challenge(verifier));
        let expected = Secret::new(row.code_challenge.as_str());
        if row.failures >= MAX_CODE_FAILURES {
            return Err(not_good());
        }
        if formed && computed.matches(&expected) {
            return Ok(());
        }
        self.doors.store.count_code_failure(&row.mac).await?;
        Err(not_good())
    }
}

// A095: a stranger's attempt does not burn the code for its owner.
fn check_binding(row: &CodeRow, ask: &TokenAsk<'_>) -> Result<(), EndpointError> {
    if row.client_id != ask.client.id {
        return Err(not_good());
    }
    // RFC 9449 §10: who began with one key does not end with another.
    if row.dpop_jkt.is_some() && row.dpop_jkt != ask.dpop_jkt {
        return Err(EndpointError::new(
            ErrorCode::InvalidDpopProof,
            "the code is bound to another key",
        ));
    }
    if ask
        .parameters
        .one("redirect_uri")
        .is_some_and(|uri| uri != row.redirect_uri)
    {
        return Err(not_good());
    }
    if ask
        .parameters
        .one("resource")
        .is_some_and(|resource| resource != row.resource)
    {
        return Err(EndpointError::new(
            ErrorCode::InvalidTarget,
            "the code is for another resource",
        ));
    }
    Ok(())
}

fn not_good() -> EndpointError {
    EndpointError::new(
        ErrorCode::InvalidGrant,
        "the code is unknown, expired, used, or another client's",
    )
}
