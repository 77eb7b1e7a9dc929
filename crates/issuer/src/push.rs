//! Pushed authorization requests: RFC 9126.
//!
//! What was pushed was checked, belongs to the client that pushed it, and is good for one visit.

use claviger_crypto::{Secret, base64url_encode};
use claviger_model::Timestamp;
use serde_json::{Value, json};

use crate::parameters::Parameters;
use crate::token::malformed;
use crate::{EndpointError, FormRequest, Issuer, PageProblem, PushedRow, TokenMac};

/// A reference to pushed parameters.
#[derive(Debug)]
pub struct Pushed {
    request_uri: Secret,
    expires_in: u32,
}

// === impl Pushed ===

impl Pushed {
    /// The reference.
    pub fn request_uri(&self) -> &Secret {
        &self.request_uri
    }

    /// The answer's body.
    pub fn body(&self) -> Value {
        json!({
            "request_uri": self.request_uri.expose(),
            "expires_in": self.expires_in,
        })
    }
}

// === impl Issuer ===

impl Issuer {
    /// Takes the parameters of an authorization request from its client itself.
    pub async fn push(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<Pushed, EndpointError> {
        let parameters = request.read()?;
        self.admit_form(request, now)?;
        let client = self.authenticate(request, &parameters, now).await?;
        // RFC 9126 §2.1: no reference to a reference.
        if parameters.one("request_uri").is_some() {
            return Err(malformed("request_uri cannot be pushed"));
        }
        let Some(redirect_uri) = parameters.one("redirect_uri") else {
            return Err(malformed("redirect_uri is missing"));
        };
        if !client.redirects_to(redirect_uri) {
            return Err(malformed("redirect_uri is not one of the client's"));
        }
        self.read(&parameters, &client, redirect_uri)?;
        let mut random = [0; 32];
        self.doors.entropy.fill(&mut random);
        let request_uri = Secret::new(format!("{PREFIX}{}", base64url_encode(&random)));
        let row = PushedRow {
            mac: self.pushed_mac(request_uri.expose()),
            tenant: self.settings.tenant.clone(),
            client_id: client.id,
            parameters: parameters.encoded_without(&SECRETS),
            expires_at: now.plus(TTL_S.into()),
        };
        self.sweep_sometimes(now).await?;
        self.doors.store.insert_pushed(row).await?;
        Ok(Pushed {
            request_uri,
            expires_in: TTL_S,
        })
    }

    /// The pushed parameters in place of the reference to them; others as they are.
    pub(crate) async fn unfold(
        &self,
        parameters: Parameters,
        now: Timestamp,
    ) -> Result<Parameters, PageProblem> {
        let Some(request_uri) = parameters.one("request_uri") else {
            return Ok(parameters);
        };
        // A071: any other reference is refused where all request objects are.
        if !request_uri.starts_with(PREFIX) {
            return Ok(parameters);
        }
        // A070: nothing beside it, so that nothing can be slipped in.
        let alone = parameters
            .names()
            .all(|name| matches!(name, "client_id" | "request_uri"));
        let Some(client_id) = parameters.one("client_id").filter(|_| alone) else {
            return Err(PageProblem::Stale);
        };
        let mac = self.pushed_mac(request_uri);
        let row = self.doors.store.take_pushed(&mac, client_id).await?;
        match row {
            Some(row) if row.expires_at > now => {
                let read = Parameters::parse(row.parameters.expose().as_bytes());
                let read = read.map(|read| read.with("client_id", &row.client_id));
                read.ok_or(PageProblem::TooLong)
            }
            _ => Err(PageProblem::Stale),
        }
    }

    fn pushed_mac(&self, request_uri: &str) -> TokenMac {
        self.mac("request_uri", &[request_uri])
    }
}

/// RFC 9126 §2.2.
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
const TTL_S: u32 = 60;
/// What proved the client is not kept.
const SECRETS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];
