//! Code to tokens: RFC 6749 §4.1.3, RFC 7636 §4.6.

use claviger_crypto::{Secret, TokenKind, kind_of, pkce_challenge};
use claviger_model::Timestamp;

use crate::parameters::Parameters;
use crate::token::malformed;
use crate::{
    Client, CodeRow, EndpointError, ErrorCode, Family, Issuer, IssuerEvent, MAX_CODE_FAILURES,
    TokenAnswer,
};

impl Issuer {
    pub(crate) async fn redeem(
        &self,
        client: &Client,
        parameters: &Parameters,
        now: Timestamp,
    ) -> Result<TokenAnswer, EndpointError> {
        let Some(code) = parameters.one("code") else {
            return Err(malformed("code is missing"));
        };
        let Some(verifier) = parameters.one("code_verifier") else {
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
        check_binding(&row, client, parameters)?;
        self.check_verifier(&row, verifier).await?;
        if row.is_redeemed {
            return Err(self.code_reused(&row, now).await?);
        }
        if row.expires_at <= now {
            return Err(not_good());
        }
        self.begin(client, &row, now).await
    }

    async fn begin(
        &self,
        client: &Client,
        row: &CodeRow,
        now: Timestamp,
    ) -> Result<TokenAnswer, EndpointError> {
        let refresh = client.may_refresh.then(|| self.mint(TokenKind::Refresh));
        let family = Family {
            grant: row.grant.clone(),
            client_id: row.client_id.clone(),
            resource: row.resource.clone(),
            scopes: row.scopes.clone(),
            tenant: row.tenant.clone(),
            user: row.user.clone(),
            current_mac: refresh.as_ref().map(|(_, mac)| *mac),
            idle_expires_at: now.plus(self.settings.refresh_idle_ttl_s.into()),
            expires_at: now.plus(self.settings.refresh_ttl_s.into()),
            revoked_at: None,
        };
        let (access_token, access) = self.mint_access(&family, row.scopes.clone(), now);
        let store = &self.doors.store;
        if !store.redeem_code(&row.mac, family, access).await? {
            return Err(self.code_reused(row, now).await?);
        }
        self.observe(IssuerEvent::CodeRedeemed);
        Ok(TokenAnswer {
            access_token,
            refresh_token: refresh.map(|(token, _)| token),
            expires_in: self.settings.access_ttl_s,
            scopes: row.scopes.clone(),
        })
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
fn check_binding(
    row: &CodeRow,
    client: &Client,
    parameters: &Parameters,
) -> Result<(), EndpointError> {
    if row.client_id != client.id {
        return Err(not_good());
    }
    if parameters
        .one("redirect_uri")
        .is_some_and(|uri| uri != row.redirect_uri)
    {
        return Err(not_good());
    }
    if parameters
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
