//! Answers to a request for input (2026-07-28): read, and taken out before the call goes on.

use super::{Envelope, EnvelopeError, Members, PARAMS, TOP};

/// What a person said to a request for input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputAction {
    /// Agreed; a URL was opened, which does not mean that anything was done there.
    Accept,
    /// Closed it, or said something nobody knows.
    Cancel,
    /// Said no.
    Decline,
}

impl Envelope<'_> {
    /// What the client answers to our request `key`; `None` where it answers nothing of ours.
    pub fn input_action(&self, key: &str) -> Option<InputAction> {
        let responses = Members::read(self.input_responses?.get(), &[]).ok()?;
        let response = Members::read(responses.find(key)?.get(), &["action"]).ok();
        let action = response.and_then(|response| response.text("action").ok().flatten());
        Some(match action.as_deref() {
            Some("accept") => InputAction::Accept,
            Some("decline") => InputAction::Decline,
            _ => InputAction::Cancel,
        })
    }

    /// The message without the answer to our request `key`, which the upstream never made.
    ///
    /// Every other value keeps its bytes; the order of keys may change.
    pub fn without_input(body: &[u8], key: &str) -> Result<Vec<u8>, EnvelopeError> {
        let text = str::from_utf8(body).or(Err(EnvelopeError::NotUtf8))?;
        let top = Members::read(text, &TOP)?;
        let unchanged = || Ok(body.to_vec());
        let Some(params) = top.find("params") else {
            return unchanged();
        };
        let members = Members::read(params.get(), &PARAMS)?;
        let Some(responses) = members.find("inputResponses") else {
            return unchanged();
        };
        let params = match Members::read(responses.get(), &[])?.without(key) {
            Some(others) => members.with("inputResponses", &others),
            None => members.without("inputResponses"),
        };
        let params = params.unwrap_or_else(|| "{}".to_owned());
        let whole = top.with("params", &params);
        Ok(whole.map_or_else(|| body.to_vec(), String::into_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    fn action(responses: &str) -> Option<InputAction> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a","inputResponses":{responses}}}}}"#
        );
        let message = Message::read(body.as_bytes()).unwrap();
        message.single().unwrap().input_action("ours")
    }

    #[test]
    fn t14_our_answer_is_told_apart_from_others() {
        assert_eq!(
            action(r#"{"ours":{"action":"accept"}}"#),
            Some(InputAction::Accept)
        );
        assert_eq!(
            action(r#"{"ours":{"action":"decline"}}"#),
            Some(InputAction::Decline)
        );
        for odd in [
            r#"{"ours":{}}"#,
            r#"{"ours":1}"#,
            r#"{"ours":{"action":"Accept"}}"#,
        ] {
            assert_eq!(action(odd), Some(InputAction::Cancel), "{odd}");
        }
        for other in [r#"{"theirs":{"action":"accept"}}"#, "{}", "[]", "null"] {
            assert_eq!(action(other), None, "{other}");
        }
    }

    #[test]
    fn t14_what_we_asked_for_does_not_go_on_and_the_rest_keeps_its_bytes() {
        let check = |responses: &str, expected: &str| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"arguments":{{ "n":1e0, "big":12345678901234567890123 }}{responses},"requestState":"s"}}}}"#
            );
            let found = Envelope::without_input(body.as_bytes(), "ours").unwrap();
            let found = String::from_utf8(found).unwrap();
            assert!(
                found.contains(r#"{ "n":1e0, "big":12345678901234567890123 }"#),
                "{found}"
            );
            assert!(found.contains(r#""requestState":"s""#), "{found}");
            assert!(!found.contains("ours"), "{found}");
            assert_eq!(
                found.contains("inputResponses"),
                !expected.is_empty(),
                "{found}"
            );
            assert!(found.contains(expected), "{found}");
            assert!(Message::read(found.as_bytes()).is_ok(), "{found}");
        };
        check(r#","inputResponses":{"ours":{"action":"accept"}}"#, "");
        check(
            r#","inputResponses":{"ours":{"action":"accept"},"theirs":{ "action" :"accept"}}"#,
            r#""inputResponses":{"theirs":{ "action" :"accept"}}"#,
        );
    }
}
