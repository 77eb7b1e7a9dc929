//! Tokens that came too late to be stored: they must not live on at the issuer.

use std::sync::Arc;

use claviger_client::ClientInformation;
use claviger_model::{Credential, Server};

use super::Owing;
use crate::HoldError;
use crate::broker::Inner;
use crate::disconnect::AtIssuer;
use crate::record::Tokens;
use crate::serve::Chain;

// === impl Inner ===

impl Inner {
    /// Gives back what a sign-in obtained and nobody wants any more.
    pub(crate) async fn give_back(
        self: &Arc<Self>,
        server: &Server,
        row: &Credential,
        tokens: &Tokens,
        client: ClientInformation,
    ) -> AtIssuer {
        let owing = self.owing_as(server, row, tokens, client).await;
        self.queue_owing(server, owing).await
    }

    /// Gives back what a refresh obtained for a row that was ended meanwhile. `row` is sealed.
    pub(crate) async fn give_back_sealed(
        self: &Arc<Self>,
        server: &Server,
        row: &Credential,
    ) -> AtIssuer {
        let owing = self.owing(server, row).await;
        self.queue_owing(server, owing).await
    }

    /// A sign-in replaced this credential. Its grant is ended where it is another one for certain:
    /// another issuer's, or another client's. The same client's old token is left alone, since
    /// issuers may end everything that client holds for the user with it (RFC 7009 §2.1), and the
    /// new credential must not be lost (rule 3).
    pub(crate) fn replaced(self: &Arc<Self>, server: &Server, old: Credential, new: &Credential) {
        if old.issuer == new.issuer && old.registration == new.registration {
            return;
        }
        let (inner, server, new) = (Arc::clone(self), server.clone(), new.clone());
        self.parts.tasks.spawn(
            "revoke a replaced grant",
            Box::pin(async move {
                match inner.is_same_client(&old, &new).await {
                    Ok(true) => {}
                    Ok(false) => {
                        let at_issuer = inner.give_back_sealed(&server, &old).await;
                        tracing::info!(server = %server.slug, ?at_issuer, "a grant was replaced");
                    }
                    Err(error) => {
                        tracing::warn!(server = %server.slug, error = %Chain(&error), "a replaced grant could not be looked at");
                    }
                }
            }),
        );
    }

    async fn is_same_client(&self, old: &Credential, new: &Credential) -> Result<bool, HoldError> {
        if old.issuer != new.issuer {
            return Ok(false);
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

    async fn queue_owing(
        self: &Arc<Self>,
        server: &Server,
        owing: Result<Owing, HoldError>,
    ) -> AtIssuer {
        let owed = match owing {
            Ok(Owing::Row(owed)) => *owed,
            Ok(Owing::NotOffered) => return AtIssuer::NotOffered,
            Ok(Owing::Cannot(why)) => return AtIssuer::Failed(why),
            Err(error) => {
                tracing::error!(server = %server.slug, error = %Chain(&error), "tokens that nobody wants could not be queued for revocation");
                return AtIssuer::Failed(error.to_string());
            }
        };
        let rows = self.rows(&owed.key);
        if let Err(error) = rows.insert_revocation(&owed).await {
            // The try below is the only one then.
            tracing::error!(server = %server.slug, error = %Chain(&error), "a revocation could not be queued");
        }
        self.first_try(owed).await
    }
}
