//! Finds the answer to one request of ours in a JSON body or in a stream of events.

use serde_json::Value;

use crate::{SseEvent, SseParser};

/// What a server answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// An error.
    Error {
        /// The code.
        code: i64,
        /// The server's words.
        message: String,
        /// More of them.
        data: Option<Value>,
    },
    /// A result.
    Result(Value),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The answer is neither JSON nor a stream of events.
    #[error("the server answered with neither JSON nor a stream of events")]
    ContentType,
    /// The answer is not JSON-RPC.
    #[error("the server's answer is not JSON-RPC")]
    Malformed,
    /// The stream or body ended without an answer to the request.
    #[error("the server ended its answer before it was complete")]
    Missing,
    /// The answer exceeds the limit.
    #[error("the server's answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Reads one answer piece by piece.
#[derive(Debug)]
pub struct AnswerReader {
    id: u64,
    limit: usize,
    form: Form,
    others: Vec<Value>,
}

#[derive(Debug)]
enum Form {
    Json(Vec<u8>),
    Stream(Box<SseParser>),
}

impl AnswerReader {
    /// A reader for the answer to request `id`, given the answer's `Content-Type`.
    pub fn new(content_type: Option<&str>, id: u64, limit: usize) -> Result<Self, AnswerError> {
        let essence = content_type.and_then(|text| text.split(';').next());
        let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
        let form = match essence.as_str() {
            "application/json" => Form::Json(Vec::new()),
            "text/event-stream" => Form::Stream(Box::new(SseParser::new(limit))),
            _ => return Err(AnswerError::ContentType),
        };
        Ok(Self {
            id,
            limit,
            form,
            others: Vec::new(),
        })
    }

    /// Reads the next piece; gives the answer as soon as it is complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Response>, AnswerError> {
        let limit = self.limit;
        match &mut self.form {
            Form::Json(body) => {
                body.extend_from_slice(bytes);
                if body.len() > limit {
                    return Err(AnswerError::TooLarge { limit });
                }
                Ok(None)
            }
            Form::Stream(parser) => {
                let mut events = Vec::new();
                let read = parser.push(bytes, &mut events);
                read.map_err(|error| AnswerError::TooLarge { limit: error.limit })?;
                self.read_events(&events)
            }
        }
    }

    /// Says that nothing follows.
    pub fn finish(mut self) -> Result<Response, AnswerError> {
        let Form::Json(body) = core::mem::replace(&mut self.form, Form::Json(Vec::new())) else {
            return Err(AnswerError::Missing);
        };
        let value = serde_json::from_slice(&body).or(Err(AnswerError::Malformed))?;
        self.read_value(value)?.ok_or(AnswerError::Missing)
    }

    /// What came besides the answer: notifications, and requests of the server.
    pub fn take_others(&mut self) -> Vec<Value> {
        core::mem::take(&mut self.others)
    }

    fn read_events(&mut self, events: &[SseEvent]) -> Result<Option<Response>, AnswerError> {
        for event in events {
            // An event without data primes the stream for resumption (2025-11-25).
            if event.data.is_empty() || !matches!(event.event.as_str(), "" | "message") {
                continue;
            }
            let value = serde_json::from_str(&event.data).or(Err(AnswerError::Malformed))?;
            if let Some(response) = self.read_value(value)? {
                return Ok(Some(response));
            }
        }
        Ok(None)
    }

    fn read_value(&mut self, value: Value) -> Result<Option<Response>, AnswerError> {
        let Value::Object(mut members) = value else {
            return Err(AnswerError::Malformed);
        };
        let error = members.get("error");
        let id = members.get("id").unwrap_or(&Value::Null);
        // A server that could not read the request cannot know its id.
        let is_ours = id.as_u64() == Some(self.id) || (id.is_null() && error.is_some());
        if !is_ours || members.contains_key("method") {
            if self.others.len() < MAX_OTHERS {
                self.others.push(Value::Object(members));
            }
            return Ok(None);
        }
        if let Some(error) = error {
            let message = error.get("message").and_then(Value::as_str);
            return Ok(Some(Response::Error {
                code: error
                    .get("code")
                    .and_then(Value::as_i64)
                    .unwrap_or_default(),
                message: message.unwrap_or_default().to_owned(),
                data: error.get("data").cloned(),
            }));
        }
        let result = members.remove("result").ok_or(AnswerError::Malformed)?;
        Ok(Some(Response::Result(result)))
    }
}

const MAX_OTHERS: usize = 256;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const JSON: Option<&str> = Some("application/json; charset=utf-8");
    const SSE: Option<&str> = Some("text/event-stream");

    #[test]
    fn reads_a_json_answer() {
        let mut reader = AnswerReader::new(JSON, 3, 1000).unwrap();
        assert_eq!(reader.push(br#"{"jsonrpc":"2.0","id":3,"#).unwrap(), None);
        assert_eq!(reader.push(br#""result":{"a":1}}"#).unwrap(), None);
        assert_eq!(reader.finish().unwrap(), Response::Result(json!({"a": 1})));
    }

    #[test]
    fn reads_an_error_without_an_id() {
        let mut reader = AnswerReader::new(JSON, 3, 1000).unwrap();
        let body = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"m"}}"#;
        assert_eq!(reader.push(body).unwrap(), None);
        let error = Response::Error {
            code: -32020,
            message: "m".to_owned(),
            data: None,
        };
        assert_eq!(reader.finish().unwrap(), error);
    }

    #[test]
    fn finds_the_answer_among_events() {
        let mut reader = AnswerReader::new(SSE, 3, 1000).unwrap();
        let stream = b"id: 1\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n\
            data: {\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n\n\
            data: {\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}\n\n";
        assert_eq!(reader.push(stream).unwrap(), None);
        let answer = b"data: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"b\":2}}\n\n";
        assert_eq!(
            reader.push(answer).unwrap(),
            Some(Response::Result(json!({"b": 2})))
        );
        assert_eq!(reader.take_others().len(), 3);
        assert_eq!(reader.finish(), Err(AnswerError::Missing));
    }

    #[test]
    fn refuses_other_types_and_too_much() {
        for other in [None, Some("text/html"), Some("")] {
            let refused = AnswerReader::new(other, 1, 10).err();
            assert_eq!(refused, Some(AnswerError::ContentType));
        }
        for form in [JSON, SSE] {
            let mut reader = AnswerReader::new(form, 1, 10).unwrap();
            let refused = reader.push(b"data: 0123456789").err();
            assert_eq!(refused, Some(AnswerError::TooLarge { limit: 10 }));
        }
    }
}
