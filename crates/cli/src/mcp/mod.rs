//! A minimal MCP client over the gateway's data path.

use bytes::Bytes;
use claviger_mcp::{
    AnswerReader, Dialogue, InvalidAnnotation, Outgoing, ParamHeaders, Response, code, version,
};
use claviger_server::{Gateway, McpRequest};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

pub(crate) mod elicitation;
pub(crate) mod refusal;
#[cfg(test)]
mod tests;

/// A conversation with one server.
#[derive(Debug)]
pub(crate) struct Conversation<'g> {
    gateway: &'g dyn Gateway,
    slug: &'g str,
    dialogue: Dialogue,
    /// Tools that a client of this revision must not use.
    left_out: Vec<String>,
}

impl<'g> Conversation<'g> {
    /// Begins a conversation in revision `wanted`; without one, in whatever the server speaks.
    async fn begin(
        gateway: &'g dyn Gateway,
        slug: &'g str,
        wanted: Option<&str>,
    ) -> Result<Self, CommandError> {
        let first = wanted.unwrap_or(version::V2025_11_25);
        let mut this = Self {
            gateway,
            slug,
            dialogue: dialogue(first),
            left_out: Vec::new(),
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
            // T-18: a server of the stateless era knows no `initialize`, and says so as it checks:
            // the header first (T-04), `_meta` (T-06), the revision, or the method.
            Response::Error {
                code: UNKNOWN | UNSUPPORTED | code::HEADER_MISMATCH | code::INVALID_PARAMS,
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
        self.left_out.clear();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let outgoing = self.dialogue.list_tools(cursor.as_deref());
            let result = match self.exchange(outgoing).await?.1 {
                Response::Result(result) if refusal::is_final(&result) => result,
                refused => return Err(refusal::of(&refused, self.slug)),
            };
            let page = result.get("tools").and_then(Value::as_array);
            for tool in page.into_iter().flatten() {
                if self.dialogue.is_stateless() && mirrored(tool).is_err() {
                    // T-10: a tool whose annotations cannot be followed must not be used.
                    self.left_out.push(name_of(tool).to_owned());
                } else {
                    tools.push(tool.clone());
                }
            }
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
        let mut response = self.exchange(outgoing).await?.1;
        if let Response::Error {
            code: code::HEADER_MISMATCH,
            ..
        } = response
            && let Some(mirrored) = self.mirrored(tool).await?
        {
            let outgoing = self.dialogue.call_mirrored_tool(tool, arguments, &mirrored);
            response = self.exchange(outgoing).await?.1;
        }
        match response {
            Response::Result(result) if refusal::is_final(&result) => Ok(result),
            refused => Err(refusal::of(&refused, self.slug)),
        }
    }

    /// Which arguments of a tool go into headers too. Only looked up when the server misses them:
    /// most tools have none, and a look at all of them costs a request.
    async fn mirrored(&mut self, tool: &str) -> Result<Option<ParamHeaders>, CommandError> {
        let tools = self.tools().await?;
        let found = tools.iter().find(|one| name_of(one) == tool);
        Ok(found.and_then(|tool| mirrored(tool).ok()))
    }

    /// Tools of the last list that a client of this revision must not use.
    pub(crate) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Ends the session, if there is one. The answer does not matter: the work is done.
    async fn end(self) {
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

/// Holds a conversation with a server, and ends it whatever came of it.
pub(crate) async fn converse<T>(
    ctx: &Context<'_>,
    slug: &str,
    wanted: Option<&str>,
    talk: impl AsyncFnOnce(&mut Conversation<'_>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let done = ctx
        .with_gateway(async |gateway| {
            let mut conversation = Conversation::begin(gateway, slug, wanted).await?;
            let done = talk(&mut conversation).await;
            conversation.end().await;
            done
        })
        .await;
    done.map_err(|error| error.about(slug))
}

fn name_of(tool: &Value) -> &str {
    tool.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn mirrored(tool: &Value) -> Result<ParamHeaders, InvalidAnnotation> {
    ParamHeaders::of(tool.get("inputSchema").unwrap_or(&Value::Null))
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
