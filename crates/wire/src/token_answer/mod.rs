//! The answer of a token endpoint: RFC 6749 §5, and what is sent in its place (Q02, Q03, Q38).

use claviger_crypto::Secret;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::json::Object;
use crate::register::refusal;
use crate::{Deviation, Parsed, Refusal, ScopeSet};

/// Where an issuer puts things, by its quirk entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenShape {
    /// The member that holds the answer (`authed_user`), where it is nested.
    pub path: Option<String>,
    /// What stands between scopes.
    pub scope_separator: char,
    /// Values of `token_type` that mean Bearer, beside `Bearer`.
    pub bearer_types: Vec<String>,
}

/// Tokens as an issuer gave them.
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// `access_token`: printable, and short enough for a header.
    pub access_token: Secret,
    /// `expires_in` in seconds; `None` is unknown (Q03).
    pub expires_in: Option<i64>,
    /// `refresh_token`; an empty one is none (Q02).
    pub refresh_token: Option<Secret>,
    /// `scope`; `None` means what was asked for (RFC 6749 §5.1).
    pub scopes: Option<ScopeSet>,
    /// `id_token`, unverified.
    pub id_token: Option<Secret>,
}

/// What a token endpoint answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TokenAnswer {
    /// No.
    Refused(Refusal),
    /// Tokens.
    Tokens(TokenResponse),
}

/// Why a success is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenAnswerError {
    /// There is no access token in it.
    #[error("the answer holds no access token")]
    NoAccessToken,
    /// It is neither JSON nor a form.
    #[error("the answer is neither JSON nor a form")]
    NotReadable,
    /// A token with control characters, white space or more than 16 KiB: as a header it would
    /// split the request (A086).
    #[error("a token in the answer cannot be used in a header")]
    Token,
    /// `mac` and its like: using such a token as a bearer token would give it away (A086).
    #[error("the access token is not a bearer token")]
    TokenType,
}

/// Reads the answer of a token endpoint.
pub fn parse_token_answer(
    status: u16,
    body: &[u8],
    shape: &TokenShape,
) -> Result<Parsed<TokenAnswer>, TokenAnswerError> {
    let json = Object::parse(body).ok();
    let is_json = json.is_some();
    let is_success = (200..300).contains(&status);
    let mut object = match json.or_else(|| form(body)) {
        Some(object) => object,
        None if is_success => return Err(TokenAnswerError::NotReadable),
        None => Object::of(Map::new()),
    };
    // Q38: an error wins over the status; some issuers answer 200 for everything.
    let failed = object.raw("error").is_some() || object.raw("ok") == Some(&Value::Bool(false));
    if !is_success || failed {
        let mut refusal = refusal(status, Some(object));
        refusal.is_json = is_json;
        let deviation = is_success.then(|| Deviation::new("Q38", "an error with a success status"));
        return Ok(Parsed {
            value: TokenAnswer::Refused(refusal),
            deviations: deviation.into_iter().collect(),
        });
    }
    if !is_json {
        object
            .deviations
            .push(Deviation::new("Q38", "a form in place of JSON"));
    }
    tokens(object, shape).map(|parsed| parsed.map(TokenAnswer::Tokens))
}

// === impl TokenShape ===

impl Default for TokenShape {
    fn default() -> Self {
        Self {
            path: None,
            scope_separator: ' ',
            bearer_types: Vec::new(),
        }
    }
}

fn tokens(
    mut object: Object,
    shape: &TokenShape,
) -> Result<Parsed<TokenResponse>, TokenAnswerError> {
    let nested = shape.path.as_deref().and_then(|path| object.object(path));
    if let Some(mut nested) = nested.filter(|nested| nested.raw("access_token").is_some()) {
        nested.deviations = object.deviations;
        nested
            .deviations
            .push(Deviation::new("Q38", "the answer is nested"));
        object = nested;
    }
    let access_token = object
        .text("access_token")
        .ok_or(TokenAnswerError::NoAccessToken)?;
    check_type(&mut object, shape)?;
    let response = TokenResponse {
        access_token: header_safe(access_token)?,
        expires_in: expires_in(&mut object),
        refresh_token: refresh_token(&mut object)?,
        scopes: scopes(&mut object, shape.scope_separator),
        id_token: object.text("id_token").map(Secret::new),
    };
    Ok(Parsed {
        value: response,
        deviations: object.deviations,
    })
}

