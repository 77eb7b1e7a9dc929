//! The text of a URL: checked as it was written, before and after it is parsed.
//!
//! Parsers forgive, and each forgives differently: `url` turns `https:\\0177.1` into
//! `https://127.0.0.1/`. What is not written plainly is refused, so that no two parsers can disagree
//! about where a request goes.

use claviger_ports::Reach;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use url::{Host, Url};

use crate::name::refuse_name;
use crate::refusal::Refusal;

/// Where a request goes: a host that passed every rule that needs no lookup, except that of
/// addresses.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) is_tls: bool,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// Whether the caller's reach opens private addresses of this host.
    pub(crate) is_opened: bool,
    path_and_query: String,
}

// === impl Target ===

impl Target {
    /// Checks the text of a URL.
    pub(crate) fn check(text: &str, reach: &Reach, ports: &[u16]) -> Result<Self, Refusal> {
        let written = Written::read(text)?;
        let Ok(url) = Url::parse(text) else {
            return Err(Refusal::Blocked("the URL is malformed"));
        };
        let Some(host) = url.host().map(|host| host.to_owned()) else {
            return Err(Refusal::Blocked("the URL has no host"));
        };
        if !written.means(&host) {
            return Err(Refusal::Blocked("the host is not written plainly"));
        }
        let is_opened = reach.allows_private(&host.to_string());
        let is_tls = match url.scheme() {
            "https" => true,
            // B-17: clear text only towards what the operator opened.
            "http" if is_opened => false,
            _ => return Err(Refusal::Blocked("the scheme is not https")),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        if port == 0 || !is_opened && port != 443 && !ports.contains(&port) {
            return Err(Refusal::Blocked("the port is not allowed"));
        }
        if let Host::Domain(name) = &host
            && !is_opened
            && let Some(reason) = refuse_name(name)
        {
            return Err(Refusal::Blocked(reason));
        }
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            is_tls,
            host,
            port,
            is_opened,
            path_and_query,
        })
    }

    /// The URI to request, put together from what was checked.
    pub(crate) fn uri(&self) -> Result<Uri, Refusal> {
        let Ok(path) = PathAndQuery::try_from(self.path_and_query.as_str()) else {
            return Err(Refusal::Blocked("the path is malformed"));
        };
        self.uri_with(path)
    }

    /// The URI to request, with a path that is kept byte by byte.
    pub(crate) fn uri_with(&self, path: PathAndQuery) -> Result<Uri, Refusal> {
        let (scheme, default_port) = if self.is_tls {
            (Scheme::HTTPS, 443)
        } else {
            (Scheme::HTTP, 80)
        };
        let authority = if self.port == default_port {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        };
        let Ok(authority) = Authority::try_from(authority) else {
            return Err(Refusal::Blocked("the host is malformed"));
        };
        Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path)
            .build()
            .or(Err(Refusal::Blocked("the URL is malformed")))
    }
}

/// The parts of a URL as they were written.
struct Written<'a> {
    host: &'a str,
}

// === impl Written ===

impl<'a> Written<'a> {
    fn read(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > MAX_URL_BYTES {
            return Err(Refusal::Blocked("the URL is too long"));
        }
        // Tabs and newlines are dropped by the parser and a backslash becomes a slash: with either,
        // the URL that was read is not the one that is fetched.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if !text.bytes().all(is_plain) {
            return Err(Refusal::Blocked("the URL has a character it may not have"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Refusal::Blocked("the URL has no `://`"));
        };
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return Err(Refusal::Blocked("the scheme is not https"));
        }
        if rest.contains('#') {
            return Err(Refusal::Blocked("the URL has a fragment"));
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(Refusal::Blocked("the URL has user information"));
        }
        let (host, port) = if authority.starts_with('[') {
            let Some((inside, after)) = authority.split_once(']') else {
                return Err(Refusal::Blocked("the URL is malformed"));
            };
            let host = authority.get(..=inside.len()).unwrap_or_default();
            (
                host,
                after
                    .strip_prefix(':')
                    .or((!after.is_empty()).then_some("")),
            )
        } else {
            match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            }
        };
        if let Some(port) = port
            && (port.starts_with('0') || port.parse::<u16>().is_err() || port.starts_with('+'))
        {
            return Err(Refusal::Blocked("the port is not written plainly"));
        }
        Ok(Self { host })
    }

    // `0x7f.1`, `2130706433`, `%31%32%37.0.0.1` are hosts to the parser; they are written by nobody
    // who means well.
    fn means(&self, parsed: &Host<String>) -> bool {
        match parsed {
            Host::Domain(name) => self.host.eq_ignore_ascii_case(name),
            Host::Ipv4(address) => self.host == address.to_string(),
            // IPv6 has many honest spellings; the parser settles on the address.
            Host::Ipv6(_) => self.host.starts_with('['),
        }
    }
}

