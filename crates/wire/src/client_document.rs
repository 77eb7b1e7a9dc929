//! Our client id metadata document, as issuers fetch it (C-24 to C-27).

use serde::Serialize;

use crate::{AuthMethod, InvalidUrl, parse_web_url};

/// The document behind a `client_id` that is a URL.
#[derive(Debug, Clone, Serialize)]
pub struct ClientDocument {
    client_id: String,
    client_name: String,
    redirect_uris: Vec<String>,
    grant_types: [&'static str; 2],
    response_types: [&'static str; 1],
    token_endpoint_auth_method: AuthMethod,
    application_type: &'static str,
}

impl ClientDocument {
    /// A public client at this URL. C-26: a document that anybody may read holds no secret and
    /// names no way of proving that needs one.
    pub fn new(
        url: &str,
        client_name: impl Into<String>,
        redirect_uris: Vec<String>,
    ) -> Result<Self, InvalidUrl> {
        check_document_url(url)?;
        let is_web = redirect_uris.iter().all(|uri| uri.starts_with("https:"));
        Ok(Self {
            client_id: url.to_owned(),
            client_name: client_name.into(),
            redirect_uris,
            // C-34: both, or there will never be a refresh token.
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
            token_endpoint_auth_method: AuthMethod::None,
            application_type: if is_web { "web" } else { "native" },
        })
    }
}

/// C-24, C-25: `https`, with a path, and nothing in it that a parser would rewrite: no fragment, no
/// user, no dot segments.
pub fn check_document_url(text: &str) -> Result<(), InvalidUrl> {
    let url = parse_web_url(text)?;
    if url.scheme() != "https" {
        return Err(InvalidUrl::Scheme);
    }
    if url.fragment().is_some() {
        return Err(InvalidUrl::Fragment);
    }
    if url.path() == "/" || url.as_str() != text {
        return Err(InvalidUrl::Malformed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://claviger.example:8443/client.json";

    #[test]
    fn c24_c26_c34_what_an_issuer_reads() {
        let redirects = vec!["http://127.0.0.1/callback/c1".to_owned()];
        let document = ClientDocument::new(URL, "Claviger", redirects).unwrap();
        assert_eq!(
            serde_json::to_string(&document).unwrap(),
            r#"{"client_id":"https://claviger.example:8443/client.json","client_name":"Claviger","redirect_uris":["http://127.0.0.1/callback/c1"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"native"}"#
        );
    }

    #[test]
    fn c25_refuses_urls_no_issuer_may_take() {
        for url in [
            "http://claviger.example/client.json",
            "https://claviger.example/",
            "https://claviger.example",
            "https://claviger.example/a/../client.json",
            "https://claviger.example/./client.json",
            "https://claviger.example/client.json#x",
            "https://u@claviger.example/client.json",
            "https://CLAVIGER.example/client.json",
        ] {
            assert!(check_document_url(url).is_err(), "{url}");
        }
        assert_eq!(check_document_url(URL), Ok(()));
    }
}
