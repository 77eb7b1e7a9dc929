//! Which scopes to ask for: C-46 to C-48, C-65, Q20.

use claviger_model::Grant;
use claviger_wire::{Scope, ScopeSet};

use crate::Discovered;

/// What is known about scopes beside the documents.
#[derive(Debug, Clone, Default)]
pub struct ScopeWish {
    /// Exactly these, by the operator's setting.
    pub configured: Option<ScopeSet>,
    /// What was asked for before and is not to be lost (C-65).
    pub requested_before: ScopeSet,
}

/// Chooses the scopes of an authorization request; `None` leaves the parameter out.
///
/// In order: the operator's, the challenge's, the resource's, none (C-46). The challenge is taken
/// as it is, whatever the resource lists (C-47).
pub fn choose_scopes(wish: &ScopeWish, discovered: &Discovered) -> Option<ScopeSet> {
    choose_scopes_for(Grant::AuthorizationCode, wish, discovered)
}

/// [`choose_scopes`] for the grant that will be used: only a code of a person's brings
/// `offline_access`.
pub fn choose_scopes_for(
    grant: Grant,
    wish: &ScopeWish,
    discovered: &Discovered,
) -> Option<ScopeSet> {
    if let Some(configured) = &wish.configured {
        return Some(configured.clone()).filter(|scopes| !scopes.is_empty());
    }
    let challenged = discovered
        .challenge
        .as_ref()
        .and_then(|challenge| challenge.scope.clone());
    let listed = || {
        let texts = discovered.scopes_supported()?;
        Some(
            texts
                .iter()
                .filter_map(|text| Scope::parse(text).ok())
                .collect(),
        )
    };
    let chosen = challenged
        .or_else(listed)
        .unwrap_or_default()
        .union(&match grant {
            Grant::AuthorizationCode => wish.requested_before.clone(),
            // An earlier version asked for it, and what was asked for before is kept.
            _ => wish
                .requested_before
                .minus(&ScopeSet::parse_lossy("offline_access")),
        });
    if chosen.is_empty() {
        // M8, Q20: neither null nor an empty list is a reason to invent scopes.
        return None;
    }
    Some(match grant {
        Grant::AuthorizationCode => with_offline_access(chosen, discovered),
        // RFC 6749 §4.4.3: there is no refresh token, and an issuer may refuse a scope that asks
        // for one.
        _ => chosen,
    })
}

/// C-48: `offline_access` only where the issuer itself lists it.
fn with_offline_access(mut scopes: ScopeSet, discovered: &Discovered) -> ScopeSet {
    if discovered.issuer.lists_scope("offline_access")
        && let Ok(scope) = Scope::parse("offline_access")
    {
        scopes.insert(scope);
    }
    scopes
}

/// Q20: after `invalid_scope`, what is left of `scopes` when those that neither the issuer lists
/// nor the challenge demands are dropped; `None` where that changes nothing, so that it is tried
/// once and no more.
pub fn without_unlisted(scopes: &ScopeSet, discovered: &Discovered) -> Option<ScopeSet> {
    discovered.issuer.scopes_supported.as_ref()?;
    let challenged = discovered
        .challenge
        .as_ref()
        .and_then(|challenge| challenge.scope.clone())
        .unwrap_or_default();
    let kept: ScopeSet = scopes
        .iter()
        .filter(|one| {
            discovered.issuer.lists_scope(one.as_str()) || challenged.contains(one.as_str())
        })
        .cloned()
        .collect();
    (kept != *scopes && !kept.is_empty()).then_some(kept)
}
