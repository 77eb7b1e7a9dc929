//! Which headers of a caller go on to the upstream.

use claviger_broker::Attachment;
use claviger_mcp::Era;
use claviger_mcp::header::{LAST_EVENT_ID, MCP_PARAM_PREFIX, MCP_SESSION_ID};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderMap};
use http::{HeaderValue, Method};

use crate::echo;

/// The headers of the upstream request, without the credential.
///
/// A list of what may pass, not of what may not: cookies, `Proxy-*`, forwarding and identity
/// headers, method overrides and whatever somebody's framework trusts tomorrow stay here without
/// being named (A146, A147, A161, A164, A166).
pub(crate) fn forwarded(
    caller: &HeaderMap,
    method: &Method,
    era: Era,
    session: Option<&HeaderValue>,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    let named = named_by_connection(caller);
    for (name, value) in caller {
        let is_kept = may_pass(name.as_str(), method, era, session.is_some());
        if is_kept && !named.iter().any(|one| one == name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    // A142: not even in a header that is meant to pass.
    echo::strip(&mut headers, caller.get_all(AUTHORIZATION).iter());
    if let (Era::Legacy, Some(session)) = (era, session) {
        headers.insert(MCP_SESSION_ID, session.clone());
    }
    // What comes back is looked at by its type and passed on as it is, never decoded.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

/// Puts the credential on, last, so that nothing of the caller's stands beside it (A145).
pub(crate) fn attach(headers: &mut HeaderMap, attachment: &Attachment) {
    for (name, _) in &attachment.headers {
        headers.remove(name);
    }
    for (name, value) in &attachment.headers {
        headers.append(name.clone(), value.clone());
    }
}

fn may_pass(name: &str, method: &Method, era: Era, has_session: bool) -> bool {
    // G-05, P-16: mirrored arguments go on untouched, also those nobody here knows. Their own part
    // of the name may hold `_`, which elsewhere is a disguise of `-` to some servers (A146).
    if name
        .strip_prefix(MCP_PARAM_PREFIX)
        .is_some_and(|rest| !rest.is_empty())
    {
        return true;
    }
    if name == LAST_EVENT_ID.as_str() {
        // A155: without a session that is the caller's own, an event id may be anybody's.
        return era == Era::Legacy && has_session;
    }
    if name == "content-type" {
        return method == Method::POST;
    }
    PASSED.contains(&name)
}

/// RFC 9110 §7.6.1: what `Connection` names is for us alone.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

/// The length of the body that follows, so that it is not sent in chunks.
pub(crate) fn set_length(headers: &mut HeaderMap, length: usize) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}

const PASSED: [&str; 9] = [
    "accept",
    "accept-language",
    "baggage",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "traceparent",
    "tracestate",
    "user-agent",
];

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    fn passed(headers: &[(&str, &str)], era: Era) -> Vec<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let session = HeaderValue::from_static("raw");
        let passed = forwarded(&map, &Method::POST, era, Some(&session));
        let mut names: Vec<String> = passed.keys().map(ToString::to_string).collect();
        names.retain(|name| !matches!(name.as_str(), "accept-encoding" | "mcp-session-id"));
        names.sort();
        names
    }

    #[test]
    fn a145_what_connection_names_stays_here() {
        let headers = [
            ("connection", "keep-alive, Traceparent"),
            ("connection", "authorization,x-forwarded-user"),
            ("traceparent", "00-1"),
            ("accept", "*/*"),
        ];
        assert_eq!(passed(&headers, Era::Modern), ["accept"]);
    }

    #[test]
    fn a146_a147_a164_a166_nobody_is_impersonated_by_header() {
        for name in [
            "X_Forwarded_User",
            "Mcp_Session_Id",
            "Mcp_Method",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Uri",
            "X-Forwarded-Proto",
            "X-Forwarded-User",
            "Forwarded",
            "X-Real-Ip",
            "Via",
            "mcp-init-host",
            "router-key",
            "x-internal-user",
            "Cookie",
            "Proxy-Authorization",
            "Proxy-Connection",
            "Authorization",
            "Host",
            "Origin",
            "Referer",
            "X-HTTP-Method-Override",
            "Upgrade",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Content-Length",
            "Keep-Alive",
            "Expect",
        ] {
            assert!(passed(&[(name, "x")], Era::Legacy).is_empty(), "{name}");
        }
    }

    #[test]
    fn g05_p16_headers_of_mcp_go_on() {
        let headers = [
            ("mcp-param-user_id", "1"),
            ("Mcp-Param-Region", "=?base64?w6k=?="),
            ("mcp-method", "tools/call"),
            ("mcp-name", "a"),
            ("mcp-protocol-version", "2026-07-28"),
            ("last-event-id", "7"),
            ("content-type", "application/json"),
        ];
        assert_eq!(passed(&headers, Era::Legacy).len(), headers.len());
        // T-02: the modern era knows no resumption.
        assert_eq!(passed(&headers, Era::Modern).len(), headers.len() - 1);
    }

    #[test]
    fn a145_the_credential_stands_alone() {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_static("callers"));
        let attachment = Attachment {
            headers: vec![(
                HeaderName::from_static("x-api-key"),
                HeaderValue::from_static("ours"),
            )],
            mark: None,
        };
        attach(&mut headers, &attachment);
        let values: Vec<_> = headers.get_all("x-api-key").iter().collect();
        assert_eq!(values, ["ours"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a142_the_callers_token_goes_up_in_no_header(
            names in proptest::collection::vec(
                prop_oneof![
                    "[a-z][a-z0-9_-]{0,12}",
                    proptest::sample::select(&PASSED[..]).prop_map(str::to_owned),
                    proptest::sample::select(&["authorization", "cookie", "mcp-param-x", "connection"][..])
                        .prop_map(str::to_owned),
                ],
                0..8,
            ),
            values in proptest::collection::vec("[ -~]{0,6}(callers-token)?[ -~]{0,6}", 8),
            is_modern in any::<bool>(),
        ) {
            let mut map = HeaderMap::new();
            map.insert(AUTHORIZATION, HeaderValue::from_static("Bearer callers-token"));
            for (name, value) in names.iter().zip(&values) {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                map.append(name, HeaderValue::from_str(value).unwrap());
            }
            let era = if is_modern { Era::Modern } else { Era::Legacy };
            for (name, value) in &forwarded(&map, &Method::POST, era, None) {
                prop_assert!(!echo::holds(value, b"callers-token"), "{}", name);
                prop_assert!(!name.as_str().contains('_') || name.as_str().starts_with("mcp-param-"));
            }
        }
    }
}
