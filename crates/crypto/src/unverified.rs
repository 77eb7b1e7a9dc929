//! A look at a JWT's claims without trust.

use serde_json::{Map, Value};

use crate::base64url_decode;

/// What somebody else's JWT says of itself. Its signature was not checked and its claims may lie:
/// a hint for people and for scheduling, never a reason to let anything in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnverifiedClaims {
    /// `exp`, in whole seconds.
    pub exp: Option<i64>,
    /// `aud`, one or many.
    pub aud: Vec<String>,
    /// `iss`.
    pub iss: Option<String>,
    /// `scope`, as it is written.
    pub scope: Option<String>,
}

/// The claims of a token that has the form of a signed JWT; `None` for every other token.
pub fn unverified_claims(token: &str) -> Option<UnverifiedClaims> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let mut parts = token.split('.');
    let (header, payload) = (parts.next()?, parts.next()?);
    let signature = parts.next()?;
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    object(header)?;
    let claims = object(payload)?;
    Some(UnverifiedClaims {
        exp: claims.get("exp").and_then(seconds),
        aud: claims.get("aud").map(texts).unwrap_or_default(),
        iss: claims.get("iss").and_then(Value::as_str).map(str::to_owned),
        scope: claims
            .get("scope")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&base64url_decode(part)?).ok()
}

// RFC 7519 §2: a NumericDate may have a fraction.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?.trunc();
        // Every f64 within these bounds is exact, so the cast loses nothing.
        #[expect(clippy::cast_possible_truncation, reason = "checked against 2^53")]
        (number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
    })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// Real access tokens stay far below; issuers put whole group lists into some.
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url_encode;

    fn token(claims: &str) -> String {
        let encode = |text: &str| base64url_encode(text.as_bytes());
        format!("{}.{}.c2ln", encode(r#"{"alg":"none"}"#), encode(claims))
    }

    #[test]
    fn reads_the_claims() {
        let read = unverified_claims(&token(
            r#"{"exp":1795257600.9,"aud":["a",1,"b"],"iss":"https://i","scope":"x y"}"#,
        ));
        assert_eq!(
            read,
            Some(UnverifiedClaims {
                exp: Some(1_795_257_600),
                aud: vec!["a".to_owned(), "b".to_owned()],
                iss: Some("https://i".to_owned()),
                scope: Some("x y".to_owned()),
            })
        );
    }

    #[test]
    fn odd_claims_are_absent() {
        let read = unverified_claims(&token(r#"{"exp":"soon","aud":{},"iss":1,"scope":[]}"#));
        assert_eq!(read, Some(UnverifiedClaims::default()));
        let read = unverified_claims(&token(r#"{"exp":1e300,"aud":"a"}"#)).unwrap();
        assert_eq!((read.exp, read.aud), (None, vec!["a".to_owned()]));
    }

    #[test]
    fn other_tokens_have_none() {
        let big = token(&format!(r#"{{"iss":"{}"}}"#, "x".repeat(MAX_BYTES)));
        let deep = token(&format!(r#"{{"a":{}"#, "[".repeat(10_000)));
        let nested = format!("{}.x", token("{}"));
        for text in [
            "", "opaque", "a.b", "a.b.c", "..", "e30.e30.", &big, &deep, &nested,
        ] {
            assert_eq!(unverified_claims(text), None);
        }
    }
}