fn check_type(object: &mut Object, shape: &TokenShape) -> Result<(), TokenAnswerError> {
    let Some(kind) = object.text("token_type") else {
        object.note("Q38", "absent, read as Bearer", "token_type");
        return Ok(());
    };
    if kind.eq_ignore_ascii_case("bearer") {
        return Ok(());
    }
    if !shape.bearer_types.contains(&kind) {
        return Err(TokenAnswerError::TokenType);
    }
    object.note("Q38", "another word for Bearer", "token_type");
    Ok(())
}

/// RFC 6749 A.12: printable ASCII. Space is left out too: it never stands in a bearer token.
fn header_safe(text: String) -> Result<Secret, TokenAnswerError> {
    let token = Secret::new(text);
    let text = token.expose();
    if text.len() > TOKEN_LIMIT || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenAnswerError::Token);
    }
    Ok(token)
}

fn refresh_token(object: &mut Object) -> Result<Option<Secret>, TokenAnswerError> {
    if object.raw("refresh_token").and_then(Value::as_str) == Some("") {
        object.note("Q02", "empty, read as absent", "refresh_token");
        return Ok(None);
    }
    object.text("refresh_token").map(header_safe).transpose()
}

/// Q03: a number, a text that holds one, or a fraction; 0, less, and everything else is unknown.
fn expires_in(object: &mut Object) -> Option<i64> {
    let (secs, odd) = match object.raw("expires_in")? {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(secs), _) => (Some(secs), false),
            (None, float) => (float.and_then(whole), true),
        },
        Value::String(text) => {
            let text = text.trim();
            let secs = text.parse::<i64>().ok();
            (
                secs.or_else(|| text.parse::<f64>().ok().and_then(whole)),
                true,
            )
        }
        _ => (None, true),
    };
    let Some(secs) = secs.filter(|secs| *secs > 0) else {
        object.note("Q03", "no span of time, read as unknown", "expires_in");
        return None;
    };
    if odd {
        object.note("Q03", "not a whole number", "expires_in");
    }
    if secs > LIFE_LIMIT_S {
        // A086: an absurd span must not become an instant nobody can compute with.
        object.note("A086", "longer than ten years, cut", "expires_in");
    }
    Some(secs.min(LIFE_LIMIT_S))
}

/// The seconds of a fraction; anything beyond the limit is the limit.
fn whole(secs: f64) -> Option<i64> {
    if secs.is_nan() || secs < 1.0 {
        return None;
    }
    if secs > 1e9 {
        return Some(LIFE_LIMIT_S + 1);
    }
    // Between 1 and 10^9: a text without fraction is always an integer.
    format!("{:.0}", secs.floor()).parse().ok()
}

fn scopes(object: &mut Object, separator: char) -> Option<ScopeSet> {
    let text = match object.raw("scope")? {
        Value::String(text) => text.replace(separator, " "),
        Value::Array(list) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            let text = texts.join(" ");
            object.note("Q38", "a list in place of a text", "scope");
            text
        }
        _ => String::new(),
    };
    Some(ScopeSet::parse_lossy(&text)).filter(|scopes| !scopes.is_empty())
}

/// A form, as GitHub answers without `Accept`. Doubled names make it unreadable.
fn form(body: &[u8]) -> Option<Object> {
    let text = str::from_utf8(body).ok()?.trim();
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'{');
    if !text.contains('=') || !text.bytes().all(plain) {
        return None;
    }
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let doubled = members.insert(name.into_owned(), Value::String(value.into_owned()));
        if doubled.is_some() {
            return None;
        }
    }
    Some(Object::of(members))
}

const TOKEN_LIMIT: usize = 16 * 1024;
const LIFE_LIMIT_S: i64 = 10 * 366 * 86_400;

#[cfg(test)]
mod tests;
