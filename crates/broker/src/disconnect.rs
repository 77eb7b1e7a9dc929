//! Disconnecting: the end here first, then at the issuer (K10).

use std::sync::Arc;

use claviger_model::{
    Connection, Credential, CredentialKey, Outcome, Reason, Server, Standing, UserId,
};
use claviger_store::Guarded;
use tokio::sync::oneshot;

use crate::broker::{Inner, key_of};
use crate::owed::Owing;
use crate::sign_in::Ended;
use crate::{Act, Actor, Broker, HoldError, Note};

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
    /// It cannot be asked, for this reason of ours.
    Failed(String),
    /// It publishes no revocation endpoint.
    NotOffered,
    /// There was nothing to revoke.
    NothingToRevoke,
    /// It did not confirm yet, and is asked again until it does; why, in words of ours.
    Pending(String),
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
        let (inner, server, by) = (Arc::clone(&self.inner), server.clone(), self.by_or(user));
        // What was ended here must also be revoked there, even if nobody waits to hear of it.
        self.inner.parts.tasks.spawn(
            "disconnect",
            Box::pin(async move {
                drop(send.send(inner.disconnect(&server, &key, by).await));
            }),
        );
        receive.await.unwrap_or(Err(HoldError::BrokeOff))
    }
}

// === impl Inner ===

impl Inner {
    async fn disconnect(
        self: &Arc<Self>,
        server: &Server,
        key: &CredentialKey,
        by: Actor,
    ) -> Result<Disconnected, HoldError> {
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
            let owing = self.owing(server, &row).await?;
            let connection = self.ended_connection(key, Reason::Disconnected);
            // A refresh may come in between: what it stored is what has to go then.
            let given_up = self.give_up(server, &row, &connection, &owing, by.clone());
            if given_up.await? == Guarded::Superseded {
                continue;
            }
            self.cache.forget(key);
            self.pauses.forget(key);
            let at_issuer = self.at_issuers(vec![owing]).await.pop();
            return Ok(Disconnected {
                ended_here: true,
                at_issuer: at_issuer.unwrap_or(AtIssuer::NothingToRevoke),
            });
        }
    }

    /// Ends a credential and queues what that leaves to do, in one transaction.
    pub(crate) async fn give_up(
        &self,
        server: &Server,
        row: &Credential,
        connection: &Connection,
        owing: &Owing,
        by: Actor,
    ) -> Result<Guarded, HoldError> {
        let note = Note::credential(Act::CredentialEnd, server, &row.key)
            .by(by)
            .with("version", row.version)
            .with("is_owed", matches!(owing, Owing::Row(_)));
        let notes = [Some(note), owing.note()].into_iter().flatten().collect();
        let audit = &self.parts.audit;
        let (draft, rows) = audit.change_with(&row.key.tenant, notes).await?;
        let ended = match owing {
            Owing::Row(owed) => {
                rows.surrender_credential(&row.key, &row.fingerprint, connection, owed)
                    .await
            }
            Owing::Cannot(_) | Owing::NotOffered => {
                rows.end_credential(&row.key, &row.fingerprint, connection)
                    .await
            }
        };
        let ended = draft.settle(ended)?;
        claviger_ports::failpoint_in_task!("revoke.after_end");
        Ok(ended)
    }

    /// What the issuers make of it, in the same order, as far as that is known within a few
    /// seconds.
    pub(crate) async fn at_issuers(self: &Arc<Self>, owings: Vec<Owing>) -> Vec<AtIssuer> {
        let mut rows = Vec::new();
        for owing in &owings {
            if let Owing::Row(owed) = owing {
                rows.push((**owed).clone());
            }
        }
        let mut heard = self.first_tries(rows).await.into_iter();
        let told = |owing| match owing {
            Owing::Cannot(why) => AtIssuer::Failed(why),
            Owing::NotOffered => AtIssuer::NotOffered,
            Owing::Row(_) => heard.next().unwrap_or(AtIssuer::NothingToRevoke),
        };
        owings.into_iter().map(told).collect()
    }

    /// A connection without a credential from now on.
    pub(crate) fn ended_connection(&self, key: &CredentialKey, reason: Reason) -> Connection {
        Connection {
            key: key.clone(),
            standing: Standing::NeedsSignIn,
            reason: Some(reason),
            challenge: None,
            step_ups: 0,
            updated_at: self.parts.clock.now(),
        }
    }
}
