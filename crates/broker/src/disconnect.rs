//! Disconnecting: the end here first, then at the issuer (K10).

use std::sync::Arc;

use claviger_model::{Connection, CredentialKey, Outcome, Reason, Server, Standing, UserId};
use claviger_store::Guarded;
use tokio::sync::oneshot;

use crate::broker::{Inner, key_of};
use crate::sign_in::Ended;
use crate::{Broker, HoldError};

/// What disconnecting did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnected {
    /// There was a credential, and it is gone here.
    pub ended_here: bool,
    /// What the issuer said.
    pub at_issuer: AtIssuer,
}

/// What became of the revocation at the issuer (RFC 7009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtIssuer {
    /// It did not confirm; what went wrong, in words of ours.
    Failed(String),
    /// It publishes no revocation endpoint.
    NotOffered,
    /// There was nothing to revoke.
    NothingToRevoke,
    /// It confirmed.
    Revoked,
}

// === impl Broker ===

impl Broker {
    /// Ends what is held for `user` at `server`, and revokes it at the issuer that gave it. From
    /// the first step on nothing here uses it any more, whatever the issuer answers.
    pub async fn disconnect(
        &self,
        server: &Server,
        user: &UserId,
    ) -> Result<Disconnected, HoldError> {
        let key = key_of(server, user);
        let (send, receive) = oneshot::channel();
        let (inner, server) = (Arc::clone(&self.inner), server.clone());
        // What was ended here must also be revoked there, even if nobody waits to hear of it.
        self.inner.parts.tasks.spawn(
            "disconnect",
            Box::pin(async move {
                drop(send.send(inner.disconnect(&server, &key).await));
            }),
        );
        receive.await.unwrap_or(Err(HoldError::BrokeOff))
    }
}

// === impl Inner ===

impl Inner {
    async fn disconnect(
        &self,
        server: &Server,
        key: &CredentialKey,
    ) -> Result<Disconnected, HoldError> {
        let connection = Connection {
            key: key.clone(),
            standing: Standing::NeedsSignIn,
            reason: Some(Reason::Disconnected),
            challenge: None,
            step_ups: 0,
            updated_at: self.parts.clock.now(),
        };
        let rows = self.rows(key);
        // What is still on its way must not be stored behind this.
        if let Some(open) = rows.find_open_sign_in(key, self.parts.clock.now()).await? {
            let cancelled = Ended::new(Outcome::Cancelled, "the connection was ended meanwhile");
            self.end(&key.tenant, &open.id, cancelled).await;
        }
        loop {
            let Some(row) = rows.find_credential(key).await? else {
                return Ok(Disconnected {
                    ended_here: false,
                    at_issuer: AtIssuer::NothingToRevoke,
                });
            };
            // A credential that cannot be opened can be ended all the same.
            let tokens = self.unseal(server, &row).await;
            let ended = rows.end_credential(key, &row.fingerprint, &connection);
            if ended.await? == Guarded::Superseded {
                // A refresh came in between: what it stored is what has to go.
                continue;
            }
            self.cache.forget(key);
            self.pauses.forget(key);
            let at_issuer = match tokens {
                Ok(tokens) => self.revoke(server, &row, &tokens).await,
                Err(error) => AtIssuer::Failed(error.to_string()),
            };
            return Ok(Disconnected {
                ended_here: true,
                at_issuer,
            });
        }
    }
}
