//! The row of a revocation, made before the credential ends.

use claviger_client::ClientInformation;
use claviger_model::{Auth, Credential, OauthSettings, Revocation, RevocationId, Server};
use url::Url;

use super::HOLD_S;
use super::record::Owed;
use crate::HoldError;
use crate::broker::Inner;
use crate::record::Tokens;

/// What ending a credential leaves to do at its issuer.
#[derive(Debug)]
pub(crate) enum Owing {
    /// It cannot be asked, for this reason.
    Cannot(String),
    /// It publishes no revocation endpoint.
    NotOffered,
    /// This has to be sent.
    Row(Box<Revocation>),
}

// === impl Inner ===

impl Inner {
    /// What ending this credential leaves to do. A credential that cannot be opened can be ended
    /// all the same; only a database that does not answer is an error.
    pub(crate) async fn owing(
        &self,
        server: &Server,
        row: &Credential,
    ) -> Result<Owing, HoldError> {
        if row.revocation_endpoint.is_none() {
            return Ok(Owing::NotOffered);
        }
        match self.owing_of_stored(server, row).await {
            Err(error @ HoldError::Store { .. }) => Err(error),
            Err(error) => {
                tracing::error!(server = %server.slug, error = %crate::serve::Chain(&error), "a credential ends that cannot be revoked");
                Ok(Owing::Cannot(error.to_string()))
            }
            owing => owing,
        }
    }

    async fn owing_of_stored(&self, server: &Server, row: &Credential) -> Result<Owing, HoldError> {
        let tokens = self.unseal(server, row).await?;
        let settings = match &server.auth {
            Auth::Oauth(settings) => (**settings).clone(),
            _ => OauthSettings::default(),
        };
        let client = match &row.registration {
            Some(id) => self.client_by_id(server, &settings, id).await?,
            None => None,
        };
        match client {
            Some(client) => self.owing_as(server, row, &tokens, client).await,
            None => Ok(Owing::Cannot("the client information is gone".to_owned())),
        }
    }

    /// The same, with tokens and a client that are at hand: they may never have been stored.
    pub(crate) async fn owing_as(
        &self,
        server: &Server,
        row: &Credential,
        tokens: &Tokens,
        client: ClientInformation,
    ) -> Result<Owing, HoldError> {
        let Some(endpoint) = row.revocation_endpoint.clone() else {
            return Ok(Owing::NotOffered);
        };
        let now = self.parts.clock.now();
        let mut owed_row = Revocation {
            id: RevocationId::from_random(self.parts.entropy.id_bytes()),
            key: row.key.clone(),
            server_name: server.slug.to_string(),
            issuer: row.issuer.clone(),
            sealed: Vec::new(),
            // The first try follows at once, by whoever queues it.
            attempts: 1,
            next_at: now.plus(HOLD_S),
            last_failure: None,
            created_at: now,
        };
        let owed = Owed {
            tokens: tokens.clone(),
            access_until: row.expires_at,
            endpoint,
            private_host: private_host(server),
            client,
        };
        if self.has_ended(&row.key.tenant).await? {
            let inherited = self.seal_inherited(&owed_row, &owed).await?;
            return Ok(Owing::Row(Box::new(inherited)));
        }
        owed_row.sealed = owed.seal(self, &owed_row).await?;
        Ok(Owing::Row(Box::new(owed_row)))
    }
}

fn private_host(server: &Server) -> Option<String> {
    let url = Url::parse(&server.url)
        .ok()
        .filter(|_| server.allow_private)?;
    url.host().map(|host| host.to_string())
}
