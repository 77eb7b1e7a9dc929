//! What comes back to the redirect URI: RFC 6749 §4.1.2, RFC 9207.

use claviger_crypto::Secret;
use url::{Url, form_urlencoded};

use crate::ErrorCode;

/// An authorization response. Nothing in it counts before `state` and `iss` were compared.
#[derive(Debug, Clone)]
pub struct Callback {
    /// `state`.
    pub state: Option<Secret>,
    /// `iss`, form-decoded and otherwise untouched (C-53).
    pub iss: Option<String>,
    /// What the issuer says.
    pub answer: Answer,
}

/// What an issuer says in a callback.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Answer {
    /// A code.
    Code(Secret),
    /// An error. The description is somebody else's text: cut, plain, and still to be escaped.
    Error {
        /// The code.
        code: ErrorCode,
        /// `error_description`, at most 200 printable characters.
        description: Option<String>,
    },
}

/// Why a callback is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCallback {
    /// Both a code and an error (A084).
    #[error("it holds a code and an error")]
    Both,
    /// A parameter stands in it twice (A084).
    #[error("the parameter `{name}` stands in it twice")]
    Doubled {
        /// Which.
        name: &'static str,
    },
    /// Neither a code nor an error.
    #[error("it holds neither a code nor an error")]
    Empty,
    /// More than 16 KiB.
    #[error("it is too long")]
    TooLong,
}

// === impl Callback ===

impl Callback {
    /// Reads the query of a callback, without its question mark.
    pub fn parse(query: &str) -> Result<Self, InvalidCallback> {
        if query.len() > LIMIT {
            return Err(InvalidCallback::TooLong);
        }
        let mut values: [Option<String>; NAMES.len()] = Default::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let known = NAMES.iter().zip(&mut values).find(|(one, _)| **one == name);
            // RFC 6749 §3.1: unknown parameters are ignored, known ones come once.
            let Some((name, slot)) = known else { continue };
            if slot.is_some() {
                return Err(InvalidCallback::Doubled { name });
            }
            *slot = Some(value.into_owned());
        }
        let [error, error_description, _error_uri, iss, state, code] =
            values.map(|value| value.filter(|text| !text.is_empty()));
        // Q27: the error is looked at before the code.
        let answer = match (error, code) {
            (Some(_), Some(_)) => return Err(InvalidCallback::Both),
            (Some(error), None) => Answer::Error {
                code: ErrorCode::parse(&error),
                description: error_description.as_deref().and_then(printable),
            },
            (None, Some(code)) => Answer::Code(Secret::new(code)),
            (None, None) => return Err(InvalidCallback::Empty),
        };
        Ok(Self {
            state: state.map(Secret::new),
            iss,
            answer,
        })
    }

    /// Reads what a person pasted: the whole URL of the callback, or its query (M12).
    pub fn parse_pasted(text: &str) -> Result<Self, InvalidCallback> {
        let text = text.trim();
        match Url::parse(text) {
            Ok(url) => Self::parse(url.query().unwrap_or_default()),
            Err(_relative) => Self::parse(text.trim_start_matches('?')),
        }
    }
}

/// RFC 6749 §4.1.2.1 allows printable ASCII; the rest of a foreign text is dropped.
fn printable(text: &str) -> Option<String> {
    let kept: String = text
        .chars()
        .filter(|c| matches!(c, ' '..='~'))
        .take(200)
        .collect();
    (!kept.trim().is_empty()).then_some(kept)
}

const LIMIT: usize = 16 * 1024;
const NAMES: [&str; 6] = [
    "error",
    "error_description",
    "error_uri",
    "iss",
    "state",
    "code",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_a_code() {
        let callback =
            Callback::parse("code=a%2Bb&state=s&iss=https%3A%2F%2Fi.example%2F&x=1&x=2").unwrap();
        assert!(matches!(&callback.answer, Answer::Code(code) if code.expose() == "a+b"));
        assert_eq!(callback.state.unwrap().expose(), "s");
        assert_eq!(callback.iss.as_deref(), Some("https://i.example/"));
    }

    #[test]
    fn q27_reads_an_error() {
        let callback =
            Callback::parse("error=access_denied&error_description=%1b%5B31mno+way&state=s")
                .unwrap();
        assert!(matches!(
            callback.answer,
            Answer::Error { code: ErrorCode::AccessDenied, description: Some(text) } if text == "[31mno way"
        ));
    }

    #[test]
    fn a084_refuses_doubled_and_contradictory_answers() {
        for query in ["code=a&code=a", "code=a&code=b"] {
            assert!(matches!(
                Callback::parse(query),
                Err(InvalidCallback::Doubled { name: "code" })
            ));
        }
        assert!(matches!(
            Callback::parse("code=a&error=x"),
            Err(InvalidCallback::Both)
        ));
        assert!(matches!(
            Callback::parse("state=s&code="),
            Err(InvalidCallback::Empty)
        ));
    }

    #[test]
    fn a081_refuses_a_doubled_iss() {
        assert!(matches!(
            Callback::parse("code=a&iss=x&iss=y"),
            Err(InvalidCallback::Doubled { name: "iss" })
        ));
    }

    #[test]
    fn reads_what_was_pasted() {
        for text in [
            " http://127.0.0.1:1/callback/x?code=a&state=s ",
            "?code=a&state=s",
            "code=a&state=s",
        ] {
            assert!(Callback::parse_pasted(text).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            prop_assert!(Callback::parse(&text).is_err() || text.contains('='));
            prop_assert!(Callback::parse_pasted(&text).is_err() || text.contains('='));
        }
    }
}