const MAX_URL_BYTES: usize = 2_048;

#[cfg(test)]
mod tests {
    use claviger_ports::Reach;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use url::Host;

    use super::Target;
    use crate::name::refuse_name;
    use crate::refusal::Refusal;

    fn check(text: &str) -> Result<String, Refusal> {
        Target::check(text, &Reach::public(), &[8443])
            .and_then(|target| target.uri())
            .map(|uri| uri.to_string())
    }

    #[test]
    fn admits_plain_public_urls() {
        for (text, expected) in [
            ("https://example.com", "https://example.com/"),
            ("https://EXAMPLE.com/A?b=c", "https://example.com/A?b=c"),
            ("HTTPS://example.com:443/", "https://example.com/"),
            ("https://example.com:8443/x", "https://example.com:8443/x"),
            (
                "https://xn--bcher-kva.example/",
                "https://xn--bcher-kva.example/",
            ),
            ("https://1.1.1.1/", "https://1.1.1.1/"),
            (
                "https://[2606:4700:0:0::1111]/",
                "https://[2606:4700::1111]/",
            ),
            (
                "https://example.com/a%2fb/%7e?q=%20",
                "https://example.com/a%2fb/%7e?q=%20",
            ),
        ] {
            assert_eq!(check(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_by_the_rule_that_is_broken() {
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        for (text, expected) in [
            (long.as_str(), "the URL is too long"),
            ("", "the URL has no `://`"),
            ("https:example.com", "the URL has no `://`"),
            (
                "https:\\\\example.com",
                "the URL has a character it may not have",
            ),
            (
                "https://exam\tple.com/",
                "the URL has a character it may not have",
            ),
            (
                "https://bücher.example/",
                "the URL has a character it may not have",
            ),
            ("https://a@example.com/", "the URL has user information"),
            ("https://example.com/#a", "the URL has a fragment"),
            ("https://example.com:/", "the port is not written plainly"),
            (
                "https://example.com:0443/",
                "the port is not written plainly",
            ),
            (
                "https://example.com:+443/",
                "the port is not written plainly",
            ),
            (
                "https://[2606:4700::1]443/",
                "the port is not written plainly",
            ),
            ("https://example.com:22/", "the port is not allowed"),
            ("https://ex%61mple.com/", "the host is not written plainly"),
            ("https://0x08080808/", "the host is not written plainly"),
            ("https:///example.com/", "the host is not written plainly"),
            ("http://example.com/", "the scheme is not https"),
            ("ftp://example.com/", "the scheme is not https"),
            ("https://localhost/", "the host name has a single label"),
        ] {
            assert_eq!(check(text), Err(Refusal::Blocked(expected)), "{text}");
        }
    }

    #[test]
    fn b17_an_opened_host_may_speak_http_on_any_port_and_no_other_may() {
        let reach = Reach::public().with_private_host("localhost");
        let target = Target::check("http://LOCALHOST:9000/mcp", &reach, &[]).unwrap();
        assert!(target.is_opened && !target.is_tls);
        assert_eq!(target.uri().unwrap(), "http://localhost:9000/mcp");
        for other in [
            "http://localhost.:9000/",
            "http://127.0.0.1:9000/",
            "http://a.localhost/",
        ] {
            assert!(Target::check(other, &reach, &[]).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in ".*", reached in ".*") {
            let reach = Reach::public().with_private_host(&reached);
            if let Ok(target) = Target::check(&text, &reach, &[]) {
                prop_assert!(target.uri().is_ok());
            }
        }

        // What is admitted is read in the same way by the parser that sends it, and by this check
        // once more when the connection is made.
        #[test]
        fn what_is_admitted_means_the_same_to_every_parser(
            text in r"(https|HTTPS|http)://[a-zA-Z0-9\[\]:.@%_\\-]{0,24}(:[0-9]{0,5})?[/?#]?[a-z/.%@:\\]{0,12}"
        ) {
            let reach = Reach::public();
            let Ok(target) = Target::check(&text, &reach, &[8443]) else {
                return Ok(());
            };
            let uri = target.uri().unwrap();
            let host = target.host.to_string();
            prop_assert_eq!(uri.host(), Some(host.as_str()));
            prop_assert_eq!(uri.port_u16().unwrap_or(443), target.port);
            prop_assert_eq!(uri.scheme_str(), Some("https"));
            let again = Target::check(&uri.to_string(), &reach, &[8443]).unwrap();
            prop_assert_eq!(&again.host, &target.host);
            prop_assert_eq!(again.port, target.port);
            if let Host::Domain(name) = &target.host {
                prop_assert_eq!(refuse_name(name), None);
            }
        }
    }
}
