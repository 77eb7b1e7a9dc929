//! A plain MCP client in front of the gateway, with the local API token and nothing else.

use claviger_crypto::Secret;
use claviger_mcp::{AnswerError, AnswerReader, Dialogue, Outgoing, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::places::{PlacesError, read_secret_file};
use crate::serve::Ready;

/// The client.
pub(super) struct Caller {
    authority: String,
    token: Secret,
    dialogue: Dialogue,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallerError {
    /// The token file.
    #[error("the token file cannot be read")]
    Token {
        /// The cause.
        #[source]
        source: PlacesError,
    },
    /// The connection.
    #[error("the gateway could not be reached")]
    Http {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer.
    #[error("the answer could not be read (status {status})")]
    Answer {
        /// Its status.
        status: StatusCode,
        /// The cause.
        #[source]
        source: AnswerError,
    },
    /// The server said no.
    #[error("the answer is an error: {message}")]
    Refused {
        /// Its words.
        message: String,
        /// Its details.
        data: Value,
    },
}

/// More than any answer of the demo.
const LIMIT: usize = 1 << 20;

// === impl Caller ===

impl Caller {
    pub(super) fn new(ready: &Ready) -> Result<Self, CallerError> {
        let token = read_secret_file(&ready.token_file)
            .map_err(|source| CallerError::Token { source })?
            .unwrap_or_else(|| Secret::new(""));
        Ok(Self {
            authority: ready.address.to_string(),
            token: Secret::new(token.expose().trim()),
            dialogue: Dialogue::new("2025-11-25", "claviger-demo", env!("CARGO_PKG_VERSION")),
        })
    }

    /// The token, shortened for showing.
    pub(super) fn shown_token(&self) -> String {
        let start: String = self.token.expose().chars().take(11).collect();
        format!("{start}…")
    }

    /// Opens a conversation.
    pub(super) async fn begin(&mut self, slug: &str) -> Result<(), CallerError> {
        let outgoing = self.dialogue.initialize();
        let (headers, result) = self.send(slug, outgoing).await?;
        self.dialogue.accept_initialize(&headers, &result);
        let initialized = self.dialogue.initialized();
        self.send(slug, initialized).await?;
        Ok(())
    }

    pub(super) async fn tools(&mut self, slug: &str) -> Result<Vec<String>, CallerError> {
        let outgoing = self.dialogue.list_tools(None);
        let (_, result) = self.send(slug, outgoing).await?;
        let names = result["tools"].as_array().into_iter().flatten();
        Ok(names
            .filter_map(|tool| Some(tool["name"].as_str()?.to_owned()))
            .collect())
    }

    /// Calls a tool; the text of its answer.
    pub(super) async fn call(
        &mut self,
        slug: &str,
        tool: &str,
        arguments: &Value,
    ) -> Result<String, CallerError> {
        let outgoing = self.dialogue.call_tool(tool, arguments);
        let (_, result) = self.send(slug, outgoing).await?;
        Ok(text_of(&result))
    }

    /// Calls a tool several times at once.
    pub(super) async fn call_many(
        &mut self,
        slug: &str,
        tool: &str,
        arguments: &Value,
        times: usize,
    ) -> Result<Vec<String>, CallerError> {
        let outgoing: Vec<_> = (0..times)
            .map(|_| self.dialogue.call_tool(tool, arguments))
            .collect();
        let sending = outgoing
            .into_iter()
            .map(|outgoing| self.send(slug, outgoing));
        let answers = futures_util::future::try_join_all(sending).await?;
        Ok(answers.iter().map(|(_, result)| text_of(result)).collect())
    }

    async fn send(
        &self,
        slug: &str,
        outgoing: Outgoing,
    ) -> Result<(HeaderMap, Value), CallerError> {
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| CallerError::Http { source };
        let mut request = Request::post(format!("/{slug}/mcp"))
            .body(Full::new(Bytes::from(outgoing.body)))
            .map_err(|error| failed(error.into()))?;
        *request.headers_mut() = outgoing.headers;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose()))
            .map_err(|error| failed(error.into()))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let host = HeaderValue::from_str(&self.authority).map_err(|error| failed(error.into()))?;
        request.headers_mut().insert(HOST, host);

        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(|error| failed(error.into()))?;
        stream
            .set_nodelay(true)
            .map_err(|error| failed(error.into()))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(error.into()))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            Ok::<_, hyper::Error>((head, body.collect().await?.to_bytes()))
        };
        // The connection lives as long as the exchange needs it.
        let (head, body) = tokio::select! {
            answered = exchange => answered.map_err(|error| failed(error.into()))?,
            ended = connection => {
                let why = ended.err().map_or_else(|| "the gateway hung up".into(), Into::into);
                return Err(failed(why));
            }
        };
        let Some(id) = outgoing.id else {
            return Ok((head.headers, Value::Null));
        };
        let answer = |source| CallerError::Answer {
            status: head.status,
            source,
        };
        let content_type = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let mut reader = AnswerReader::new(content_type, id, LIMIT).map_err(answer)?;
        let read = match reader.push(&body).map_err(answer)? {
            Some(read) => read,
            None => reader.finish().map_err(answer)?,
        };
        match read {
            Response::Result(result) => Ok((head.headers, result)),
            Response::Error { message, data, .. } => Err(CallerError::Refused {
                message,
                data: data.unwrap_or_else(|| json!({})),
            }),
        }
    }
}

fn text_of(result: &Value) -> String {
    result["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
