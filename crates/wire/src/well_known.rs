//! Where documents live: path insertion, its historical cousins, and the defaults of old.

use url::Url;

use crate::InvalidUrl;
use crate::web_url::{origin_text, parse_web_url};

/// A place where a document may be, and the rule that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The URL to ask.
    pub url: String,
    /// The rule.
    pub rule: &'static str,
}

/// C-04: where a server's resource metadata may be when no challenge names it, in order.
/// The root is to be asked only where the path form gave nothing.
pub fn resource_metadata_places(server_url: &str) -> Result<Vec<Place>, InvalidUrl> {
    let url = parse_web_url(server_url)?;
    let origin = origin_text(&url);
    let mut places = Vec::new();
    let path = trimmed_path(&url);
    if !path.is_empty() {
        // RFC 9728 §3.1: the query is part of the identifier and stays behind the path.
        let query = url
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        places.push(Place {
            url: format!("{origin}/.well-known/oauth-protected-resource{path}{query}"),
            rule: "C-04 path (RFC 9728 §3.1)",
        });
    }
    places.push(Place {
        url: format!("{origin}/.well-known/oauth-protected-resource"),
        rule: "C-04 root (RFC 9728 §3.1)",
    });
    Ok(places)
}

/// C-08 and C-09: where an issuer's metadata may be, in order.
///
/// RFC 8414 §2: an issuer has neither query nor fragment.
pub fn issuer_metadata_places(issuer: &str) -> Result<Vec<Place>, InvalidUrl> {
    let url = parse_web_url(issuer)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidUrl::Fragment);
    }
    let origin = origin_text(&url);
    let path = trimmed_path(&url);
    let place = |url: String, rule| Place { url, rule };
    if path.is_empty() {
        return Ok(vec![
            place(
                format!("{origin}/.well-known/oauth-authorization-server"),
                "C-09 (RFC 8414 §3.1)",
            ),
            place(
                format!("{origin}/.well-known/openid-configuration"),
                "C-09 (OpenID Connect Discovery §4)",
            ),
        ]);
    }
    // The root is never asked for an issuer with a path: it is another issuer's place.
    Ok(vec![
        place(
            format!("{origin}/.well-known/oauth-authorization-server{path}"),
            "C-08 inserted (RFC 8414 §3.1)",
        ),
        place(
            format!("{origin}/.well-known/openid-configuration{path}"),
            "C-08 inserted (RFC 8414 §5)",
        ),
        place(
            format!("{origin}{path}/.well-known/openid-configuration"),
            "C-08 appended (OpenID Connect Discovery §4)",
        ),
    ])
}

/// C-12: where a 2025-03-26 server has its issuer's metadata. Also gives the issuer: the origin.
pub fn legacy_issuer_place(server_url: &str) -> Result<(String, Place), InvalidUrl> {
    let url = parse_web_url(server_url)?;
    let origin = origin_text(&url);
    let place = Place {
        url: format!("{origin}/.well-known/oauth-authorization-server"),
        rule: "C-12 (MCP 2025-03-26, metadata discovery)",
    };
    Ok((origin.to_owned(), place))
}

/// C-13: the endpoints of a 2025-03-26 server without any metadata:
/// authorization, token, registration.
pub fn default_endpoints(server_url: &str) -> Result<[String; 3], InvalidUrl> {
    let url = parse_web_url(server_url)?;
    let origin = origin_text(&url);
    Ok(["authorize", "token", "register"].map(|name| format!("{origin}/{name}")))
}

/// The path without the slash at its end; empty at the root.
fn trimmed_path(url: &Url) -> &str {
    let path = url.path();
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(places: Result<Vec<Place>, InvalidUrl>) -> Vec<String> {
        places.unwrap().into_iter().map(|place| place.url).collect()
    }

    #[test]
    fn c04_asks_the_path_form_first_and_only_the_root_at_the_root() {
        assert_eq!(
            urls(resource_metadata_places("https://h.example:8/a/mcp?x=1")),
            [
                "https://h.example:8/.well-known/oauth-protected-resource/a/mcp?x=1",
                "https://h.example:8/.well-known/oauth-protected-resource",
            ]
        );
        assert_eq!(
            urls(resource_metadata_places("https://h.example/")),
            ["https://h.example/.well-known/oauth-protected-resource"]
        );
    }

    #[test]
    fn c08_an_issuer_with_a_path_has_three_places_and_never_the_root() {
        for issuer in ["https://h.example/t1", "https://h.example/t1/"] {
            assert_eq!(
                urls(issuer_metadata_places(issuer)),
                [
                    "https://h.example/.well-known/oauth-authorization-server/t1",
                    "https://h.example/.well-known/openid-configuration/t1",
                    "https://h.example/t1/.well-known/openid-configuration",
                ]
            );
        }
    }

    #[test]
    fn c09_an_issuer_without_a_path_has_two() {
        assert_eq!(
            urls(issuer_metadata_places("https://h.example")),
            [
                "https://h.example/.well-known/oauth-authorization-server",
                "https://h.example/.well-known/openid-configuration",
            ]
        );
        assert!(issuer_metadata_places("https://h.example/?x").is_err());
    }

    #[test]
    fn c12_c13_the_old_places_are_at_the_origin() {
        let (issuer, place) = legacy_issuer_place("http://localhost:9/v1/mcp").unwrap();
        assert_eq!(issuer, "http://localhost:9");
        assert_eq!(
            place.url,
            "http://localhost:9/.well-known/oauth-authorization-server"
        );
        assert_eq!(
            default_endpoints("http://localhost:9/v1/mcp").unwrap(),
            [
                "http://localhost:9/authorize",
                "http://localhost:9/token",
                "http://localhost:9/register",
            ]
        );
    }
}
