//! The token request: RFC 6749 §4.1.3, §4.4.2, §6, with `resource` (RFC 8707 §2.2).

use claviger_crypto::Secret;
use url::form_urlencoded::Serializer;

use crate::{ClientAuth, Verifier};

/// What is given for tokens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TokenGrant {
    /// A code, with the redirect URI it came to, byte for byte (Q24).
    AuthorizationCode {
        /// The code.
        code: Secret,
        /// The redirect URI of the authorization request.
        redirect_uri: String,
        /// RFC 7636 §4.5.
        verifier: Verifier,
    },
    /// Nothing but the client itself.
    ClientCredentials,
    /// A refresh token.
    RefreshToken {
        /// The token.
        refresh_token: Secret,
    },
}

/// A token request.
#[derive(Debug, Clone)]
pub struct TokenRequest<'a> {
    /// What is given.
    pub grant: &'a TokenGrant,
    /// C-43: the same on every leg; `None` only where a quirk says so.
    pub resource: Option<&'a str>,
    /// `scope`, already joined; `None` leaves it out.
    pub scope: Option<String>,
    /// Parameters a quirk adds (`audience`).
    pub extra: &'a [(String, String)],
}

/// A request as it goes out.
#[derive(Debug, Clone)]
pub struct Printed {
    /// The form.
    pub body: Secret,
    /// The `Authorization` header's value.
    pub authorization: Option<Secret>,
}

// === impl TokenRequest ===

impl TokenRequest<'_> {
    /// Prints the form. Parameters of a quirk never replace ours (RFC 6749 §3.2: none twice).
    pub fn print(&self, auth: &ClientAuth) -> Printed {
        let mut form = Serializer::new(String::new());
        let mut names = vec!["grant_type", "resource", "scope"];
        match self.grant {
            TokenGrant::AuthorizationCode {
                code,
                redirect_uri,
                verifier,
            } => {
                names.extend(["code", "redirect_uri", "code_verifier"]);
                form.append_pair("grant_type", "authorization_code");
                form.append_pair("code", code.expose());
                form.append_pair("redirect_uri", redirect_uri);
                form.append_pair("code_verifier", verifier.expose());
            }
            TokenGrant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
            TokenGrant::RefreshToken { refresh_token } => {
                names.push("refresh_token");
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", refresh_token.expose());
            }
        }
        if let Some(resource) = self.resource {
            form.append_pair("resource", resource);
        }
        if let Some(scope) = &self.scope {
            form.append_pair("scope", scope);
        }
        let authorization = auth.print(&mut form);
        for (name, value) in self.extra {
            if !names.contains(&name.as_str()) && !name.starts_with("client_") {
                form.append_pair(name, value);
            }
        }
        Printed {
            body: Secret::new(form.finish()),
            authorization,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(grant: &TokenGrant, auth: &ClientAuth) -> Printed {
        let extra = [
            ("audience".to_owned(), "x".to_owned()),
            ("grant_type".to_owned(), "evil".to_owned()),
            ("client_secret".to_owned(), "evil".to_owned()),
        ];
        let request = TokenRequest {
            grant,
            resource: Some("https://h.example"),
            scope: Some("a b".to_owned()),
            extra: &extra,
        };
        request.print(auth)
    }

    #[test]
    fn c57_q18_exactly_one_way_of_proving() {
        let grant = TokenGrant::ClientCredentials;
        let secret = || Secret::new("s");
        let basic = print(
            &grant,
            &ClientAuth::Basic {
                client_id: "c".to_owned(),
                secret: secret(),
                raw: false,
            },
        );
        assert!(basic.authorization.is_some());
        assert!(!basic.body.expose().contains("client_id"));
        assert!(!basic.body.expose().contains("client_secret"));
        let post = print(
            &grant,
            &ClientAuth::Post {
                client_id: "c".to_owned(),
                secret: secret(),
            },
        );
        assert!(post.authorization.is_none());
        assert!(post.body.expose().contains("client_id=c&client_secret=s"));
        let none = print(
            &grant,
            &ClientAuth::None {
                client_id: "c".to_owned(),
            },
        );
        assert!(none.authorization.is_none());
        assert!(!none.body.expose().contains("client_secret"));
    }

    #[test]
    fn c43_q24_the_code_goes_with_its_redirect_and_the_resource() {
        let grant = TokenGrant::AuthorizationCode {
            code: Secret::new("c&d"),
            redirect_uri: "http://127.0.0.1:5/callback/x".to_owned(),
            verifier: Verifier::from_bytes([7; 32]),
        };
        let auth = ClientAuth::None {
            client_id: "c".to_owned(),
        };
        let printed = print(&grant, &auth);
        let body = printed.body.expose();
        assert!(body.starts_with("grant_type=authorization_code&code=c%26d&redirect_uri=http%3A%2F%2F127.0.0.1%3A5%2Fcallback%2Fx&code_verifier="));
        assert!(body.contains("&resource=https%3A%2F%2Fh.example&scope=a+b&client_id=c"));
        assert!(body.ends_with("&audience=x"));
    }
}
