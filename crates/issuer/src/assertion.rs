//! Client assertions: RFC 7523 §3. Good for this issuer alone, for a short while, once.

use claviger_crypto::UnverifiedJws;
use claviger_model::Timestamp;
use serde_json::{Map, Value};

use crate::{Client, Issuer, IssuerStoreError};

impl Issuer {
    /// Whether this client made the assertion, for us, just now, and it comes for the first time.
    pub(crate) async fn is_own_assertion(
        &self,
        client: &Client,
        assertion: &UnverifiedJws,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError> {
        let keys = client.keys.iter().filter(|key| {
            // Q49: a key with another name is another key.
            assertion.key_id().is_none() || key.key_id() == assertion.key_id()
        });
        let Some(claims) = keys.into_iter().find_map(|key| assertion.verify(key)) else {
            return Ok(false);
        };
        let Some((id, expires_at)) = self.read_claims(client, &claims, now) else {
            return Ok(false);
        };
        // A103: on whichever node it came first.
        let mac = self.mac("client_assertion", &[&client.id, &id]);
        let until = expires_at.plus(SKEW_S);
        self.doors.store.claim_once(&mac, until, now).await
    }

    fn read_claims(
        &self,
        client: &Client,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Option<(String, Timestamp)> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
        // A103: one audience, this issuer by its name. A list may hold another issuer, which could
        // then show the assertion to us.
        let ours = text("aud") == Some(self.settings.issuer.as_str())
            && text("iss") == Some(client.id.as_str())
            && text("sub") == Some(client.id.as_str());
        let expires_at = Timestamp::from_secs(seconds("exp")?);
        let in_time = expires_at.plus(SKEW_S) > now
            && expires_at <= now.plus(MAX_LIFE_S + SKEW_S)
            && seconds("nbf").is_none_or(|nbf| nbf <= now.plus(SKEW_S).as_secs())
            && seconds("iat").is_none_or(|iat| iat <= now.plus(SKEW_S).as_secs());
        let id = text("jti").filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES)?;
        (ours && in_time).then(|| (id.to_owned(), expires_at))
    }
}

/// Q50: so far may two clocks be apart.
const SKEW_S: i64 = 60;
/// Longer ones are refused: they would have to be remembered as long.
const MAX_LIFE_S: i64 = 300;
const MAX_ID_BYTES: usize = 256;
