//! What is sealed into a revocation: all it takes to send it, when the server, its settings and its
//! client information may be long gone.

use std::borrow::Cow;

use claviger_client::ClientInformation;
use claviger_crypto::{Context, SealedFor, Secret};
use claviger_model::{RegistrationOrigin, Revocation, Timestamp};
use claviger_ports::Reach;
use claviger_wire::AuthMethod;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::told::note;
use crate::broker::Inner;
use crate::record::Tokens;
use crate::{Act, HoldError};

/// A revocation with its secrets.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) tokens: Tokens,
    /// When the access token ends by itself, where that is known.
    pub(super) access_until: Option<Timestamp>,
    pub(super) endpoint: String,
    /// The host whose private addresses the server was allowed (A023).
    pub(super) private_host: Option<String>,
    pub(super) client: ClientInformation,
}

#[derive(Serialize, Deserialize)]
struct OwedV1<'a> {
    v: u8,
    access_token: Cow<'a, str>,
    refresh_token: Option<Cow<'a, str>>,
    access_until: Option<Timestamp>,
    endpoint: Cow<'a, str>,
    private_host: Option<Cow<'a, str>>,
    client: ClientV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct ClientV1<'a> {
    client_id: Cow<'a, str>,
    origin: RegistrationOrigin,
    auth_method: Cow<'a, str>,
    secret: Option<Cow<'a, str>>,
    private_key: Option<Cow<'a, str>>,
}

// === impl Owed ===

impl Owed {
    pub(super) async fn seal(&self, inner: &Inner, row: &Revocation) -> Result<Vec<u8>, HoldError> {
        let client = &self.client;
        let plain = serde_json::to_vec(&OwedV1 {
            v: 1,
            access_token: Cow::Borrowed(self.tokens.access.expose()),
            refresh_token: self.tokens.refresh.as_ref().map(borrow),
            access_until: self.access_until,
            endpoint: Cow::Borrowed(&self.endpoint),
            private_host: self.private_host.as_deref().map(Cow::Borrowed),
            client: ClientV1 {
                client_id: Cow::Borrowed(&client.client_id),
                origin: client.origin,
                auth_method: Cow::Borrowed(client.auth_method.as_str()),
                secret: client.secret.as_ref().map(borrow),
                private_key: client.private_key.as_ref().map(borrow),
            },
        });
        let plain = Zeroizing::new(plain.map_err(shape)?);
        let vault = &inner.parts.vault;
        Ok(vault.seal(&row.key.tenant, &context(row), &plain).await?)
    }

    pub(super) async fn open(inner: &Inner, row: &Revocation) -> Result<Self, HoldError> {
        let about = || note(Act::Tamper, row).with("of", "revocation");
        let plain = inner
            .open_sealed(&row.key.tenant, &context(row), &row.sealed, about)
            .await?;
        let read: OwedV1<'_> = serde_json::from_slice(&plain).map_err(shape)?;
        let client = read.client;
        Ok(Self {
            tokens: Tokens {
                access: Secret::new(read.access_token),
                refresh: read.refresh_token.map(Secret::new),
            },
            access_until: read.access_until,
            endpoint: read.endpoint.into_owned(),
            private_host: read.private_host.map(Cow::into_owned),
            client: ClientInformation {
                secret: client.secret.map(Secret::new),
                private_key: client.private_key.map(Secret::new),
                auth_method: AuthMethod::parse(&client.auth_method).unwrap_or(AuthMethod::None),
                ..ClientInformation::public(&row.issuer, client.client_id, client.origin)
            },
        })
    }

    pub(super) fn reach(&self) -> Reach {
        match &self.private_host {
            Some(host) => Reach::public().with_private_host(host),
            None => Reach::public(),
        }
    }
}

fn borrow(secret: &Secret) -> Cow<'_, str> {
    Cow::Borrowed(secret.expose())
}

fn shape(source: serde_json::Error) -> HoldError {
    HoldError::Shape {
        source: Box::new(source),
    }
}

/// Whose tokens they are and who gave them is part of the seal; the server may be gone.
pub(crate) fn context(row: &Revocation) -> Context {
    Context::new(SealedFor::Revocation)
        .at("revocations", row.id.as_str())
        .tenant(row.key.tenant.as_str())
        .user(row.key.user.as_str())
        .account(row.key.account.as_str())
        .server(row.key.server.as_str())
        .issuer(&row.issuer)
}
