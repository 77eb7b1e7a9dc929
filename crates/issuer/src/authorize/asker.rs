//! Who asks: the client, and the redirect URI that is its own.

use core::net::IpAddr;

use claviger_model::Timestamp;

use crate::documents::DocumentError;
use crate::find_client::is_url;
use crate::limit::{Counted, TooMany};
use crate::parameters::Parameters;
use crate::{Client, Issuer, IssuerStoreError, PageProblem};

/// The request's client and its redirect URI, both proven.
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) redirect_uri: String,
}

impl Issuer {
    // RFC 6749 §4.1.2.1: while client or redirect URI is in doubt, nobody is redirected (A048).
    pub(super) async fn asker(
        &self,
        parameters: &Parameters,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Asker, PageProblem> {
        if parameters.repeats("client_id") || parameters.repeats("redirect_uri") {
            return Err(PageProblem::Repeated);
        }
        let Some(id) = parameters.one("client_id") else {
            return Err(PageProblem::UnknownClient);
        };
        let client = self.visiting_client(id, address, now).await?;
        let Some(redirect_uri) = parameters.one("redirect_uri") else {
            return Err(PageProblem::RedirectMismatch);
        };
        if !client.redirects_to(redirect_uri) {
            return Err(PageProblem::RedirectMismatch);
        }
        Ok(Asker {
            redirect_uri: redirect_uri.to_owned(),
            client,
        })
    }

    // the person is signed in by now, so that a document may be fetched for them (A045).
    async fn visiting_client(
        &self,
        id: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Client, PageProblem> {
        if let Some(client) = self.find_client(id, now).await? {
            return Ok(client);
        }
        let Some(documents) = self.documents.as_ref().filter(|_| is_url(id)) else {
            return Err(PageProblem::UnknownClient);
        };
        self.limiter
            .admit_address(Counted::Documents, address, now)?;
        match documents.fetch(id, &self.settings.tenant, now).await {
            Ok(client) => Ok(client),
            Err(DocumentError::Busy) => Err(PageProblem::TooMany),
            Err(DocumentError::Unreachable) => Err(PageProblem::DocumentUnreachable),
            Err(DocumentError::Invalid | DocumentError::Refused) => {
                Err(PageProblem::DocumentInvalid)
            }
        }
    }
}

impl From<TooMany> for PageProblem {
    fn from(_too_many: TooMany) -> Self {
        Self::TooMany
    }
}

impl From<IssuerStoreError> for PageProblem {
    fn from(_error: IssuerStoreError) -> Self {
        Self::Unavailable
    }
}
