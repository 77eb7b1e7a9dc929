//! What is sealed while a sign-in is in flight.

use std::borrow::Cow;

use claviger_crypto::{Context, SealedFor, Secret, base64_decode, base64_encode};
use claviger_model::{CredentialKey, RegistrationId, Server, SignInId};
use claviger_wire::ScopeSet;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::broker::{Inner, origin_of};
use crate::terms::Terms;
use crate::{Act, HoldError, Note};

/// Everything the callback needs, wherever it arrives (C-51, N14).
#[derive(Debug)]
pub(crate) struct FlightRecord {
    /// The engine's own record: verifier, issuer, endpoints, client, resource.
    pub(crate) pending: Secret,
    /// Keyed MAC of the browser's cookie, where a browser began it.
    pub(crate) binding: Option<Vec<u8>>,
    /// The client information in use.
    pub(crate) registration: RegistrationId,
    /// What the server asked for in a challenge, if that is why.
    pub(crate) challenged: Option<ScopeSet>,
    /// The server's settings it was begun under; under others it brings nothing (G6).
    pub(crate) terms: Terms,
}

#[derive(Serialize, Deserialize)]
struct FlightRecordV1<'a> {
    v: u8,
    pending: Cow<'a, str>,
    binding: Option<String>,
    registration: RegistrationId,
    challenged: Option<ScopeSet>,
    terms: Terms,
}

impl FlightRecord {
    pub(crate) async fn seal(
        &self,
        inner: &Inner,
        server: &Server,
        key: &CredentialKey,
        id: &SignInId,
    ) -> Result<Vec<u8>, HoldError> {
        let plain = serde_json::to_vec(&FlightRecordV1 {
            v: 1,
            pending: Cow::Borrowed(self.pending.expose()),
            binding: self.binding.as_deref().map(base64_encode),
            registration: self.registration.clone(),
            challenged: self.challenged.clone(),
            terms: self.terms.clone(),
        });
        let plain = Zeroizing::new(plain.map_err(shape)?);
        let context = context(server, key, id);
        Ok(inner
            .parts
            .vault
            .seal(&key.tenant, &context, &plain)
            .await?)
    }

    pub(crate) async fn open(
        inner: &Inner,
        server: &Server,
        key: &CredentialKey,
        id: &SignInId,
        sealed: &[u8],
    ) -> Result<Self, HoldError> {
        let context = context(server, key, id);
        let about = || {
            Note::credential(Act::Tamper, server, key)
                .with("of", "sign_in")
                .with("sign_in", id.as_str())
        };
        let plain = inner
            .open_sealed(&key.tenant, &context, sealed, about)
            .await?;
        let read: FlightRecordV1<'_> = serde_json::from_slice(&plain).map_err(shape)?;
        Ok(Self {
            pending: Secret::new(read.pending),
            binding: read
                .binding
                .as_deref()
                .map(|text| base64_decode(text).unwrap_or_default()),
            registration: read.registration,
            challenged: read.challenged,
            terms: read.terms,
        })
    }
}

fn shape(source: serde_json::Error) -> HoldError {
    HoldError::Shape {
        source: Box::new(source),
    }
}

/// A082: the record opens for this sign-in, user and server, and for no other.
pub(crate) fn context(server: &Server, key: &CredentialKey, id: &SignInId) -> Context {
    Context::new(SealedFor::SignIn)
        .at("sign_ins", id.as_str())
        .tenant(key.tenant.as_str())
        .user(key.user.as_str())
        .account(key.account.as_str())
        .server(key.server.as_str())
        .origin(&origin_of(server))
}
