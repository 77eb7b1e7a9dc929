//! Redirect URIs: which may be used, and whether a registered one still fits.

use url::{Host, Url};

use crate::{InvalidUrl, parse_web_url};

/// What kind of redirect URI this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectKind {
    /// `https`, any host.
    Https,
    /// `http` to `localhost` by name, which may resolve to somebody else's listener (C-56).
    Localhost,
    /// `http` to a loopback address (RFC 8252 §7.3).
    LoopbackAddress,
}

/// Why a redirect URI cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// Plain `http` to another machine would show the code on the way (C-55).
    #[error("a redirect URI is https, or http to this machine")]
    Insecure,
    /// It is no URL we may use.
    #[error("the redirect URI cannot be used: {0}")]
    Url(InvalidUrl),
}

/// C-55: checks a redirect URI of ours.
pub fn classify_redirect(text: &str) -> Result<RedirectKind, InvalidRedirect> {
    let url = parse_web_url(text).map_err(InvalidRedirect::Url)?;
    // RFC 6749 §3.1.2: no fragment.
    if url.fragment().is_some() {
        return Err(InvalidRedirect::Url(InvalidUrl::Fragment));
    }
    kind(&url).ok_or(InvalidRedirect::Insecure)
}

/// Whether a registered redirect URI admits the wanted one: the same text, or the same loopback
/// address on another port (RFC 8252 §7.3).
pub fn redirect_fits(registered: &str, wanted: &str) -> bool {
    if registered == wanted {
        return true;
    }
    let (Ok(mut registered), Ok(mut wanted)) = (parse_web_url(registered), parse_web_url(wanted))
    else {
        return false;
    };
    let both_loopback = [&registered, &wanted]
        .iter()
        .all(|url| kind(url) == Some(RedirectKind::LoopbackAddress));
    both_loopback
        && registered.set_port(None).is_ok()
        && wanted.set_port(None).is_ok()
        && registered == wanted
}

fn kind(url: &Url) -> Option<RedirectKind> {
    match (url.scheme(), url.host()?) {
        ("https", _) => Some(RedirectKind::Https),
        (_, Host::Domain(name)) => {
            (name.eq_ignore_ascii_case("localhost")).then_some(RedirectKind::Localhost)
        }
        (_, Host::Ipv4(address)) => address
            .is_loopback()
            .then_some(RedirectKind::LoopbackAddress),
        (_, Host::Ipv6(address)) => address
            .is_loopback()
            .then_some(RedirectKind::LoopbackAddress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c55_c56_only_https_or_this_machine_and_a_name_is_no_address() {
        let cases = [
            ("https://g.example/callback/x", Ok(RedirectKind::Https)),
            ("http://127.0.0.1:9/c", Ok(RedirectKind::LoopbackAddress)),
            ("http://[::1]:9/c", Ok(RedirectKind::LoopbackAddress)),
            ("http://localhost:9/c", Ok(RedirectKind::Localhost)),
            ("http://g.example/c", Err(InvalidRedirect::Insecure)),
            (
                "https://g.example/c#x",
                Err(InvalidRedirect::Url(InvalidUrl::Fragment)),
            ),
            ("app:/c", Err(InvalidRedirect::Url(InvalidUrl::Scheme))),
        ];
        for (text, expected) in cases {
            assert_eq!(classify_redirect(text), expected, "{text}");
        }
    }

    #[test]
    fn only_a_loopback_address_may_change_its_port() {
        assert!(redirect_fits(
            "http://127.0.0.1:1/c",
            "http://127.0.0.1:2/c"
        ));
        assert!(redirect_fits("https://g.example/c", "https://g.example/c"));
        assert!(!redirect_fits(
            "http://127.0.0.1:1/c",
            "http://127.0.0.1:2/d"
        ));
        assert!(!redirect_fits("http://127.0.0.1:1/c", "http://[::1]:1/c"));
        assert!(!redirect_fits(
            "http://localhost:1/c",
            "http://localhost:2/c"
        ));
        assert!(!redirect_fits(
            "https://g.example/c",
            "https://g.example:8/c"
        ));
    }
}
