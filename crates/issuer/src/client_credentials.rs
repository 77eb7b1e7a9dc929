//! Tokens for a client itself, without a person: RFC 6749 §4.4, SEP-1046.

use claviger_crypto::hex;

use crate::authorize::{Fault, read_scopes};
use crate::begin::Granted;
use crate::token::TokenAsk;
use crate::{EndpointError, ErrorCode, GrantType, Issuer, IssuerEvent, TokenAnswer};

impl Issuer {
    pub(crate) async fn client_credentials(
        &self,
        ask: &TokenAsk<'_>,
    ) -> Result<TokenAnswer, EndpointError> {
        // A036: only whom an operator registered, who proves itself, and acts as somebody.
        let user =
            ask.client.user.as_ref().filter(|_| {
                !ask.client.is_public() && ask.client.may(GrantType::ClientCredentials)
            });
        let Some(user) = user else {
            return Err(EndpointError::new(
                ErrorCode::UnauthorizedClient,
                "the client may not act on its own; ask the operator",
            ));
        };
        if !self.doors.approve.may_go_on(user, &ask.client.id).await {
            return Err(EndpointError::new(
                ErrorCode::UnauthorizedClient,
                "the client may not act on its own any more",
            ));
        }
        let resource = self.read_resource(ask.parameters)?;
        let granted = Granted {
            grant: hex(&self.doors.entropy.id_bytes()),
            user: user.clone(),
            resource: resource.resource.clone(),
            scopes: read_scopes(ask.parameters, resource)?,
        };
        // RFC 6749 §4.4.3: no refresh token; it may ask again at any time.
        let begun = self.draw_up_access_only(granted, ask)?;
        let store = &self.doors.store;
        store.insert_family(begun.family, begun.access).await?;
        self.observe(IssuerEvent::ClientGranted);
        Ok(begun.answer)
    }
}

impl From<Fault> for EndpointError {
    fn from(fault: Fault) -> Self {
        let Fault(code, description) = fault;
        Self::new(code, description)
    }
}
