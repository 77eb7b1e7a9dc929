//! The way out, watched: what it refuses stands in the audit log, by host and rule.
//!
//! Whoever names addresses can have as many refused as they like, so this is noticed and not told:
//! the log counts what happens again.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_broker::{Act, Auditor, Came, Note};
use claviger_ports::{
    Body, Fetch, FetchError, FetchRequest, FetchResponse, Forward, ForwardError, Reach, Sink,
};
use http::{Request, Response};

/// A door to the outside, and who is told of what it refuses.
pub(crate) struct Watched<D: ?Sized> {
    pub(crate) door: Arc<D>,
    pub(crate) audit: Arc<Auditor>,
}

#[async_trait]
impl<D: Fetch + ?Sized> Fetch for Watched<D> {
    async fn fetch(
        &self,
        request: FetchRequest,
        reach: &Reach,
    ) -> Result<FetchResponse, FetchError> {
        let (sink, url) = (request.sink, request.url.clone());
        let answer = self.door.fetch(request, reach).await;
        if let Err(FetchError::Blocked { reason }) = &answer {
            self.audit.notice(refused(host_of(&url), sink, reason));
        }
        answer
    }
}

#[async_trait]
impl<D: Forward + ?Sized> Forward for Watched<D> {
    async fn forward(
        &self,
        request: Request<Body>,
        reach: &Reach,
    ) -> Result<Response<Body>, ForwardError> {
        // Shared, not copied.
        let uri = request.uri().clone();
        let answer = self.door.forward(request, reach).await;
        if let Err(ForwardError::Blocked { reason }) = &answer {
            let host = uri.host().unwrap_or(UNREADABLE);
            self.audit.notice(refused(host, Sink::Upstream, reason));
        }
        answer
    }
}

/// What is said of an address without a host.
const UNREADABLE: &str = "unreadable";

fn refused(host: &str, sink: Sink, reason: &'static str) -> Note {
    Note::new(Act::EgressBlocked, host.to_lowercase())
        .came(Came::Refused)
        .with("for", word(sink))
        .with("reason", reason)
}

/// The host of an address as it was written. It is refused, so it may be anything: user name,
/// password, path and query are left out, for they may be secrets of somebody.
fn host_of(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else {
        return UNREADABLE;
    };
    let end = |char: char| matches!(char, '/' | '\\' | '?' | '#');
    let authority = rest.split(end).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() { UNREADABLE } else { host }
}

const fn word(sink: Sink) -> &'static str {
    match sink {
        Sink::AuthorizationPage => "authorization_page",
        Sink::ClientDocument => "client_document",
        Sink::IssuerMetadata => "issuer_metadata",
        Sink::KeySet => "key_set",
        Sink::Probe => "probe",
        Sink::Registration => "registration",
        Sink::ResourceMetadata => "resource_metadata",
        Sink::Revocation => "revocation",
        Sink::Token => "token",
        Sink::Upstream => "upstream",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_all_that_is_said_of_an_address() {
        for (url, host) in [
            ("https://evil.example/a?code=secret#x", "evil.example"),
            (
                "https://user:secret@evil.example:8443/",
                "evil.example:8443",
            ),
            ("http://[::1]:80", "[::1]:80"),
            ("http://169.254.169.254\\@good.example/", "169.254.169.254"),
            ("https://?x", UNREADABLE),
            ("javascript:alert(1)", UNREADABLE),
            ("", UNREADABLE),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }
}
