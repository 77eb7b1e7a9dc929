//! A minimal MCP client over the gateway's data path.

use bytes::Bytes;
use claviger_mcp::{AnswerReader, Dialogue, Outgoing, Response, code, version};
use claviger_server::{Gateway, McpRequest};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::exit::Exit;

pub(crate) mod refusal;
#[cfg(test)]
mod tests;

/// A conversation with one server.
#[derive(Debug)]
pub(crate) struct Conversation<'g> {
    gateway: &'g dyn Gateway,
    slug: &'g str,
    dialogue: Dialogue,
}

impl<'g> Conversation<'g> {
    /// Begins a conversation in revision `wanted`; without one, in whatever the server speaks.
    pub(crate) async fn begin(
        gateway: &'g dyn Gateway,
        slug: &'g str,
        wanted: Option<&str>,
    ) -> Result<Self, CommandError> {
        let first = wanted.unwrap_or(version::V2025_11_25);
        let mut this = Self {
            gateway,
            slug,
            dialogue: dialogue(first),
        };
        if this.dialogue.is_stateless() {
            return Ok(this);
        }
        let opening = this.dialogue.initialize();
        let (headers, response) = this.exchange(opening).await?;
        match response {
            Response::Result(result) => {
                this.dialogue.accept_initialize(&headers, &result);
                let follow_up = this.dialogue.initialized();
                drop(this.send(follow_up).await?);
                Ok(this)
            }
            // A server of the stateless era knows no `initialize`.
            Response::Error {
                code: UNKNOWN | UNSUPPORTED,
                ..
            } if wanted.is_none() => {
                this.dialogue = dialogue(version::V2026_07_28);
                Ok(this)
            }
            error @ Response::Error { .. } => Err(refusal::of(&error, slug)),
        }
    }

    /// All tools, page by page.
    pub(crate) async fn tools(&mut self) -> Result<Vec<Value>, CommandError> {
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let outgoing = self.dialogue.list_tools(cursor.as_deref());
            let result = match self.exchange(outgoing).await?.1 {
                Response::Result(result) if refusal::link(&result).is_none() => result,
                refused => return Err(refusal::of(&refused, self.slug)),
            };
            let page = result.get("tools").and_then(Value::as_array);
            tools.extend(page.into_iter().flatten().cloned());
            cursor = result
                .get("nextCursor")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(tools)
    }

    /// Calls a tool; the result may say that the tool failed.
    pub(crate) async fn call(
        &mut self,
        tool: &str,
        arguments: &Value,
    ) -> Result<Value, CommandError> {
        let outgoing = self.dialogue.call_tool(tool, arguments);
        match self.exchange(outgoing).await?.1 {
            Response::Result(result) if refusal::link(&result).is_none() => Ok(result),
            refused => Err(refusal::of(&refused, self.slug)),
        }
    }

    /// Ends the session, if there is one. The answer does not matter: the work is done.
    pub(crate) async fn end(self) {
        if let Some(headers) = self.dialogue.close() {
            let slug = self.slug.to_owned();
            let body = Bytes::new();
            let request = McpRequest {
                slug,
                method: Method::DELETE,
                headers,
                body,
            };
            drop(self.gateway.mcp(request).await);
        }
    }

    async fn send(
        &self,
        outgoing: Outgoing,
    ) -> Result<http::Response<claviger_ports::Body>, CommandError> {
        let request = McpRequest {
            slug: self.slug.to_owned(),
            method: Method::POST,
            headers: outgoing.headers,
            body: outgoing.body.into(),
        };
        Ok(self.gateway.mcp(request).await?)
    }

    /// Sends a request and reads until its answer is there.
    async fn exchange(&self, outgoing: Outgoing) -> Result<(HeaderMap, Response), CommandError> {
        let id = outgoing.id.unwrap_or_default();
        let (head, mut body) = self.send(outgoing).await?.into_parts();
        let content_type = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let reader = AnswerReader::new(content_type, id, MOST_BYTES);
        let mut reader = reader.map_err(|error| no_answer(head.status, &error, self.slug))?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| no_answer(head.status, &*error, self.slug))?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            let read = reader.push(data);
            let read = read.map_err(|error| no_answer(head.status, &error, self.slug))?;
            for other in reader.take_others() {
                self.decline(&other).await?;
            }
            if let Some(response) = read {
                return Ok((head.headers, response));
            }
        }
        let read = reader.finish();
        let response = read.map_err(|error| no_answer(head.status, &error, self.slug))?;
        Ok((head.headers, response))
    }

    /// Answers what the server asks of us meanwhile, so that it does not wait in vain.
    async fn decline(&self, message: &Value) -> Result<(), CommandError> {
        let (Some(id), Some(method)) = (message.get("id"), message.get("method")) else {
            return Ok(());
        };
        let answer = if method == "ping" {
            json!({ "jsonrpc": "2.0", "id": id, "result": {} })
        } else {
            let error = json!({ "code": code::METHOD_NOT_FOUND, "message": "not supported" });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        };
        let body = answer.to_string().into_bytes();
        let headers = self.dialogue.initialized().headers;
        drop(
            self.send(Outgoing {
                id: None,
                headers,
                body,
            })
            .await?,
        );
        Ok(())
    }
}

fn dialogue(version: &str) -> Dialogue {
    Dialogue::new(version, "claviger", env!("CARGO_PKG_VERSION"))
}

fn no_answer(
    status: StatusCode,
    error: &(dyn core::error::Error + 'static),
    slug: &str,
) -> CommandError {
    let message = match status {
        StatusCode::NOT_FOUND => format!("there is no MCP endpoint at the address of {slug}"),
        status => format!("{slug} gave no MCP answer (HTTP {})", status.as_u16()),
    };
    CommandError::new(Exit::UNREACHABLE, "bad_answer", message)
        .caused_by(error)
        .with_hint(format!(
            "`claviger doctor` with the URL of {slug} looks at it step by step"
        ))
        .about(slug)
}

const MOST_BYTES: usize = 32 * 1024 * 1024;
const MOST_PAGES: usize = 200;
const UNKNOWN: i64 = code::METHOD_NOT_FOUND;
const UNSUPPORTED: i64 = code::UNSUPPORTED_PROTOCOL_VERSION;
