//! Revocation: RFC 7009.

use claviger_crypto::{Secret, TokenKind, kind_of};
use claviger_model::{Timestamp, UserId};

use crate::token::malformed;
use crate::{EndpointError, FamilyMatch, FormRequest, Issuer, IssuerEvent, IssuerStoreError};

impl Issuer {
    /// Ends everything this user has granted, as an operator or the user's own page asks for it
    /// (R6, A118).
    pub async fn revoke_user(&self, user: &UserId, now: Timestamp) -> Result<(), IssuerStoreError> {
        self.doors.store.revoke_user(user, now).await?;
        self.observe(IssuerEvent::Revoked);
        Ok(())
    }

    // RFC 7009 §2.2: an unknown token is as good as revoked, so the answer says nothing.
    /// Revokes a token of the client that asks. The hint is not needed: a token says its kind.
    pub async fn revoke(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<(), EndpointError> {
        let parameters = request.read()?;
        self.admit_form(request, now)?;
        let client = self.authenticate(request, &parameters, now).await?;
        let Some(token) = parameters.one("token") else {
            return Err(malformed("token is missing"));
        };
        let store = &self.doors.store;
        let mac = self.token_mac(&Secret::new(token));
        match kind_of(token) {
            Some(TokenKind::Refresh) => {
                let Some(FamilyMatch::Current(family) | FamilyMatch::Spent(family)) =
                    store.find_family(&mac).await?
                else {
                    return Ok(());
                };
                // A136: another client's token is none of this client's business.
                if family.client_id == client.id {
                    // RFC 7009 §2.1: the access tokens of the same grant end with it (A138).
                    store.revoke_grant(&family.grant, now).await?;
                    self.observe(IssuerEvent::Revoked);
                }
            }
            // An access token is opaque or a JWT.
            Some(TokenKind::Access) | None => {
                let row = store.find_access(&mac).await?;
                if row.is_some_and(|row| row.client_id == client.id) {
                    store.revoke_access(&mac).await?;
                    self.observe(IssuerEvent::Revoked);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
