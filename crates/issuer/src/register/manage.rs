//! What a client may do with its own registration: RFC 7592.

use ::http::StatusCode;
use claviger_crypto::{Secret, TokenKind, kind_of};
use claviger_model::Timestamp;

use super::{RegisterRequest, Registered, bad, bearer, read_wanted};
use crate::limit::Counted;
use crate::{Client, ClientOrigin, EndpointError, ErrorCode, Issuer, IssuerEvent};

impl Issuer {
    /// Tells a client what is known of it. Its secret is not: nobody knows that any more.
    pub async fn read_registration(
        &self,
        request: &RegisterRequest<'_>,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Registered, EndpointError> {
        let (client, token) = self.own_registration(request, client_id, now).await?;
        let registration = Some((self.registration_url(&client.id), token));
        Ok(Registered {
            client,
            secret: None,
            registration,
        })
    }

    /// Replaces what a client registered. A signed id says what it says and cannot change.
    pub async fn update_registration(
        &self,
        request: &RegisterRequest<'_>,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Registered, EndpointError> {
        let (client, token) = self.own_registration(request, client_id, now).await?;
        if client.origin != ClientOrigin::Dynamic {
            return Err(EndpointError::new(
                ErrorCode::UnauthorizedClient,
                "this registration is part of its client id; register anew to change it",
            )
            .with_status(StatusCode::FORBIDDEN));
        }
        let wanted = read_wanted(request.body)?;
        // RFC 7592 §2.2: the same client, and nothing that is ours to say.
        if wanted.client_id.as_deref() != Some(client.id.as_str()) {
            return Err(bad("client_id is not the one of this registration"));
        }
        self.check_listed(&wanted)?;
        let read = wanted.read()?;
        let keeps_secret = client.auth.has_secret() && read.auth.has_secret();
        let mut changed = Client {
            name: read.name,
            redirect_uris: read.redirect_uris,
            auth: read.auth,
            keys: read.keys,
            grant_types: read.grant_types,
            ..client
        };
        let secret = if keeps_secret {
            None
        } else {
            self.give_secret(&mut changed)
        };
        if !self.doors.store.update_client(changed.clone()).await? {
            return Err(unknown());
        }
        let registration = Some((self.registration_url(&changed.id), token));
        Ok(Registered {
            client: changed,
            secret,
            registration,
        })
    }

    /// Ends a registration, and everything that hangs from it (A046).
    pub async fn delete_registration(
        &self,
        request: &RegisterRequest<'_>,
        client_id: &str,
        now: Timestamp,
    ) -> Result<(), EndpointError> {
        let (client, _) = self.own_registration(request, client_id, now).await?;
        self.doors.store.retire_client(&client.id, now).await?;
        self.observe(IssuerEvent::Retired);
        Ok(())
    }

    // A046: the token of this registration and of no other; unknown looks like wrong.
    async fn own_registration(
        &self,
        request: &RegisterRequest<'_>,
        client_id: &str,
        now: Timestamp,
    ) -> Result<(Client, Secret), EndpointError> {
        self.limiter
            .admit_address(Counted::Register, request.address, now)?;
        let token = bearer(request.headers)
            .filter(|token| kind_of(token.expose()) == Some(TokenKind::Registration))
            .ok_or_else(unknown)?;
        let client = self
            .find_client(client_id, now)
            .await?
            .ok_or_else(unknown)?;
        let known = match (client.origin, client.registration_mac) {
            (ClientOrigin::Signed, _) => {
                self.derived_registration_token(&client.id).matches(&token)
            }
            (_, Some(mac)) => self.has_mac("token", &[token.expose()], &mac),
            (_, None) => false,
        };
        if known {
            Ok((client, token))
        } else {
            Err(unknown())
        }
    }
}

fn unknown() -> EndpointError {
    EndpointError::new(
        ErrorCode::InvalidToken,
        "the registration access token is not one of this registration",
    )
    .with_bearer_challenge()
}
