//! The same refresh token twice within the grace: the same answer, unsealed by the token itself.
//!
//! The database at rest holds nothing usable: the key is made of the old refresh token and our own
//! MAC key. What the answer is bound to (client, proof key, scope, resource) goes into the
//! context, so that anybody else's attempt does not open it, and counts as theft.

use claviger_crypto::{Context, SealedFor, Secret, TenantKey, hex, open, seal};
use claviger_model::Timestamp;
use claviger_wire::ScopeSet;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::not_good;
use crate::token::TokenAsk;
use crate::{
    EndpointError, Family, FamilyMatch, Issuer, IssuerEvent, ReplayClaim, TokenAnswer, TokenMac,
};

/// What is given again.
pub(super) struct Answered {
    pub(super) access_token: Secret,
    pub(super) refresh_token: Secret,
    pub(super) expires_at: Timestamp,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Sealed {
    access_token: String,
    refresh_token: String,
    expires_at: i64,
}

impl Issuer {
    pub(super) fn seal_answer(
        &self,
        family: &Family,
        token: &Secret,
        scopes: &ScopeSet,
        ask: &TokenAsk<'_>,
        answered: &Answered,
    ) -> Vec<u8> {
        let sealed = Sealed {
            access_token: answered.access_token.expose().to_owned(),
            refresh_token: answered.refresh_token.expose().to_owned(),
            expires_at: answered.expires_at.as_secs(),
        };
        // Three plain members always have a JSON form.
        let plain = Zeroizing::new(serde_json::to_vec(&sealed).unwrap_or_default());
        let context = self.replay_context(family, scopes, ask);
        let salt = self.doors.entropy.key_bytes();
        seal(&self.replay_key(token), &context, salt, &plain)
    }

    /// Gives the last answer again, if that is still allowed; ends the family if not.
    pub(super) async fn answer_again(
        &self,
        family: &Family,
        token: &Secret,
        mac: TokenMac,
        scopes: ScopeSet,
        ask: &TokenAsk<'_>,
    ) -> Result<TokenAnswer, EndpointError> {
        let claim = ReplayClaim {
            previous: mac,
            grace: self.settings.refresh_grace,
            now: ask.now,
        };
        let answered = self.doors.store.claim_replay(&claim).await?;
        let answered = answered
            .and_then(|row| row.replay)
            .and_then(|replay| self.open_answer(family, token, &scopes, ask, &replay.sealed));
        let Some(answered) = answered else {
            // A114: who lost against a revocation is no thief.
            return match self.doors.store.find_family(&mac).await? {
                Some(FamilyMatch::Current(row) | FamilyMatch::Spent(row))
                    if row.revoked_at.is_none() =>
                {
                    Err(self.reused(&row, ask.now).await?)
                }
                _ => Err(not_good()),
            };
        };
        self.observe(IssuerEvent::RefreshReplayed);
        let left = answered.expires_at.since(ask.now).max(0);
        Ok(TokenAnswer {
            access_token: answered.access_token,
            refresh_token: Some(answered.refresh_token),
            expires_in: u32::try_from(left).unwrap_or(u32::MAX),
            scopes,
            is_bound: ask.dpop_jkt.is_some(),
        })
    }

    fn open_answer(
        &self,
        family: &Family,
        token: &Secret,
        scopes: &ScopeSet,
        ask: &TokenAsk<'_>,
        record: &[u8],
    ) -> Option<Answered> {
        let context = self.replay_context(family, scopes, ask);
        let plain = open(&self.replay_key(token), &context, record).ok()?;
        let sealed: Sealed = serde_json::from_slice(&plain).ok()?;
        Some(Answered {
            access_token: Secret::new(sealed.access_token.as_str()),
            refresh_token: Secret::new(sealed.refresh_token.as_str()),
            expires_at: Timestamp::from_secs(sealed.expires_at),
        })
    }

    fn replay_key(&self, token: &Secret) -> TenantKey {
        TenantKey::new(1, [0; 8], self.mac("refresh_replay", &[token.expose()]))
    }

    fn replay_context(&self, family: &Family, scopes: &ScopeSet, ask: &TokenAsk<'_>) -> Context {
        let scopes = scopes.to_string();
        let jkt = ask.dpop_jkt.as_deref().unwrap_or_default();
        let bound_to = [ask.client.id.as_str(), jkt, &scopes, &family.resource];
        Context::new(SealedFor::Replay)
            .at("issuer_families", "replay")
            .tenant(family.tenant.as_str())
            .user(family.user.as_str())
            .account(hex(&self.mac("refresh_replay_bound_to", &bound_to)))
            .server(family.grant.as_str())
            .issuer(self.settings.issuer.as_str())
    }
}
