//! The client behind an id, wherever it is known from.

use claviger_crypto::Secret;
use claviger_model::Timestamp;

use crate::parameters::Parameters;
use crate::{Client, FamilyMatch, Issuer, IssuerStoreError};

impl Issuer {
    /// A client that is stored, or whose id we signed, or whose document we have at hand. Fetches
    /// nothing.
    pub(crate) async fn find_client(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Client>, IssuerStoreError> {
        if is_url(id) {
            return Ok(self.documents.as_ref().and_then(|one| one.cached(id, now)));
        }
        if Self::is_signed_form(id) {
            return match self.read_signed(id) {
                Some(client) if !self.doors.store.is_client_retired(id).await? => Ok(Some(client)),
                _ => Ok(None),
            };
        }
        self.doors.store.find_client(id).await
    }

    /// The client that speaks to an endpoint without a person. A-12: its document is fetched only
    /// if a person has let it in before, and it shows what it got then.
    pub(crate) async fn find_asking_client(
        &self,
        id: &str,
        parameters: &Parameters,
        now: Timestamp,
    ) -> Result<Option<Client>, IssuerStoreError> {
        let found = self.find_client(id, now).await?;
        if found.is_some() || !is_url(id) || !self.was_let_in(id, parameters).await? {
            return Ok(found);
        }
        let Some(documents) = &self.documents else {
            return Ok(None);
        };
        Ok(documents.fetch(id, &self.settings.tenant, now).await.ok())
    }

    /// The client of a question that a person has just answered.
    pub(crate) async fn consenting_client(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Client>, IssuerStoreError> {
        match (self.find_client(id, now).await?, &self.documents) {
            (None, Some(documents)) if is_url(id) => {
                Ok(documents.fetch(id, &self.settings.tenant, now).await.ok())
            }
            (found, _) => Ok(found),
        }
    }

    async fn was_let_in(
        &self,
        id: &str,
        parameters: &Parameters,
    ) -> Result<bool, IssuerStoreError> {
        let store = &self.doors.store;
        if let Some(code) = parameters.one("code") {
            let row = store.find_code(&self.token_mac(&Secret::new(code))).await?;
            return Ok(row.is_some_and(|row| row.client_id == id));
        }
        for name in ["refresh_token", "token"] {
            let Some(token) = parameters.one(name) else {
                continue;
            };
            let mac = self.token_mac(&Secret::new(token));
            if let Some(FamilyMatch::Current(row) | FamilyMatch::Spent(row)) =
                store.find_family(&mac).await?
            {
                return Ok(row.client_id == id && row.revoked_at.is_none());
            }
            if let Some(row) = store.find_access(&mac).await? {
                return Ok(row.client_id == id);
            }
        }
        Ok(false)
    }
}

pub(crate) fn is_url(id: &str) -> bool {
    id.starts_with("https://") || id.starts_with("http://")
}
