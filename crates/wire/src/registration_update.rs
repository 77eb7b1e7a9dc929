//! Managing a registration: RFC 7592.

use claviger_crypto::Secret;
use serde_json::{Map, Value};

/// What an issuer said of a registration, to be said back to it. Holds the client's secret.
#[derive(Clone)]
pub struct RegistrationUpdate {
    members: Map<String, Value>,
}

/// What an update must not hold (RFC 7592 §2.2).
const LEFT_OUT: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

// === impl RegistrationUpdate ===

impl RegistrationUpdate {
    /// The update that changes nothing: everything the last answer said, but for what only the
    /// issuer may say. What is left out of an update would be forgotten by the issuer.
    pub fn of_answer(body: &[u8]) -> Option<Self> {
        let Ok(Value::Object(mut members)) = serde_json::from_slice(body) else {
            return None;
        };
        members.retain(|name, value| !LEFT_OUT.contains(&name.as_str()) && !value.is_null());
        members
            .contains_key("client_id")
            .then_some(Self { members })
    }

    /// The body of the request. An issuer takes an update only with the secret it gave last.
    pub fn print(&self, client_secret: Option<&Secret>) -> Vec<u8> {
        let mut members = self.members.clone();
        match client_secret {
            Some(secret) => {
                let secret = Value::String(secret.expose().to_owned());
                members.insert("client_secret".to_owned(), secret);
            }
            None => drop(members.remove("client_secret")),
        }
        // A map of JSON values always has a JSON form.
        serde_json::to_vec(&members).unwrap_or_default()
    }
}

impl core::fmt::Debug for RegistrationUpdate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RegistrationUpdate").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q10_says_back_what_was_said_and_nothing_only_the_issuer_may_say() {
        let answer = br#"{"client_id":"c","client_secret":"old","client_secret_expires_at":9,
            "client_id_issued_at":1,"registration_client_uri":"https://i.example/r",
            "registration_access_token":"t","redirect_uris":["http://127.0.0.1/c"],"logo_uri":null}"#;
        let update = RegistrationUpdate::of_answer(answer).unwrap();
        assert!(!format!("{update:?}").contains("old"));
        let body = update.print(Some(&Secret::new("new")));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "client_id": "c",
            "client_secret": "new",
            "redirect_uris": ["http://127.0.0.1/c"],
        });
        assert_eq!(body, expected);
        let text = String::from_utf8(update.print(None)).unwrap();
        assert!(!text.contains("client_secret"));
    }

    #[test]
    fn what_is_no_registration_cannot_be_said_back() {
        for body in [&b"[]"[..], b"{}", b"<html>", b""] {
            assert!(RegistrationUpdate::of_answer(body).is_none());
        }
    }
}
