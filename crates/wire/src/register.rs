//! Dynamic client registration: RFC 7591.

use claviger_crypto::Secret;
use serde::Serialize;
use serde_json::Value;

use crate::error_code::detail_of;
use crate::json::Object;
use crate::{AuthMethod, Deviation, ErrorCode, Parsed, Refusal, parse_web_url};

/// What we ask to be registered as. Absent members are left out, never null (Q16).
#[derive(Debug, Clone, Serialize)]
pub struct RegistrationRequest {
    /// The name people see.
    pub client_name: String,
    /// Where codes may go.
    pub redirect_uris: Vec<String>,
    /// C-34: with `refresh_token`.
    pub grant_types: Vec<&'static str>,
    /// `code`.
    pub response_types: Vec<&'static str>,
    /// How we want to prove ourselves.
    pub token_endpoint_auth_method: AuthMethod,
    /// C-29: `native` or `web`.
    pub application_type: &'static str,
    /// The same as in the authorization request (Q20).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// RFC 7591 §2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// RFC 7591 §2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
}

/// What an issuer knows us as from now on.
#[derive(Debug, Clone)]
pub struct RegistrationResponse {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`; an empty one is none (Q17).
    pub client_secret: Option<Secret>,
    /// `client_secret_expires_at` in seconds since 1970; `None` is never or unknown (Q10).
    pub client_secret_expires_at: Option<i64>,
    /// `token_endpoint_auth_method` as granted, if the answer says so (Q17).
    pub auth_method: Option<String>,
    /// `grant_types` as granted (Q19).
    pub grant_types: Option<Vec<String>>,
    /// `registration_client_uri` (RFC 7592 §3).
    pub registration_client_uri: Option<String>,
    /// `registration_access_token` (RFC 7592 §3).
    pub registration_access_token: Option<Secret>,
}

/// What a registration endpoint answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RegistrationAnswer {
    /// Not registered.
    Refused(Refusal),
    /// Registered.
    Registered(RegistrationResponse),
}

/// Why an answer to a registration is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationAnswerError {
    /// A success without a usable client id.
    #[error("the answer to the registration holds no client id")]
    NoClientId,
    /// A success that is no JSON object.
    #[error("the answer to the registration is not a JSON object")]
    NotJson,
}

/// Reads the answer of a registration endpoint: RFC 7591 §3.2. 200 counts as 201 (Q16).
pub fn parse_registration_answer(
    status: u16,
    body: &[u8],
) -> Result<Parsed<RegistrationAnswer>, RegistrationAnswerError> {
    let object = Object::parse(body).ok();
    if !matches!(status, 200 | 201)
        || object
            .as_ref()
            .is_some_and(|one| one.raw("error").is_some())
    {
        return Ok(Parsed::clean(RegistrationAnswer::Refused(refusal(
            status, object,
        ))));
    }
    let mut object = object.ok_or(RegistrationAnswerError::NotJson)?;
    if status == 200 {
        object
            .deviations
            .push(Deviation::new("Q16", "registered with status 200"));
    }
    let client_id = object
        .text("client_id")
        .filter(|id| id.len() <= 4096 && !id.contains(char::is_control))
        .ok_or(RegistrationAnswerError::NoClientId)?;
    let grant_types = object.texts("grant_types").filter(|list| !list.is_empty());
    if grant_types
        .as_ref()
        .is_some_and(|list| !list.iter().any(|one| one == "refresh_token"))
    {
        object.note("Q19", "registered without refresh_token", "grant_types");
    }
    let response = RegistrationResponse {
        client_id,
        client_secret: object.text("client_secret").map(Secret::new),
        client_secret_expires_at: expiry(&mut object),
        auth_method: object.text("token_endpoint_auth_method"),
        grant_types,
        registration_client_uri: object
            .text("registration_client_uri")
            .filter(|text| parse_web_url(text).is_ok()),
        registration_access_token: object.text("registration_access_token").map(Secret::new),
    };
    Ok(Parsed {
        value: RegistrationAnswer::Registered(response),
        deviations: object.deviations,
    })
}

/// An error answer, of which only code and number are kept (A088).
pub(crate) fn refusal(status: u16, object: Option<Object>) -> Refusal {
    let is_json = object.is_some();
    let mut object = object.unwrap_or_else(|| Object::of(serde_json::Map::new()));
    Refusal {
        status,
        code: object.text("error").map(|text| ErrorCode::parse(&text)),
        is_json,
        detail: object
            .text("error_description")
            .and_then(|text| detail_of(&text)),
    }
}

fn expiry(object: &mut Object) -> Option<i64> {
    let secs = match object.raw("client_secret_expires_at")? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    if secs.is_none() {
        object.note(
            "Q16",
            "not an instant, read as absent",
            "client_secret_expires_at",
        );
    }
    // RFC 7591 §3.2.1: 0 is never.
    secs.filter(|secs| *secs > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn registered(body: &str) -> Parsed<RegistrationResponse> {
        parse_registration_answer(201, body.as_bytes())
            .unwrap()
            .map(|answer| match answer {
                RegistrationAnswer::Registered(response) => response,
                RegistrationAnswer::Refused(refusal) => panic!("{refusal}"),
            })
    }

    #[test]
    fn q16_prints_no_null() {
        let request = RegistrationRequest {
            client_name: "n".to_owned(),
            redirect_uris: vec!["http://127.0.0.1:1/c".to_owned()],
            grant_types: vec!["authorization_code", "refresh_token"],
            response_types: vec!["code"],
            token_endpoint_auth_method: AuthMethod::None,
            application_type: "native",
            scope: None,
            software_id: None,
            software_version: None,
        };
        let text = serde_json::to_string(&request).unwrap();
        assert!(!text.contains("null") && !text.contains("scope"));
        assert!(
            text.contains(r#""token_endpoint_auth_method":"none","application_type":"native""#)
        );
    }

    #[test]
    fn q16_q17_nulls_and_empty_texts_are_absent() {
        let parsed = registered(
            r#"{"client_id":"c","client_secret":"","client_uri":null,"registration_client_uri":"",
            "token_endpoint_auth_method":"client_secret_post","client_secret_expires_at":"0","grant_types":[]}"#,
        );
        assert!(parsed.value.client_secret.is_none());
        assert_eq!(parsed.value.client_secret_expires_at, None);
        assert_eq!(
            parsed.value.auth_method.as_deref(),
            Some("client_secret_post")
        );
        assert!(parsed.has("Q16") && !parsed.has("Q19"));
    }

    #[test]
    fn q10_q11_q19_keeps_the_whole_registration() {
        let parsed = registered(
            r#"{"client_id":"c","client_secret":"s","client_secret_expires_at":99,
            "registration_client_uri":"https://i.example/r/c","registration_access_token":"t",
            "grant_types":["authorization_code"]}"#,
        );
        assert_eq!(parsed.value.client_secret_expires_at, Some(99));
        assert_eq!(
            parsed
                .value
                .registration_access_token
                .as_ref()
                .unwrap()
                .expose(),
            "t"
        );
        assert!(parsed.has("Q19"));
    }

    #[test]
    fn a088_keeps_only_the_code_of_a_refusal() {
        let body = br#"{"error":"invalid_redirect_uri","error_description":"hunter2"}"#;
        let parsed = parse_registration_answer(400, body).unwrap();
        let RegistrationAnswer::Refused(refusal) = parsed.value else {
            panic!("refused");
        };
        assert_eq!(refusal.code, Some(ErrorCode::InvalidRedirectUri));
        assert!(!format!("{refusal:?}").contains("hunter2"));
        let plain = parse_registration_answer(403, b"Not on our list").unwrap();
        assert!(matches!(
            plain.value,
            RegistrationAnswer::Refused(Refusal {
                status: 403,
                code: None,
                is_json: false,
                ..
            })
        ));
    }

    #[test]
    fn a_success_without_an_id_is_none() {
        assert!(matches!(
            parse_registration_answer(201, b"{}"),
            Err(RegistrationAnswerError::NoClientId)
        ));
        assert!(matches!(
            parse_registration_answer(200, b"<html>"),
            Err(RegistrationAnswerError::NotJson)
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(status in 100_u16..600, body in any::<Vec<u8>>()) {
            let answer = parse_registration_answer(status, &body);
            let value = answer.map(|parsed| parsed.value);
            let registered = matches!(value, Ok(RegistrationAnswer::Registered(_)));
            prop_assert!(!registered);
        }
    }
}
