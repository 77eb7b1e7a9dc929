//! Introspection: RFC 7662. A resource asks about tokens for itself, and about nothing else.

use claviger_crypto::{Secret, hex, sha256};
use claviger_model::Timestamp;
use serde_json::{Value, json};

use crate::authenticate::{Presented, failed, presented};
use crate::token::malformed;
use crate::{AccessRow, EndpointError, FormRequest, Issuer, IssuerEvent};

/// What a resource is told.
#[derive(Debug)]
pub struct Introspection {
    body: Value,
}

// === impl Introspection ===

impl Introspection {
    /// The answer's body.
    pub fn body(&self) -> &Value {
        &self.body
    }
}

impl Issuer {
    /// Tells a resource what an access token for it stands for.
    pub async fn introspect(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<Introspection, EndpointError> {
        let parameters = request.read()?;
        self.admit_form(request, now)?;
        let resource = self.asking_resource(request, now).await?;
        let Some(token) = parameters.one("token") else {
            return Err(malformed("token is missing"));
        };
        // A135: whatever it is, it is looked up once, and the answer is the same.
        let mac = self.token_mac(&Secret::new(token));
        let row = self.doors.store.find_access(&mac).await?;
        // A134: neither another resource's token nor another kind of token.
        let good = |row: &AccessRow| row.resource == resource && row.expires_at > now;
        let body = match row.filter(good) {
            Some(row) => self.describe(&row),
            None => json!({ "active": false }),
        };
        self.observe(IssuerEvent::Introspected);
        Ok(Introspection { body })
    }

    // A133: nobody asks without a secret.
    async fn asking_resource(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<String, EndpointError> {
        let parameters = request.read()?;
        let shown = presented(request.headers, &parameters)?;
        if let Some(resource) = self.resource_of_credential(&shown) {
            return Ok(resource);
        }
        let basic = shown.is_basic();
        let client = self.authenticate(request, &parameters, now).await?;
        match client.resource {
            Some(resource) if !client.is_public() => Ok(resource),
            _ => Err(failed(basic)),
        }
    }

    fn resource_of_credential(&self, shown: &Presented) -> Option<String> {
        let secret = shown.secret.as_ref()?.expose();
        // Digests are compared through MACs of ours, so that time tells nothing of them.
        let digest = |bytes: [u8; 32]| self.mac("resource_credential", &[&hex(&bytes)]);
        let presented = digest(sha256(secret.as_bytes()));
        let mut found = None;
        for credential in &self.settings.resource_credentials {
            let same = digest(credential.secret_sha256) == presented;
            if credential.id == shown.client_id && same {
                found = Some(credential.resource.clone());
            }
        }
        found
    }

    fn describe(&self, row: &AccessRow) -> Value {
        let mut body = json!({
            "active": true,
            "iss": self.settings.issuer,
            "aud": row.resource,
            "sub": row.user.as_str(),
            "client_id": row.client_id,
            "scope": row.scopes.to_string(),
            "iat": row.issued_at.as_secs(),
            "exp": row.expires_at.as_secs(),
            "token_type": if row.dpop_jkt.is_some() { "DPoP" } else { "Bearer" },
        });
        if let Some(jkt) = &row.dpop_jkt {
            // RFC 9449 §6.2.
            body["cnf"] = json!({ "jkt": jkt });
        }
        body
    }
}
