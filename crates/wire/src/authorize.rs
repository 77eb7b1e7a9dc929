//! The authorization request as a URL: RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1.

use url::Url;

use crate::web_url::is_loopback;
use crate::{CodeChallenge, InvalidUrl, ScopeSet, parse_web_url};

/// An authorization request for a code.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest<'a> {
    /// The client id.
    pub client_id: &'a str,
    /// The redirect URI, byte for byte as registered (Q24).
    pub redirect_uri: &'a str,
    /// The state.
    pub state: &'a str,
    /// The PKCE challenge; always S256.
    pub code_challenge: &'a CodeChallenge,
    /// The scopes; `None` leaves the parameter out (C-46).
    pub scopes: Option<&'a ScopeSet>,
    /// What stands between scopes; a space unless a quirk says otherwise.
    pub scope_separator: char,
    /// RFC 8707; `None` only where a quirk says so.
    pub resource: Option<&'a str>,
    /// Parameters a quirk adds (`access_type`).
    pub extra: &'a [(String, String)],
}

/// Why no URL can be made. It never repeats the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationUrlError {
    /// The endpoint is no URL that may be opened.
    #[error("the authorization endpoint cannot be opened: {0}")]
    Endpoint(InvalidUrl),
    /// Plain `http` to another machine.
    #[error("the authorization endpoint is neither https nor on this machine")]
    Insecure,
    /// The endpoint's own query or a quirk already sets a parameter that is ours.
    #[error("the parameter `{name}` would stand in the authorization URL twice")]
    Doubled {
        /// Which.
        name: String,
    },
}

// === impl AuthorizationRequest ===

impl AuthorizationRequest<'_> {
    /// Prints the URL to open. The endpoint's own query is kept (RFC 6749 §3.1).
    pub fn print(&self, endpoint: &str) -> Result<String, AuthorizationUrlError> {
        let mut url = parse_web_url(endpoint).map_err(AuthorizationUrlError::Endpoint)?;
        if url.fragment().is_some() {
            return Err(AuthorizationUrlError::Endpoint(InvalidUrl::Fragment));
        }
        // C-71: what is opened in a browser is https, or http on this machine.
        if url.scheme() != "https" && !is_loopback(&url) {
            return Err(AuthorizationUrlError::Insecure);
        }
        let mut pairs: Vec<(&str, String)> = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.client_id.to_owned()),
            ("redirect_uri", self.redirect_uri.to_owned()),
            ("state", self.state.to_owned()),
            ("code_challenge", self.code_challenge.as_str().to_owned()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        pairs.extend(
            self.scopes
                .map(|scopes| ("scope", scopes.joined(self.scope_separator))),
        );
        pairs.extend(self.resource.map(|text| ("resource", text.to_owned())));
        pairs.extend(
            self.extra
                .iter()
                .map(|(name, value)| (name.as_str(), value.clone())),
        );
        refuse_doubled(&url, &pairs)?;
        url.query_pairs_mut().extend_pairs(&pairs);
        Ok(url.into())
    }
}

/// RFC 6749 §3.1: no parameter stands there twice; whoever reads the other one is led astray.
fn refuse_doubled(url: &Url, pairs: &[(&str, String)]) -> Result<(), AuthorizationUrlError> {
    let mut seen: Vec<String> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    // These are ours even where we leave them out.
    let ours = [
        "scope",
        "resource",
        "request",
        "request_uri",
        "response_mode",
    ];
    if let Some(name) = seen.iter().find(|name| ours.contains(&name.as_str())) {
        return Err(AuthorizationUrlError::Doubled { name: name.clone() });
    }
    for (name, _) in pairs {
        if seen.iter().any(|one| one == name) {
            return Err(AuthorizationUrlError::Doubled {
                name: (*name).to_owned(),
            });
        }
        seen.push((*name).to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verifier;

    fn print(endpoint: &str, extra: &[(String, String)]) -> Result<String, AuthorizationUrlError> {
        let challenge = Verifier::from_bytes([1; 32]).challenge();
        AuthorizationRequest {
            client_id: "c",
            redirect_uri: "http://127.0.0.1:5/callback/x",
            state: "s",
            code_challenge: &challenge,
            scopes: Some(&ScopeSet::parse_lossy("b a")),
            scope_separator: ' ',
            resource: Some("https://h.example"),
            extra,
        }
        .print(endpoint)
    }

    #[test]
    fn c41_c43_keeps_the_endpoints_query_and_adds_ours() {
        let url = print("https://i.example/a?tenant=1", &[]).unwrap();
        assert!(url.starts_with("https://i.example/a?tenant=1&response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A5%2Fcallback%2Fx&state=s&code_challenge="));
        assert!(
            url.ends_with("&code_challenge_method=S256&scope=a+b&resource=https%3A%2F%2Fh.example")
        );
    }

    #[test]
    fn a016_c71_opens_nothing_but_https_or_this_machine() {
        assert!(print("http://127.0.0.1:9/a", &[]).is_ok());
        assert_eq!(
            print("http://i.example/a", &[]),
            Err(AuthorizationUrlError::Insecure)
        );
        for endpoint in [
            "javascript:alert(1)",
            "data:x",
            "file:///x",
            "\u{2}https://i.example",
        ] {
            assert!(matches!(
                print(endpoint, &[]),
                Err(AuthorizationUrlError::Endpoint(_))
            ));
        }
    }

    #[test]
    fn no_parameter_stands_there_twice() {
        for endpoint in [
            "https://i.example/a?redirect_uri=https://evil.example",
            "https://i.example/a?request_uri=https://evil.example",
        ] {
            assert!(matches!(
                print(endpoint, &[]),
                Err(AuthorizationUrlError::Doubled { .. })
            ));
        }
        let extra = [("state".to_owned(), "x".to_owned())];
        assert!(matches!(
            print("https://i.example/a", &extra),
            Err(AuthorizationUrlError::Doubled { .. })
        ));
    }

    #[test]
    fn a017_shell_metacharacters_stay_encoded() {
        let url = print("https://i.example/$(x)'\"`?a=$(id)", &[]).unwrap();
        assert!(!url.contains(['"', '`', ' ']));
    }
}
