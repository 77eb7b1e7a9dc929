//! The parameters of an authorization request, once its redirect URI is known to be the client's.

use claviger_wire::{Scope, ScopeSet};

use super::Fault;
use crate::parameters::Parameters;
use crate::{ErrorCode, ProtectedResource};

const MAX_STATE_BYTES: usize = 8 * 1024;

pub(super) fn check_form(parameters: &Parameters) -> Result<(), Fault> {
    if parameters.any_repeats() {
        return Err(Fault(
            ErrorCode::InvalidRequest,
            "a parameter came more than once",
        ));
    }
    // A071: nothing is fetched on a browser's word.
    if parameters.one("request").is_some() || parameters.one("request_uri").is_some() {
        return Err(Fault(
            ErrorCode::RequestNotSupported,
            "request objects are not offered",
        ));
    }
    match parameters.one("response_type") {
        Some("code") => {}
        Some(_) => {
            return Err(Fault(
                ErrorCode::UnsupportedResponseType,
                "response_type must be code",
            ));
        }
        None => {
            return Err(Fault(ErrorCode::InvalidRequest, "response_type is missing"));
        }
    }
    if parameters
        .one("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return Err(Fault(
            ErrorCode::InvalidRequest,
            "response_mode must be query",
        ));
    }
    if parameters
        .one("state")
        .is_some_and(|state| state.len() > MAX_STATE_BYTES)
    {
        return Err(Fault(ErrorCode::InvalidRequest, "state is too long"));
    }
    // A062: every answer here takes a person.
    if parameters
        .one("prompt")
        .is_some_and(|prompt| prompt.split(' ').any(|one| one == "none"))
    {
        return Err(Fault(
            ErrorCode::ConsentRequired,
            "the person has to be asked",
        ));
    }
    Ok(())
}

// RFC 7636 §4.3; OAuth 2.1 §4.1.1: for every client, and S256 only (A-05, A051).
pub(super) fn read_challenge(parameters: &Parameters) -> Result<String, Fault> {
    if parameters.one("code_challenge_method") != Some("S256") {
        return Err(Fault(
            ErrorCode::InvalidRequest,
            "code_challenge_method must be S256",
        ));
    }
    match parameters.one("code_challenge") {
        Some(challenge) if is_sha256(challenge) => Ok(challenge.to_owned()),
        _ => Err(Fault(
            ErrorCode::InvalidRequest,
            "code_challenge is missing or no SHA-256",
        )),
    }
}

// RFC 9449 §10: a SHA-256 thumbprint.
pub(super) fn read_jkt(parameters: &Parameters) -> Result<Option<String>, Fault> {
    match parameters.one("dpop_jkt") {
        None => Ok(None),
        Some(jkt) if is_sha256(jkt) => Ok(Some(jkt.to_owned())),
        Some(_) => Err(Fault(
            ErrorCode::InvalidRequest,
            "dpop_jkt is no SHA-256 thumbprint",
        )),
    }
}

fn is_sha256(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == 43 && text.bytes().all(plain)
}

// A061: narrowed to what the resource has; refused if nothing is left.
pub(crate) fn read_scopes(
    parameters: &Parameters,
    resource: &ProtectedResource,
) -> Result<ScopeSet, Fault> {
    let Some(text) = parameters.one("scope") else {
        return Ok(resource.scopes_default.clone());
    };
    let invalid = Fault(ErrorCode::InvalidScope, "no requested scope is offered");
    let mut scopes = ScopeSet::new();
    for one in text.split(' ').filter(|one| !one.is_empty()) {
        let Ok(scope) = Scope::parse(one) else {
            return Err(invalid);
        };
        if resource.scopes.contains(scope.as_str()) {
            scopes.insert(scope);
        }
    }
    if scopes.is_empty() && !resource.scopes.is_empty() {
        return Err(invalid);
    }
    Ok(scopes)
}
