//! Refresh token to tokens, with rotation: RFC 6749 §6, RFC 9700 §4.14.2.
//!
//! There is no grace here yet: a refresh token that was used before ends its family, whoever sends
//! it. The sealed replay of an answer that got lost needs a place in the family row.

use claviger_crypto::{Secret, TokenKind, kind_of};
use claviger_model::Timestamp;
use claviger_wire::{Scope, ScopeSet};

use crate::parameters::Parameters;
use crate::token::malformed;
use crate::{
    AuthMethod, Client, EndpointError, ErrorCode, Family, FamilyMatch, Issuer, IssuerEvent, Rotate,
    Rotation, TokenAnswer, TokenMac,
};

impl Issuer {
    pub(crate) async fn refresh(
        &self,
        client: &Client,
        parameters: &Parameters,
        now: Timestamp,
    ) -> Result<TokenAnswer, EndpointError> {
        let Some(token) = parameters.one("refresh_token") else {
            return Err(malformed("refresh_token is missing"));
        };
        // A119: by its prefix, before anything is looked up.
        if kind_of(token) != Some(TokenKind::Refresh) {
            return Err(not_good());
        }
        let mac = self.token_mac(&Secret::new(token));
        let family = match self.doors.store.find_family(&mac).await? {
            None => return Err(not_good()),
            // A109: somebody else has it too.
            Some(FamilyMatch::Spent(family)) => return Err(self.reused(&family, now).await?),
            Some(FamilyMatch::Current(family)) => family,
        };
        // A115: a token in a stranger's hands was stolen.
        if family.client_id != client.id {
            return Err(self.reused(&family, now).await?);
        }
        let ended = family.revoked_at.is_some()
            || family.expires_at <= now
            || family.idle_expires_at <= now;
        if ended {
            return Err(not_good());
        }
        // A116: what is refused rotates nothing.
        let scopes = narrowed(&family, parameters)?;
        self.rotate(client, &family, mac, scopes, now).await
    }

    async fn rotate(
        &self,
        client: &Client,
        family: &Family,
        current: TokenMac,
        scopes: ScopeSet,
        now: Timestamp,
    ) -> Result<TokenAnswer, EndpointError> {
        let keeps =
            self.settings.rotation == Rotation::PublicClients && client.auth != AuthMethod::None;
        let next = (!keeps).then(|| self.mint(TokenKind::Refresh));
        let (access_token, access) = self.mint_access(family, scopes.clone(), now);
        let rotate = Rotate {
            current,
            next: next.as_ref().map_or(current, |(_, mac)| *mac),
            idle_expires_at: now.plus(self.settings.refresh_idle_ttl_s.into()),
            access,
        };
        if !self.doors.store.rotate(rotate).await? {
            // Somebody was faster with the same token, or the family was just revoked.
            return Err(self.reused(family, now).await?);
        }
        self.observe(IssuerEvent::Refreshed);
        Ok(TokenAnswer {
            access_token,
            refresh_token: next.map(|(token, _)| token),
            expires_in: self.settings.access_ttl_s,
            scopes,
        })
    }

    async fn reused(
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
