//! Writes the `WWW-Authenticate` header: RFC 6750 §3, RFC 9728 §5.1.

use claviger_wire::ScopeSet;

/// One `Bearer` challenge; what is not set is not written.
#[derive(Debug, Default)]
pub(crate) struct Challenge<'a> {
    pub(crate) error: Option<&'static str>,
    pub(crate) description: Option<&'a str>,
    pub(crate) scope: Option<&'a ScopeSet>,
    pub(crate) resource_metadata: Option<&'a str>,
}

impl Challenge<'_> {
    pub(crate) fn print(&self) -> String {
        // a resource never asks for `offline_access`; that is between client and issuer.
        let scope = self.scope.map(|scopes| {
            scopes
                .iter()
                .filter(|scope| scope.as_str() != "offline_access")
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        });
        let parameters = [
            ("error", self.error),
            ("error_description", self.description),
            ("scope", scope.as_deref().filter(|scope| !scope.is_empty())),
            ("resource_metadata", self.resource_metadata),
        ];
        let written: Vec<String> = parameters
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", quote(value?))))
            .collect();
        if written.is_empty() {
            return "Bearer".to_owned();
        }
        format!("Bearer {}", written.join(", "))
    }
}

// RFC 9110 §5.6.4. What cannot stand in a header at all is left out, so that no value of a
// setting can split the header.
fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_challenge_is_the_scheme_alone() {
        assert_eq!(Challenge::default().print(), "Bearer");
    }

    #[test]
    fn quotes_and_never_splits_the_header() {
        let challenge = Challenge {
            resource_metadata: Some("https://a/\"\\\r\nX: y\u{e9}"),
            ..Challenge::default()
        };
        assert_eq!(
            challenge.print(),
            "Bearer resource_metadata=\"https://a/\\\"\\\\X: y\""
        );
    }

    #[test]
    fn r06_never_asks_for_offline_access() {
        let scopes = ScopeSet::parse_lossy("offline_access read");
        let challenge = Challenge {
            scope: Some(&scopes),
            ..Challenge::default()
        };
        assert_eq!(challenge.print(), "Bearer scope=\"read\"");
        let only = ScopeSet::parse_lossy("offline_access");
        let challenge = Challenge {
            scope: Some(&only),
            ..Challenge::default()
        };
        assert_eq!(challenge.print(), "Bearer");
    }
}
