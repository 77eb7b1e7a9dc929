//! Disconnecting: the end here first, then at the issuer (K10).

use claviger_model::{Connection, Reason, Server, Standing, UserId};
use claviger_store::Guarded;

use crate::broker::key_of;
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
        let inner = &self.inner;
        let key = key_of(server, user);
        let connection = Connection {
            key: key.clone(),
            standing: Standing::NeedsSignIn,
            reason: Some(Reason::Disconnected),
            challenge: None,
            step_ups: 0,
            updated_at: inner.parts.clock.now(),
        };
        loop {
            let rows = inner.rows(&key);
            let Some(row) = rows.find_credential(&key).await? else {
                return Ok(Disconnected {
                    ended_here: false,
                    at_issuer: AtIssuer::NothingToRevoke,
                });
            };
            // A credential that cannot be opened can be ended all the same.
            let tokens = inner.unseal(server, &row).await;
            match rows
                .end_credential(&key, &row.fingerprint, &connection)
                .await?
            {
                // A refresh came in between: what it stored is what has to go.
                Guarded::Superseded => {}
                Guarded::Written(_) => {
                    inner.cache.invalidate();
                    let at_issuer = match tokens {
                        Ok(tokens) => inner.revoke(server, &row, &tokens).await,
                        Err(error) => AtIssuer::Failed(error.to_string()),
                    };
                    return Ok(Disconnected {
                        ended_here: true,
                        at_issuer,
                    });
                }
            }
        }
    }
}
