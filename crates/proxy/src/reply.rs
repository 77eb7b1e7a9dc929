//! Answers of our own: JSON, never cached, never a page.

use bytes::Bytes;
use claviger_mcp::answer;
use claviger_mcp::code;
use claviger_ports::{Body, empty_body, full_body};
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::Value;
use serde_json::value::RawValue;

/// An answer that says why a request goes no further.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
    pub(crate) retry_after_s: Option<u32>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            data: None,
            retry_after_s: None,
        }
    }

    /// A request we refuse before anything was forwarded.
    pub(crate) fn refused(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, code::REFUSED, message)
    }

    #[must_use]
    pub(crate) fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The answer to request `id`; T-22: errors carry the id of what they answer.
    pub(crate) fn answer(self, id: Option<&RawValue>) -> Response<Body> {
        let text = answer::error(id, self.code, &self.message, self.data);
        let mut response = json(self.status, text);
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON body of ours.
pub(crate) fn json(status: StatusCode, text: String) -> Response<Body> {
    let bytes = Bytes::from(text);
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(full_body(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length);
    harden(headers);
    response
}

/// A status without a body.
pub(crate) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = status;
    harden(response.headers_mut());
    response
}

/// A160: whatever comes out of here is no page of ours, whoever wrote it.
pub(crate) fn harden(headers: &mut HeaderMap) {
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
