//! Bounded requests: one connection, one answer, one deadline.

use core::time::Duration;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use claviger_ports::{Fetch, FetchError, FetchRequest, FetchResponse, Reach, Sink};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout, timeout_at};

use crate::Egress;
use crate::connector::EgressConnector;
use crate::limits::Limits;
use crate::read::Reader;
use crate::refusal::Refusal;
use crate::target::Target;
#[cfg(feature = "failpoints")]
use crate::watched;

#[async_trait]
impl Fetch for Egress {
    async fn fetch(
        &self,
        request: FetchRequest,
        reach: &Reach,
    ) -> Result<FetchResponse, FetchError> {
        let sink = request.sink;
        let answer = self.fetch_bounded(request, reach).await;
        if let Err(FetchError::Blocked { reason }) = &answer {
            tracing::warn!(?sink, reason, "refused to fetch an address");
        }
        answer
    }
}

// === impl Egress ===

impl Egress {
    async fn fetch_bounded(
        &self,
        request: FetchRequest,
        reach: &Reach,
    ) -> Result<FetchResponse, FetchError> {
        let limits = Limits::of(request.sink, &self.settings);
        let deadline = Instant::now() + limits.total;
        let target = Target::check(&request.url, reach, &self.settings.extra_ports)?;
        // A flood waits here and gives up unsent, while there is still time to be sent.
        let patience = Instant::now() + limits.total / 2;
        let _turn = timeout_at(patience, self.turns.take(request.sink))
            .await
            .unwrap_or(Err(FetchError::Connect {
                reason: "too many requests at once",
            }))?;
        #[cfg(feature = "failpoints")]
        let is_refresh = watched::is_refresh(&request);
        let request = outbound(request, &target)?;
        let exchange = self.exchange(request, reach);
        #[cfg(feature = "failpoints")]
        let exchange = watched::watched(is_refresh, exchange);
        let Ok(response) = timeout_at(deadline, Box::pin(exchange)).await else {
            return Err(FetchError::Timeout);
        };
        self.read(response?, limits, deadline).await
    }

    // A087, A144: a client of its own for each request, so there is no connection left to reuse and
    // nothing that could be sent twice.
    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        reach: &Reach,
    ) -> Result<Response<Incoming>, FetchError> {
        let connector = EgressConnector::new(Arc::clone(&self.door), reach.clone());
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(MAX_HEADER_LIST_BYTES)
            .build(connector);
        client
            .request(request)
            .await
            .map_err(|error| match Refusal::within(&error) {
                Some(refusal) => refusal.into(),
                None => FetchError::Broken,
            })
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        limits: Limits,
        deadline: Instant,
    ) -> Result<FetchResponse, FetchError> {
        let (mut head, mut body) = response.into_parts();
        let Some(mut reader) = Reader::new(&head.headers, limits.body_bytes) else {
            return Err(FetchError::Broken);
        };
        if limits.is_head_enough {
            // The answer may be a stream of events that never ends; its beginning will do.
            let span = self.probe_span(deadline);
            let (Ok(_) | Err(_)) = timeout(span, reader.read(&mut body)).await;
        } else {
            let read = timeout_at(deadline, reader.read(&mut body)).await;
            read.unwrap_or(Err(FetchError::Timeout))?;
        }
        // They describe the body as it traveled.
        head.headers.remove(header::CONTENT_ENCODING);
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::TRANSFER_ENCODING);
        Ok(FetchResponse {
            status: head.status,
            headers: head.headers,
            body: reader.taken(),
        })
    }

    fn probe_span(&self, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(Instant::now());
        left.min(self.settings.probe_body_timeout)
    }
}

fn outbound(request: FetchRequest, target: &Target) -> Result<Request<Full<Bytes>>, FetchError> {
    let mut outbound = Request::new(Full::new(request.body.unwrap_or_default()));
    *outbound.method_mut() = request.method;
    *outbound.uri_mut() = target.uri()?;
    *outbound.headers_mut() = headers(request.sink, &request.headers);
    Ok(outbound)
}

// A fixed list: what a caller forgot to take out does not leave by accident.
fn headers(sink: Sink, given: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let accept = match sink {
        Sink::Probe => "application/json, text/event-stream",
        _ => "application/json",
    };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    // The beginning of a compressed stream is worth nothing to a probe.
    let encoding = if sink == Sink::Probe {
        "identity"
    } else {
        "gzip"
    };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    headers.insert(header::USER_AGENT, USER_AGENT);
    for name in PASSED_ON {
        if given.contains_key(&name) {
            headers.remove(&name);
        }
        for value in given.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    headers
}

const USER_AGENT: HeaderValue = HeaderValue::from_static("claviger");

const PASSED_ON: [HeaderName; 9] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("dpop"),
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("mcp-protocol-version"),
];

const MAX_HEAD_BYTES: usize = 64 * 1_024;
const MAX_HEADERS: usize = 100;
const MAX_HEADER_LIST_BYTES: u32 = 64 * 1_024;

#[cfg(test)]
mod tests {
    use claviger_ports::Sink;
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::headers;

    #[test]
    fn only_listed_headers_leave() {
        let mut given = HeaderMap::new();
        for name in [
            "authorization",
            "content-type",
            "cookie",
            "forwarded",
            "host",
            "mcp-session-id",
            "proxy-authorization",
            "transfer-encoding",
            "x-api-key",
            "x-forwarded-for",
        ] {
            given.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static("value"),
            );
        }
        let mut names: Vec<String> = headers(Sink::Token, &given)
            .keys()
            .map(ToString::to_string)
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "accept",
                "accept-encoding",
                "authorization",
                "content-type",
                "user-agent"
            ]
        );
    }

    #[test]
    fn a_caller_may_say_what_it_accepts() {
        let mut given = HeaderMap::new();
        given.insert("accept", HeaderValue::from_static("application/jwt"));
        let headers = headers(Sink::KeySet, &given);
        assert_eq!(headers.get_all("accept").iter().count(), 1);
        assert_eq!(headers["accept"], "application/jwt");
    }
}
