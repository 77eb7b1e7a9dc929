//! Refresh token to tokens, with rotation: RFC 6749 §6, RFC 9700 §4.14.2.
//!
//! One guarded statement moves the family on; whoever lost the race, or missed the answer, gets
//! the same successor for a while (`replay`). Everything else with a spent token ends the family.

use claviger_crypto::{Secret, TokenKind, kind_of};
use claviger_model::Timestamp;
use claviger_wire::{Scope, ScopeSet};

use self::replay::Answered;
use crate::parameters::Parameters;
use crate::token::{TokenAsk, malformed};
use crate::{
    EndpointError, ErrorCode, Family, FamilyMatch, GrantType, Issuer, IssuerEvent, Rotate,
    Rotation, TokenAnswer, TokenMac,
};

mod replay;

impl Issuer {
    pub(crate) async fn refresh(&self, ask: &TokenAsk<'_>) -> Result<TokenAnswer, EndpointError> {
        let Some(token) = ask.parameters.one("refresh_token") else {
            return Err(malformed("refresh_token is missing"));
        };
        // A119: by its prefix, before anything is looked up.
        if kind_of(token) != Some(TokenKind::Refresh) {
            return Err(not_good());
        }
        let token = Secret::new(token);
        let mac = self.token_mac(&token);
        let (family, is_current) = match self.doors.store.find_family(&mac).await? {
            None => return Err(not_good()),
            Some(FamilyMatch::Current(family)) => (family, true),
            Some(FamilyMatch::Spent(family)) => (family, false),
        };
        // A115: a token in a stranger's hands was stolen.
        if family.client_id != ask.client.id {
            return Err(self.reused(&family, ask.now).await?);
        }
        self.check_still_allowed(&family, ask).await?;
        let scopes = narrowed(&family, ask.parameters);
        if !is_current {
            return match scopes {
                Ok(scopes) => self.answer_again(&family, &token, mac, scopes, ask).await,
                Err(_) => Err(self.reused(&family, ask.now).await?),
            };
        }
        // RFC 9449 §5: a refresh token of a public client is good with its key only (A104).
        if family.dpop_jkt.is_some() && family.dpop_jkt != ask.dpop_jkt {
            return Err(EndpointError::new(
                ErrorCode::InvalidDpopProof,
                "the refresh token is bound to another key",
            ));
        }
        // A116: what is refused rotates nothing.
        self.rotate(&family, &token, mac, scopes?, ask).await
    }

    async fn check_still_allowed(
        &self,
        family: &Family,
        ask: &TokenAsk<'_>,
    ) -> Result<(), EndpointError> {
        let ended = family.revoked_at.is_some()
            || family.expires_at <= ask.now
            || family.idle_expires_at <= ask.now;
        if ended {
            return Err(not_good());
        }
        // A118: a person who is gone, or took back what they said, signs nobody in any more.
        let user = &family.user;
        if !self.doors.approve.may_go_on(user, &family.client_id).await {
            self.doors
                .store
                .revoke_grant(&family.grant, ask.now)
                .await?;
            self.observe(IssuerEvent::Revoked);
            return Err(not_good());
        }
        Ok(())
    }

    async fn rotate(
        &self,
        family: &Family,
        token: &Secret,
        current: TokenMac,
        scopes: ScopeSet,
        ask: &TokenAsk<'_>,
    ) -> Result<TokenAnswer, EndpointError> {
        let keeps = !ask.client.is_public() && self.settings.rotation == Rotation::PublicClients;
        if !ask.client.may(GrantType::RefreshToken) {
            return Err(EndpointError::new(
                ErrorCode::UnauthorizedClient,
                "the client may not refresh any more",
            ));
        }
        let next = (!keeps).then(|| self.mint(TokenKind::Refresh));
        let (access_token, access) =
            self.mint_access(family, scopes.clone(), ask.dpop_jkt.clone(), ask.now)?;
        let answered = next.as_ref().map(|(next, _)| Answered {
            access_token: access_token.clone(),
            refresh_token: next.clone(),
            expires_at: access.expires_at,
        });
        let sealed = answered
            .filter(|_| !self.settings.refresh_grace.is_none())
            .map(|answered| self.seal_answer(family, token, &scopes, ask, &answered));
        let rotate = Rotate {
            current,
            next: next.as_ref().map_or(current, |(_, mac)| *mac),
            sealed,
            now: ask.now,
            idle_expires_at: ask.now.plus(self.settings.refresh_idle_ttl_s.into()),
            access,
        };
        if !self.doors.store.rotate(rotate).await? {
            // A110: somebody was faster with the same token, or the family was just revoked.
            return self.answer_again(family, token, current, scopes, ask).await;
        }
        self.observe(IssuerEvent::Refreshed);
        Ok(TokenAnswer {
            access_token,
            refresh_token: next.map(|(token, _)| token),
            expires_in: self.settings.access_ttl_s,
            scopes,
            is_bound: ask.dpop_jkt.is_some(),
        })
    }

    pub(crate) async fn reused(
        &self,
        family: &Family,
        now: Timestamp,
    ) -> Result<EndpointError, EndpointError> {
        self.doors.store.revoke_grant(&family.grant, now).await?;
        self.observe(IssuerEvent::RefreshReused);
        Ok(not_good())
    }
}

fn narrowed(family: &Family, parameters: &Parameters) -> Result<ScopeSet, EndpointError> {
    if parameters
        .one("resource")
        .is_some_and(|resource| resource != family.resource)
    {
        return Err(EndpointError::new(
            ErrorCode::InvalidTarget,
            "the refresh token is for another resource",
        ));
    }
    let Some(text) = parameters.one("scope") else {
        return Ok(family.scopes.clone());
    };
    let mut scopes = ScopeSet::new();
    for one in text.split(' ').filter(|one| !one.is_empty()) {
        match Scope::parse(one) {
            Ok(scope) if family.scopes.contains(scope.as_str()) => scopes.insert(scope),
            _ => {
                return Err(EndpointError::new(
                    ErrorCode::InvalidScope,
                    "a refresh may narrow the scope, never widen it",
                ));
            }
        }
    }
    Ok(scopes)
}

fn not_good() -> EndpointError {
    EndpointError::new(
        ErrorCode::InvalidGrant,
        "the refresh token is unknown, expired, used or revoked",
    )
}
