//! URLs from peers, read so that nobody after us reads another URL.

use url::{Host, Position, Url};

/// Why a text is no URL for us. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// White space, control characters or backslashes, which URL parsers drop or turn.
    #[error("it holds characters that do not belong in a URL")]
    Characters,
    /// A fragment, where none may be.
    #[error("it has a fragment")]
    Fragment,
    /// It does not parse.
    #[error("it is not an absolute URL")]
    Malformed,
    /// Neither `https` nor `http`: `javascript:`, `data:`, `file:` and their like (C-71).
    #[error("its scheme is neither https nor http")]
    Scheme,
    /// It carries a user name or a password.
    #[error("it carries a user name or a password")]
    UserInfo,
}

/// Reads an absolute `https` or `http` URL.
///
/// RFC 3986 leaves no room for white space or backslashes, but URL parsers for browsers remove
/// or rewrite them, so a scheme check on the parsed form alone can be walked around (A016).
pub fn parse_web_url(text: &str) -> Result<Url, InvalidUrl> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\' || !c.is_ascii();
    if text.contains(odd) {
        return Err(InvalidUrl::Characters);
    }
    let Ok(url) = Url::parse(text) else {
        return Err(InvalidUrl::Malformed);
    };
    if !matches!(url.scheme(), "https" | "http") {
        return Err(InvalidUrl::Scheme);
    }
    // The parser also takes `https:host` and `https:///host`; RFC 3986 does not.
    let authority = text.split_once("://").map(|(_, rest)| rest);
    if url.host().is_none() || authority.is_none_or(|rest| rest.starts_with('/')) {
        return Err(InvalidUrl::Malformed);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidUrl::UserInfo);
    }
    Ok(url)
}

/// Whether the host is this machine by name or by address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether both have the same scheme, host and port.
pub fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// A URL as it may be shown: without user, query and fragment, shortened.
pub fn without_query(text: &str) -> String {
    let Ok(url) = Url::parse(text) else {
        return "(not a URL)".to_owned();
    };
    let Some(host) = url.host_str() else {
        return "(not a URL)".to_owned();
    };
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    let path: String = url.path().chars().take(160).collect();
    format!("{}://{host}{port}{path}", url.scheme())
}

/// Scheme, host and port as text, without a slash at the end.
pub(crate) fn origin_text(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a016_refuses_schemes_that_run_or_read_something() {
        for text in [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "claude://authorize",
        ] {
            assert_eq!(parse_web_url(text), Err(InvalidUrl::Scheme), "{text}");
        }
        for text in [
            "\u{1}javascript:alert(1)",
            "java\tscript:alert(1)",
            " https://a.example/",
            "https://a.example\\@evil.example/",
            "https://a.example/\r\nX: y",
            "https://а.example/",
        ] {
            assert_eq!(parse_web_url(text), Err(InvalidUrl::Characters), "{text}");
        }
        for text in [
            "https:a.example",
            "https:///a.example/",
            "//a.example",
            "x",
            "",
        ] {
            assert_eq!(parse_web_url(text), Err(InvalidUrl::Malformed), "{text}");
        }
        assert_eq!(
            parse_web_url("https://a@b.example/"),
            Err(InvalidUrl::UserInfo)
        );
    }

    #[test]
    fn tells_loopback_and_origins() {
        let url = |text| parse_web_url(text).unwrap();
        assert!(is_loopback(&url("http://localhost:1/")));
        assert!(is_loopback(&url("http://127.8.0.1/")));
        assert!(is_loopback(&url("http://[::1]/")));
        assert!(!is_loopback(&url("http://localhost.evil.example/")));
        assert!(same_origin(
            &url("https://a.example"),
            &url("https://A.example:443/x")
        ));
        assert!(!same_origin(
            &url("https://a.example"),
            &url("http://a.example")
        ));
        assert_eq!(
            origin_text(&url("https://a.example/x?y")),
            "https://a.example"
        );
    }

    #[test]
    fn shows_no_query() {
        assert_eq!(
            without_query("https://u:p@a.example:8/x?code=1#f"),
            "https://a.example:8/x"
        );
    }
}
