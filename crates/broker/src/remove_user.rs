//! The end of a user: nothing of theirs is used here any more, and their issuers are told (F06).

use claviger_model::{CredentialKey, Reason, TenantId, UserId};
use claviger_store::Guarded;

use crate::broker::{Inner, key_of};
use crate::keep::MOST_RACES;
use crate::owed::Owing;
use crate::purge::Ending;
use crate::{Act, Actor, Broker, HoldError, Note};

/// What removing a user did.
#[derive(Debug, Default)]
pub struct UserRemoved {
    /// What ended here; [`Broker::revoke_ended`] tells its issuers.
    pub ended: Ending,
    /// API tokens that were deleted.
    pub api_tokens: usize,
    /// Sign-ins under way that were cancelled.
    pub sign_ins: usize,
}

// === impl Broker ===

impl Broker {
    /// Ends everything a user has: first the API tokens, so that nothing new begins, then the
    /// sign-ins under way, then every credential, each in one transaction with its revocation.
    /// Done again after a failure, it goes on where it stopped.
    pub async fn remove_user(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<UserRemoved, HoldError> {
        let (rows, audit) = (self.inner.parts.store.tenant(tenant), self.audit());
        let mut removed = UserRemoved::default();
        for token in rows.list_api_tokens().await? {
            if token.user != *user {
                continue;
            }
            let note = Note::new(Act::ApiTokenDelete, &token.id)
                .by(self.by())
                .with("user", user.as_str());
            let (draft, rows) = audit.change(tenant, note).await?;
            if draft.settle(rows.delete_api_token(&token.id).await)? {
                removed.api_tokens += 1;
            }
        }
        for server in rows.list_servers().await? {
            self.inner.tickets.forget(&key_of(&server, user));
            if self.cancel(&server, user).await? {
                removed.sign_ins += 1;
            }
        }
        // A refresh may store a new one while the old one is ended; then there is another round.
        for _ in 0..MOST_RACES {
            let ended = self.inner.end_round(tenant, user, self.by()).await?;
            if ended.is_empty() {
                break;
            }
            removed.ended.extend(ended);
        }
        // Each end stands with its own entry already; this one says what they were for.
        let note = Note::new(Act::UserRemove, user)
            .of_tenant(tenant)
            .by(self.by())
            .with("ended", removed.ended.len())
            .with("api_tokens", removed.api_tokens)
            .with("sign_ins", removed.sign_ins);
        audit.tell(note).await?;
        Ok(removed)
    }
}

// === impl Inner ===

impl Inner {
    async fn end_round(
        &self,
        tenant: &TenantId,
        user: &UserId,
        by: Actor,
    ) -> Result<Vec<(CredentialKey, Owing)>, HoldError> {
        let rows = self.parts.store.tenant(tenant);
        let mut ended = Vec::new();
        for row in rows.list_user_credentials(user).await? {
            let Some(server) = rows.find_server_by_id(&row.key.server).await? else {
                continue;
            };
            let owing = self.owing(&server, &row).await?;
            let connection = self.ended_connection(&row.key, Reason::Disconnected);
            let given_up = self.give_up(&server, &row, &connection, &owing, by.clone());
            let outcome = given_up.await?;
            self.cache.forget(&row.key);
            self.pauses.forget(&row.key);
            if outcome != Guarded::Superseded {
                ended.push((row.key, owing));
            }
        }
        Ok(ended)
    }
}
