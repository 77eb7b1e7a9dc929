//! The beginning of a grant: its family, its first tokens, and the answer.

use claviger_crypto::{Secret, TokenKind};
use claviger_model::{Timestamp, UserId};
use claviger_wire::ScopeSet;

use crate::token::TokenAsk;
use crate::{
    AccessRow, Client, ClientOrigin, EndpointError, Family, GrantType, Issuer, IssuerStoreError,
    TokenAnswer, TokenMac,
};

/// What was granted, by a person or an operator.
pub(crate) struct Granted {
    pub(crate) grant: String,
    pub(crate) user: UserId,
    pub(crate) resource: String,
    pub(crate) scopes: ScopeSet,
}

/// Everything a grant begins with; nothing of it is stored yet.
pub(crate) struct Begun {
    pub(crate) family: Family,
    pub(crate) access: AccessRow,
    pub(crate) answer: TokenAnswer,
}

impl Issuer {
    /// Draws a grant up, with a refresh token if its client may have one.
    pub(crate) fn draw_up_grant(
        &self,
        granted: Granted,
        ask: &TokenAsk<'_>,
    ) -> Result<Begun, EndpointError> {
        let refresh = ask
            .client
            .may(GrantType::RefreshToken)
            .then(|| self.mint(TokenKind::Refresh));
        self.draw_up(granted, refresh, ask)
    }

    /// Draws a grant up that is over with its access token.
    pub(crate) fn draw_up_access_only(
        &self,
        granted: Granted,
        ask: &TokenAsk<'_>,
    ) -> Result<Begun, EndpointError> {
        self.draw_up(granted, None, ask)
    }

    fn draw_up(
        &self,
        granted: Granted,
        refresh: Option<(Secret, TokenMac)>,
        ask: &TokenAsk<'_>,
    ) -> Result<Begun, EndpointError> {
        let expires_at = match refresh {
            Some(_) => ask.now.plus(self.settings.refresh_ttl_s.into()),
            None => ask.now.plus(self.settings.access_ttl_s.into()),
        };
        let family = Family {
            grant: granted.grant,
            client_id: ask.client.id.clone(),
            resource: granted.resource,
            scopes: granted.scopes.clone(),
            tenant: self.settings.tenant.clone(),
            user: granted.user,
            // RFC 9449 §5: a client with a secret or key of its own is bound by that one.
            dpop_jkt: ask.dpop_jkt.clone().filter(|_| ask.client.is_public()),
            current_mac: refresh.as_ref().map(|(_, mac)| *mac),
            replay: None,
            idle_expires_at: ask.now.plus(self.settings.refresh_idle_ttl_s.into()),
            expires_at,
            revoked_at: None,
        };
        let (access_token, access) = self.mint_access(
            &family,
            granted.scopes.clone(),
            ask.dpop_jkt.clone(),
            ask.now,
        )?;
        let answer = TokenAnswer {
            access_token,
            refresh_token: refresh.map(|(token, _)| token),
            expires_in: self.settings.access_ttl_s,
            scopes: granted.scopes,
            is_bound: ask.dpop_jkt.is_some(),
        };
        Ok(Begun {
            family,
            access,
            answer,
        })
    }

    /// Remembers that a client is in use, so that it is not swept (A028).
    pub(crate) async fn used(
        &self,
        client: &Client,
        now: Timestamp,
    ) -> Result<(), IssuerStoreError> {
        if client.origin == ClientOrigin::Dynamic {
            self.doors.store.use_client(&client.id, now).await?;
        }
        Ok(())
    }
}
