//! The demo's tools, on rmcp's server.

use core::fmt;
use std::sync::Arc;

use claviger_guard::Caller;
use http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use super::counters::Counters;

/// Three tools: `whoami`, `add` and `notes_list`.
#[derive(Clone)]
pub(super) struct DemoTools {
    counters: Arc<Counters>,
}

// === impl DemoTools ===

impl DemoTools {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self { counters }
    }
}

impl ServerHandler for DemoTools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(
                "claviger-demo",
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions("A protected demo server. It keeps a few notes and can add.")
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<Parts>();
        let Some(caller) = parts.and_then(|parts| parts.extensions.get::<Caller>()) else {
            // A162: behind the guard there is always a caller; without one nothing runs.
            return Err(ErrorData::internal_error("no guard in front", None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let text = match &*request.name {
            "whoami" => whoami(caller),
            "add" => match add(&arguments) {
                Some(sum) => sum.to_string(),
                None => {
                    return Ok(wrong(
                        "a and b must be whole numbers, and so must their sum",
                    ));
                }
            },
            "notes_list" => NOTES.join("\n"),
            _ => return Err(ErrorData::invalid_params("no such tool", None)),
        };
        self.counters.called();
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

impl fmt::Debug for DemoTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoTools").finish_non_exhaustive()
    }
}

const NOTES: [&str; 3] = [
    "The key hangs behind the door.",
    "Ask the porter for the second one.",
    "He never lends it to the same stranger twice.",
];

fn whoami(caller: &Caller) -> String {
    json!({
        "subject": caller.user().as_str(),
        "client": caller.client(),
        "scopes": caller.scopes().to_string(),
    })
    .to_string()
}

fn add(arguments: &JsonObject) -> Option<i64> {
    let number = |name: &str| arguments.get(name).and_then(Value::as_i64);
    number("a")?.checked_add(number("b")?)
}

fn wrong(text: &str) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(text)]).into()
}

fn tools() -> Vec<Tool> {
    let number = json!({"type": "integer"});
    vec![
        Tool::new(
            "whoami",
            "Says for whom the token speaks and what it allows.",
            schema(&json!({})),
        ),
        Tool::new(
            "add",
            "Adds two whole numbers.",
            schema(&json!({"a": number, "b": number})),
        ),
        Tool::new("notes_list", "Lists the notes.", schema(&json!({}))),
    ]
}

fn schema(properties: &Value) -> JsonObject {
    let required: Vec<&String> = properties
        .as_object()
        .map(|members| members.keys().collect())
        .unwrap_or_default();
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("required".to_owned(), json!(required));
    schema.insert("properties".to_owned(), properties.clone());
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}
