//! Tokens that came too late to be stored, and grants that were replaced: neither must live on at
//! the issuer.
//!
//! What was never stored has no row to end, so that its revocation is queued by itself. Until it is
//! the entry in the rescue journal stays open, and whoever replays it queues it (A139).

use std::sync::Arc;

use claviger_client::ClientInformation;
use claviger_model::{Credential, Revocation, Server};

use super::Owing;
use crate::HoldError;
use crate::broker::Inner;
use crate::disconnect::AtIssuer;
use crate::record::Tokens;
use crate::rescue::Written;
use crate::serve::Chain;

// === impl Inner ===

impl Inner {
    /// Gives back what a sign-in obtained and nobody wants any more; `written` is where it lies
    /// until that is queued.
    pub(crate) async fn give_back(
        self: &Arc<Self>,
        server: &Server,
        row: &Credential,
        tokens: &Tokens,
        client: ClientInformation,
        written: Option<Written>,
    ) -> AtIssuer {
        let owed = match self.owing_as(server, row, tokens, client).await {
            Ok(Owing::Row(owed)) => *owed,
            Ok(Owing::NotOffered) => {
                self.settle(written);
                return AtIssuer::NotOffered;
            }
            Ok(Owing::Cannot(why)) => {
                self.settle(written);
                return AtIssuer::Failed(why);
            }
            Err(error) => {
                tracing::error!(server = %server.slug, error = %Chain(&error), "tokens that nobody wants could not be queued for revocation");
                self.leave(written);
                return AtIssuer::Failed(error.to_string());
            }
        };
        let owed = match self.queue_debt(owed.clone()).await {
            Ok(queued) => queued,
            Err(error) => {
                tracing::error!(server = %server.slug, error = %Chain(&error), "a revocation could not be queued");
                if written.is_some() {
                    self.leave(written);
                    return AtIssuer::Pending("it could not be queued yet".to_owned());
                }
                // There is no copy but this one: the try below is the only one.
                owed
            }
        };
        self.settle(written);
        self.first_try(owed).await
    }

    /// Gives back what a refresh, or a sign-in that was replayed, obtained for a row that was ended
    /// meanwhile. `row` is sealed. After an error nothing is queued, and whoever has the entry of
    /// the journal comes again.
    pub(crate) async fn give_back_sealed(
        self: &Arc<Self>,
        server: &Server,
        row: &Credential,
    ) -> Result<AtIssuer, HoldError> {
        let owed = match self.owing(server, row).await? {
            Owing::Row(owed) => *owed,
            Owing::NotOffered => return Ok(AtIssuer::NotOffered),
            Owing::Cannot(why) => return Ok(AtIssuer::Failed(why)),
        };
        let queued = self.queue_debt(owed).await?;
        Ok(self.first_try(queued).await)
    }

    /// What is owed for the credential that a sign-in replaces. Its grant is ended where it is
    /// another one for certain: another issuer's, or another client's. The same client's old token
    /// is left alone, since issuers may end everything that client holds for the user with it
    /// (RFC 7009 §2.1), and the new credential must not be lost (rule 3).
    pub(crate) async fn owing_for_replaced(
        &self,
        server: &Server,
        old: &Credential,
        new: &Credential,
    ) -> Result<Option<Revocation>, HoldError> {
        if self.is_same_client(old, new).await? {
            return Ok(None);
        }
        Ok(match self.owing(server, old).await? {
            Owing::Row(owed) => Some(*owed),
            Owing::NotOffered | Owing::Cannot(_) => None,
        })
    }

    /// Tries what was queued with the sign-in that replaced it; nobody waits for that.
    pub(crate) fn try_replaced(self: &Arc<Self>, server: &Server, owed: Revocation) {
        let (inner, server) = (Arc::clone(self), server.slug.clone());
        self.parts.tasks.spawn(
            "revoke a replaced grant",
            Box::pin(async move {
                let at_issuer = inner.first_try(owed).await;
                tracing::info!(%server, ?at_issuer, "a grant was replaced");
            }),
        );
    }

    async fn is_same_client(&self, old: &Credential, new: &Credential) -> Result<bool, HoldError> {
        if old.issuer != new.issuer {
            return Ok(false);
        }
        if old.registration == new.registration {
            return Ok(true);
        }
        let rows = self.rows(&new.key);
        let mut ids = Vec::new();
        for registration in [&old.registration, &new.registration] {
            let Some(id) = registration else {
                return Ok(true);
            };
            let row = rows.find_registration_by_id(id).await?;
            ids.push(row.map(|row| row.client_id));
        }
        Ok(ids.first() == ids.last())
    }
}
