//! Clients that an operator registers: with a secret, a key, a user to act as, or as a resource.

use std::collections::BTreeSet;

use claviger_crypto::PublicKey;
use claviger_model::{Timestamp, UserId};

use super::Registered;
use super::read::{bad, tidy_name};
use crate::{
    AuthMethod, Client, ClientOrigin, EndpointError, GrantType, Issuer, IssuerEvent, RedirectUri,
};

/// A client as an operator describes it.
#[derive(Debug, Clone)]
pub struct StaticClient {
    /// Its id; never URL-shaped.
    pub id: String,
    /// What people see.
    pub name: Option<String>,
    /// Where its codes may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it proves itself.
    pub auth: AuthMethod,
    /// Its keys, if it proves itself by one.
    pub keys: Vec<PublicKey>,
    /// What it may ask the token endpoint for.
    pub grant_types: BTreeSet<GrantType>,
    /// As whom it acts when no person is asked; needed for `client_credentials`.
    pub user: Option<UserId>,
    /// The resource it is, if it may ask about tokens.
    pub resource: Option<String>,
}

impl Issuer {
    /// Registers a client on the operator's word; its secret, if it gets one, is shown once.
    pub async fn preregister(
        &self,
        wanted: StaticClient,
        now: Timestamp,
    ) -> Result<Registered, EndpointError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let formed = !wanted.id.is_empty() && wanted.id.len() <= 128;
        if !formed || !wanted.id.bytes().all(plain) || Self::is_signed_form(&wanted.id) {
            return Err(bad(
                "a client id has 1 to 128 letters, digits, `-`, `.` and `_`",
            ));
        }
        let own = wanted.grant_types.contains(&GrantType::ClientCredentials);
        if own && (wanted.auth == AuthMethod::None || wanted.user.is_none()) {
            return Err(bad("client_credentials needs a secret or key, and a user"));
        }
        if wanted.auth == AuthMethod::PrivateKeyJwt && wanted.keys.is_empty() {
            return Err(bad("private_key_jwt needs a key"));
        }
        let mut client = Client {
            id: wanted.id,
            tenant: self.settings.tenant.clone(),
            origin: ClientOrigin::Static,
            name: wanted.name.as_deref().and_then(tidy_name),
            redirect_uris: wanted.redirect_uris,
            auth: wanted.auth,
            secret_mac: None,
            keys: wanted.keys,
            grant_types: wanted.grant_types,
            user: wanted.user,
            resource: wanted.resource,
            registration_mac: None,
            created_at: now,
            used_at: None,
        };
        let secret = self.give_secret(&mut client);
        self.doors.store.insert_client(client.clone()).await?;
        self.observe(IssuerEvent::Registered);
        Ok(Registered {
            client,
            secret,
            registration: None,
        })
    }
}
