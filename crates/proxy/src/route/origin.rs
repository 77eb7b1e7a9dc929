//! Hosts and origins: a page that rebinds its name to us finds nobody home (A149).

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};

use super::RouteSettings;
use crate::reply::Problem;

/// Refuses requests for a host we are not, and requests of pages that are not ours.
pub(super) fn check(
    uri: &Uri,
    headers: &HeaderMap,
    settings: &RouteSettings,
) -> Result<(), Problem> {
    let host = host(uri, headers)?;
    let allowed = &settings.allowed_hosts;
    let is_ours = if allowed.is_empty() {
        LOOPBACK.iter().any(|own| is_host(own, &host))
    } else {
        allowed.iter().any(|own| is_host(own, &host))
    };
    if !is_ours {
        let message = "this host name is not served here; add it to the allowed hosts";
        return Err(Problem::refused(StatusCode::MISDIRECTED_REQUEST, message));
    }
    check_origin(headers, &host, settings)
}

/// HTTP/2 says it in the URI, HTTP/1.1 in `Host`; who says both says the same.
fn host(uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
    let bad = |message| Problem::refused(StatusCode::BAD_REQUEST, message);
    let mut values = headers.get_all(HOST).iter();
    let header = match (values.next(), values.next()) {
        (Some(value), None) => {
            let parsed = Authority::try_from(value.as_bytes());
            Some(parsed.or(Err(bad("the Host header is not a host")))?)
        }
        (None, _) => None,
        (Some(_), Some(_)) => return Err(bad("there is more than one Host header")),
    };
    let host = match (header, uri.authority()) {
        (Some(one), Some(two)) if one != *two => {
            return Err(bad("the Host header and the request's address differ"));
        }
        (Some(one), _) => one,
        (None, Some(two)) => two.clone(),
        (None, None) => return Err(bad("the Host header is missing")),
    };
    if host.as_str().contains('@') {
        return Err(bad("the Host header is not a host"));
    }
    Ok(host)
}

fn check_origin(
    headers: &HeaderMap,
    host: &Authority,
    settings: &RouteSettings,
) -> Result<(), Problem> {
    let mut values = headers.get_all(ORIGIN).iter();
    // Programs send none.
    let Some(origin) = values.next() else {
        return Ok(());
    };
    let origin = origin.to_str().ok().filter(|_| values.next().is_none());
    let is_allowed = origin.is_some_and(|origin| {
        let listed = settings.allowed_origins.iter();
        let own = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        listed.clone().any(|one| one == origin)
            || own.is_some_and(|own| own.eq_ignore_ascii_case(host.as_str()))
    });
    if is_allowed {
        return Ok(());
    }
    let message = "requests of this origin are not allowed here";
    Err(Problem::refused(StatusCode::FORBIDDEN, message))
}

fn is_host(own: &str, host: &Authority) -> bool {
    own.eq_ignore_ascii_case(host.host()) || own.eq_ignore_ascii_case(host.as_str())
}

const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check_all(headers: &[(&'static str, &'static str)], hosts: &[&str], expected: Option<u16>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let settings = RouteSettings {
            allowed_hosts: hosts.iter().map(ToString::to_string).collect(),
            allowed_origins: vec!["https://inspector.example".to_owned()],
            ..RouteSettings::default()
        };
        let uri = Uri::from_static("/notes/mcp");
        let status = check(&uri, &map, &settings)
            .err()
            .map(|problem| problem.status);
        assert_eq!(
            status.map(|status| status.as_u16()),
            expected,
            "{headers:?}"
        );
    }

    #[test]
    fn a149_hosts_that_are_not_ours_are_refused() {
        for host in ["127.0.0.1:7447", "localhost", "LOCALHOST:1", "[::1]:7447"] {
            check_all(&[("host", host)], &[], None);
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:7447",
            "localhost.",
            "0.0.0.0",
            "[::ffff:127.0.0.1]",
            "2130706433",
        ] {
            check_all(&[("host", host)], &[], Some(421));
        }
        check_all(&[("host", "gw.example")], &["gw.example"], None);
        check_all(&[("host", "gw.example:8443")], &["gw.example:8443"], None);
        check_all(
            &[("host", "gw.example:80")],
            &["gw.example:8443"],
            Some(421),
        );
        check_all(&[("host", "localhost")], &["gw.example"], Some(421));
    }

    #[test]
    fn a149_hosts_that_are_no_hosts_are_refused() {
        check_all(&[], &[], Some(400));
        check_all(
            &[("host", "localhost"), ("host", "localhost")],
            &[],
            Some(400),
        );
        for host in [
            "",
            "localhost@evil.example",
            "a b",
            "localhost/x",
            "user@localhost",
        ] {
            check_all(&[("host", host)], &[], Some(400));
        }
    }

    #[test]
    fn a149_origins_that_are_not_ours_are_refused() {
        let host = ("host", "127.0.0.1:7447");
        for origin in ["http://127.0.0.1:7447", "https://inspector.example"] {
            check_all(&[host, ("origin", origin)], &[], None);
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://127.0.0.1:9999",
            "http://localhost:7447",
            "https://inspector.example.evil.example",
            "127.0.0.1:7447",
        ] {
            check_all(&[host, ("origin", origin)], &[], Some(403));
        }
        let own = ("origin", "http://127.0.0.1:7447");
        check_all(&[host, own, own], &[], Some(403));
    }
}
