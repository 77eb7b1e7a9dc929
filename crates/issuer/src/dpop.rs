//! Proofs of possession: RFC 9449. Accepted when a client brings one.

use ::http::{HeaderMap, Method};
use claviger_crypto::{Secret, UnverifiedJws, base64url_decode, base64url_encode, sha256};
use claviger_model::Timestamp;
use serde_json::{Map, Value};

use crate::{EndpointError, ErrorCode, Issuer, IssuerStoreError};

/// The request that a proof has to be about.
#[derive(Debug, Clone, Copy)]
pub struct ProvenRequest<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a Method,
    /// Its URL as the client sees it, from the configuration and never from the request.
    pub url: &'a str,
}

/// Why a proof is none.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProofError {
    /// Not well made, for another request, too old, or it came before.
    Invalid,
    /// It needs the nonce of [`Issuer::dpop_nonce`].
    Nonce,
    /// The store did not answer.
    Store(IssuerStoreError),
}

impl Issuer {
    /// The thumbprint of the key that proved itself in this request; nothing if none tried.
    ///
    /// With an access token the proof has to be about that token, too.
    pub async fn dpop_key(
        &self,
        request: &ProvenRequest<'_>,
        access_token: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Option<String>, ProofError> {
        let mut proofs = request.headers.get_all("dpop").iter();
        let Some(proof) = proofs.next() else {
            return Ok(None);
        };
        // RFC 9449 §4.3: one header, one proof.
        if proofs.next().is_some() {
            return Err(ProofError::Invalid);
        }
        let read = proof.to_str().ok().and_then(UnverifiedJws::read);
        let read = read.filter(|proof| proof.typ() == Some("dpop+jwt"));
        let proven = read.and_then(|proof| {
            let key = proof.embedded_key()?;
            let claims = proof.verify(&key)?;
            Some((key.thumbprint(), claims))
        });
        let Some((jkt, claims)) = proven else {
            return Err(ProofError::Invalid);
        };
        let id = read_claims(request, access_token, &claims, now).ok_or(ProofError::Invalid)?;
        match claims.get("nonce").and_then(Value::as_str) {
            Some(nonce) if !self.is_own_nonce(nonce, now) => return Err(ProofError::Nonce),
            None if self.settings.dpop_nonces => return Err(ProofError::Nonce),
            Some(_) | None => {}
        }
        // A104: on whichever node it came first.
        let mac = self.mac("dpop", &[&jkt, &id]);
        let until = now.plus(2 * MAX_AGE_S);
        match self.doors.store.claim_once(&mac, until, now).await {
            Ok(true) => Ok(Some(jkt)),
            Ok(false) => Err(ProofError::Invalid),
            Err(source) => Err(ProofError::Store(source)),
        }
    }

    /// A nonce of now. Every node with the same key makes and takes the same ones.
    pub fn dpop_nonce(&self, now: Timestamp) -> String {
        let period = now.as_secs().div_euclid(NONCE_PERIOD_S);
        self.nonce_of(period)
    }

    fn is_own_nonce(&self, nonce: &str, now: Timestamp) -> bool {
        let period = now.as_secs().div_euclid(NONCE_PERIOD_S);
        let Some(bytes) = base64url_decode(nonce) else {
            return false;
        };
        // Another node's clock may be in the next period already.
        [period, period - 1, period + 1]
            .into_iter()
            .any(|period| self.has_mac_bytes("dpop_nonce", &[&period.to_string()], &bytes))
    }

    fn nonce_of(&self, period: i64) -> String {
        base64url_encode(&self.mac("dpop_nonce", &[&period.to_string()]))
    }
}

// === impl ProofError ===

impl From<ProofError> for EndpointError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Invalid => Self::new(
                ErrorCode::InvalidDpopProof,
                "the DPoP proof is malformed, for another request, too old, or came before",
            ),
            ProofError::Nonce => Self::new(
                ErrorCode::UseDpopNonce,
                "the DPoP proof needs the nonce in the DPoP-Nonce header",
            ),
            ProofError::Store(source) => source.into(),
        }
    }
}

// RFC 9449 §4.3, in its order.
fn read_claims(
    request: &ProvenRequest<'_>,
    access_token: Option<&Secret>,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Option<String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let url = text("htu")?.split(['?', '#']).next()?;
    let about_this = text("htm") == Some(request.method.as_str()) && url == request.url;
    let issued_at = Timestamp::from_secs(claims.get("iat")?.as_i64()?);
    let in_time = now.since(issued_at).unsigned_abs() <= MAX_AGE_S.unsigned_abs();
    let about_token = match access_token {
        Some(token) => {
            let expected = base64url_encode(&sha256(token.expose().as_bytes()));
            text("ath") == Some(expected.as_str())
        }
        None => true,
    };
    let id = text("jti").filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES)?;
    (about_this && in_time && about_token).then(|| id.to_owned())
}

/// Q50: older ones, and those from the future, are refused.
const MAX_AGE_S: i64 = 60;
const NONCE_PERIOD_S: i64 = 300;
const MAX_ID_BYTES: usize = 256;
