//! Why a fresh token is refused: what it says about itself against what is expected (Q13, N6).

use core::fmt;

use claviger_crypto::{Secret, unverified_claims};
use claviger_model::Timestamp;
use claviger_wire::ScopeSet;

use crate::discover::shown;

/// One thing about a refused token that does not fit. Never a reason to refresh again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// It is for somebody else: the server looks for itself in `aud` and does not find itself.
    Audience {
        /// What the token says.
        found: Vec<String>,
        /// What was asked for.
        expected: String,
    },
    /// It ended, or the clocks differ.
    Expired {
        /// How long ago, in seconds.
        ago_s: i64,
    },
    /// It is another issuer's.
    Issuer {
        /// What the token says.
        found: String,
        /// Who gave it.
        expected: String,
    },
    /// Nobody but its issuer can read it.
    Opaque,
    /// It lacks scopes that were asked for.
    Scopes {
        /// Which.
        missing: ScopeSet,
    },
    /// It looks as it should; the server or its settings are at fault.
    Sound,
}

/// Looks into a token that was refused although it is fresh. Nothing in it is verified, and nothing
/// of it is decided by: this is for a person to read.
pub fn diagnose(
    token: &Secret,
    issuer: &str,
    resource: &str,
    requested: &ScopeSet,
    now: Timestamp,
) -> Vec<Finding> {
    let Some(claims) = unverified_claims(token.expose()) else {
        return vec![Finding::Opaque];
    };
    let mut findings = Vec::new();
    if !resource.is_empty() && !claims.aud.iter().any(|one| one == resource) {
        findings.push(Finding::Audience {
            found: claims.aud.iter().take(4).map(|one| shown(one)).collect(),
            expected: shown(resource),
        });
    }
    if let Some(found) = claims.iss.filter(|found| found != issuer) {
        findings.push(Finding::Issuer {
            found: shown(&found),
            expected: shown(issuer),
        });
    }
    if let Some(exp) = claims.exp.filter(|exp| *exp <= now.as_secs()) {
        findings.push(Finding::Expired {
            ago_s: now.since(Timestamp::from_secs(exp)),
        });
    }
    if let Some(scope) = &claims.scope {
        let missing = requested.minus(&ScopeSet::parse_lossy(scope));
        if !missing.is_empty() {
            findings.push(Finding::Scopes { missing });
        }
    }
    if findings.is_empty() {
        findings.push(Finding::Sound);
    }
    findings
}

// === impl Finding ===

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audience { found, expected } if found.is_empty() => {
                write!(f, "the token names no audience; {expected} was asked for")
            }
            Self::Audience { found, expected } => write!(
                f,
                "the token is for {}; {expected} was asked for",
                found.join(", ")
            ),
            Self::Expired { ago_s } => {
                write!(f, "the token ended {ago_s} s ago, or the clocks differ")
            }
            Self::Issuer { found, expected } => {
                write!(f, "the token is from {found}, and {expected} gave it")
            }
            Self::Opaque => f.write_str("the token can be read by its issuer only"),
            Self::Scopes { missing } => write!(f, "the token lacks the scopes {missing}"),
            Self::Sound => {
                f.write_str("the token looks as it should: audience, issuer, expiry and scopes fit")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_crypto::base64url_encode;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn check(claims: &str, expected: &[Finding]) {
        let part = |text: &str| base64url_encode(text.as_bytes());
        let token = Secret::new(format!("{}.{}.c2ln", part("{\"alg\":\"x\"}"), part(claims)));
        let requested = ScopeSet::parse_lossy("a b");
        let found = diagnose(
            &token,
            "https://i.example",
            "https://r.example",
            &requested,
            NOW,
        );
        assert_eq!(found, expected, "{claims}");
    }

    #[test]
    fn q13_n6_says_what_does_not_fit() {
        check(
            r#"{"aud":"https://r.example","iss":"https://i.example","exp":1001,"scope":"b a"}"#,
            &[Finding::Sound],
        );
        check(
            r#"{"aud":["api://x"],"iss":"https://j.example?q","exp":940,"scope":"a"}"#,
            &[
                Finding::Audience {
                    found: vec!["api://x".to_owned()],
                    expected: "https://r.example".to_owned(),
                },
                Finding::Issuer {
                    found: "https://j.example".to_owned(),
                    expected: "https://i.example".to_owned(),
                },
                Finding::Expired { ago_s: 60 },
                Finding::Scopes {
                    missing: ScopeSet::parse_lossy("b"),
                },
            ],
        );
    }

    #[test]
    fn q13_an_opaque_token_says_nothing() {
        let none = ScopeSet::new();
        let found = diagnose(&Secret::new("opaque"), "i", "r", &none, NOW);
        assert_eq!(found, [Finding::Opaque]);
        assert!(!found[0].to_string().contains("opaque\""));
    }
}
