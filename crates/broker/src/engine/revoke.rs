//! Revocation at the issuer: the refresh token first (RFC 7009).

use claviger_client::{ClientInformation, Revoke, revoke};
use claviger_model::{Auth, Credential, OauthSettings, Server};

use crate::broker::{Inner, reach_of};
use crate::disconnect::AtIssuer;
use crate::record::Tokens;
use crate::restored::HELD;

// === impl Inner ===

impl Inner {
    /// Revokes what was just ended here. Whatever comes of it, it is not used here any more.
    pub(crate) async fn revoke(
        &self,
        server: &Server,
        row: &Credential,
        tokens: &Tokens,
    ) -> AtIssuer {
        if row.revocation_endpoint.is_none() {
            return AtIssuer::NotOffered;
        }
        let settings = match &server.auth {
            Auth::Oauth(settings) => (**settings).clone(),
            _ => OauthSettings::default(),
        };
        let client = match &row.registration {
            Some(id) => self.client_by_id(server, &settings, id).await,
            None => Ok(None),
        };
        let client = match client {
            Ok(Some(client)) => client,
            Ok(None) => {
                return AtIssuer::Failed("the client information is gone".to_owned());
            }
            Err(error) => return AtIssuer::Failed(error.to_string()),
        };
        self.revoke_as(server, row, tokens, client).await
    }

    /// The same, as a client that is at hand: what was obtained may never have been stored.
    pub(crate) async fn revoke_as(
        &self,
        server: &Server,
        row: &Credential,
        tokens: &Tokens,
        client: ClientInformation,
    ) -> AtIssuer {
        let Some(endpoint) = row.revocation_endpoint.clone() else {
            return AtIssuer::NotOffered;
        };
        if self.is_held() {
            // F33: it may be the grant of the live installation.
            return AtIssuer::Failed(HELD.to_owned());
        }
        let input = Revoke {
            issuer: row.issuer.clone(),
            revocation_endpoint: endpoint,
            client,
            refresh_token: tokens.refresh.clone(),
            access_token: Some(tokens.access.clone()),
            jtis: [self.parts.entropy.id_bytes(), self.parts.entropy.id_bytes()],
        };
        let mut unheard = |_step| {};
        let revoked = self
            .run(&mut revoke(input), &reach_of(server), &mut unheard)
            .await;
        // Where the refresh token went, issuers end the access token with it (RFC 7009 §2.1).
        let is_done = if tokens.refresh.is_some() {
            revoked.refresh_token
        } else {
            revoked.access_token
        };
        if is_done {
            AtIssuer::Revoked
        } else {
            AtIssuer::Failed(
                "the issuer did not confirm; revoke it in your account there".to_owned(),
            )
        }
    }
}
