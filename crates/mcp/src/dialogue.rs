//! A minimal caller of MCP servers, without hands: it writes requests and is told the answers.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::header::{MCP_METHOD, MCP_NAME, MCP_PROTOCOL_VERSION, MCP_SESSION_ID, encode};
use crate::{ParamHeaders, version};

/// One request to be sent by `POST`.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The JSON-RPC id; `None` for a notification.
    pub id: Option<u64>,
    /// Headers that belong to it; the credential is not among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// One caller's side of a conversation, in either era.
#[derive(Debug, Clone)]
pub struct Dialogue {
    version: String,
    client: Value,
    capabilities: Value,
    session: Option<HeaderValue>,
    is_open: bool,
    last_id: u64,
}

impl Dialogue {
    /// Begins a conversation in protocol revision `version`, as client `name`.
    pub fn new(version: &str, name: &str, client_version: &str) -> Self {
        Self {
            version: version.to_owned(),
            client: json!({ "name": name, "version": client_version }),
            capabilities: json!({}),
            session: None,
            is_open: false,
            last_id: 0,
        }
    }

    /// Declares that this caller can show a URL to a person.
    #[must_use]
    pub fn with_url_elicitation(mut self) -> Self {
        self.capabilities = json!({ "elicitation": { "url": {} } });
        self
    }

    /// The protocol revision in use.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether requests stand alone: no `initialize`, no session.
    pub fn is_stateless(&self) -> bool {
        version::is_modern(&self.version)
    }

    /// The first request of a conversation with sessions.
    pub fn initialize(&mut self) -> Outgoing {
        self.session = None;
        self.is_open = false;
        let params = json!({
            "protocolVersion": self.version,
            "capabilities": self.capabilities,
            "clientInfo": self.client,
        });
        self.write("initialize", params)
    }

    /// Takes the answer to `initialize`: the server's revision and session hold from here.
    pub fn accept_initialize(&mut self, headers: &HeaderMap, result: &Value) {
        if let Some(version) = result.get("protocolVersion").and_then(Value::as_str) {
            version.clone_into(&mut self.version);
        }
        self.session = headers.get(MCP_SESSION_ID).cloned();
        self.is_open = true;
    }

    /// What follows the answer to `initialize`.
    pub fn initialized(&self) -> Outgoing {
        let body = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        Outgoing {
            id: None,
            headers: self.headers("notifications/initialized", None),
            body: body.to_string().into_bytes(),
        }
    }

    /// Asks for a page of tools.
    pub fn list_tools(&mut self, cursor: Option<&str>) -> Outgoing {
        let params = cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        self.write("tools/list", params)
    }

    /// Calls a tool.
    pub fn call_tool(&mut self, name: &str, arguments: &Value) -> Outgoing {
        self.write(
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        )
    }

    /// Calls a tool whose schema mirrors arguments into headers; others ignore them (T-10).
    pub fn call_mirrored_tool(
        &mut self,
        name: &str,
        arguments: &Value,
        mirrored: &ParamHeaders,
    ) -> Outgoing {
        let mut call = self.call_tool(name, arguments);
        if self.is_stateless() {
            call.headers.extend(mirrored.headers(arguments));
        }
        call
    }

    /// Any other request.
    pub fn request(&mut self, method: &str, params: Value) -> Outgoing {
        self.write(method, params)
    }

    /// Headers of the `DELETE` that ends the session; `None` where there is none.
    pub fn close(&self) -> Option<HeaderMap> {
        self.session.as_ref()?;
        let mut headers = self.headers("", None);
        headers.remove(CONTENT_TYPE);
        Some(headers)
    }

    fn write(&mut self, method: &str, mut params: Value) -> Outgoing {
        self.last_id += 1;
        let is_stateless = self.is_stateless();
        if let (true, Some(members)) = (is_stateless, params.as_object_mut()) {
            // T-06: what a session used to hold travels with every request.
            let meta = members.entry("_meta").or_insert_with(|| json!({}));
            if let Some(meta) = meta.as_object_mut() {
                meta.insert(key("protocolVersion"), json!(self.version));
                meta.insert(key("clientCapabilities"), self.capabilities.clone());
                meta.insert(key("clientInfo"), self.client.clone());
            }
        }
        let name = params.get("name").or_else(|| params.get("uri"));
        let headers = self.headers(method, name.and_then(Value::as_str));
        let body = json!({
            "jsonrpc": "2.0",
            "id": self.last_id,
            "method": method,
            "params": params,
        });
        Outgoing {
            id: Some(self.last_id),
            headers,
            body: body.to_string().into_bytes(),
        }
    }

    fn headers(&self, method: &str, name: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(ACCEPT, both);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.is_stateless() {
            set(&mut headers, MCP_PROTOCOL_VERSION, &self.version);
            set(&mut headers, MCP_METHOD, method);
            // T-04: these three mirror a name, others mirror none.
            if let ("tools/call" | "prompts/get" | "resources/read", Some(name)) = (method, name) {
                set(&mut headers, MCP_NAME, &encode(name));
            }
            return headers;
        }
        // The header exists since 2025-06-18, and names the revision that was agreed upon.
        if self.is_open && self.version.as_str() >= version::V2025_06_18 {
            set(&mut headers, MCP_PROTOCOL_VERSION, &self.version);
        }
        if let Some(session) = &self.session {
            headers.insert(MCP_SESSION_ID, session.clone());
        }
        headers
    }
}

fn key(name: &str) -> String {
    format!("io.modelcontextprotocol/{name}")
}

/// Leaves out a value that no header can hold; the server then says what is missing.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Era, Message, check_mirrored};

    #[test]
    fn t04_t06_stateless_requests_satisfy_our_own_check() {
        let mut dialogue = Dialogue::new("2026-07-28", "t", "0").with_url_elicitation();
        for sent in [
            dialogue.call_tool("wëather", &json!({"a": 1})),
            dialogue.list_tools(None),
            dialogue.request("resources/read", json!({"uri": "x://y"})),
            dialogue.request("server/discover", json!({})),
        ] {
            let message = Message::read(&sent.body).unwrap();
            let one = message.single().unwrap();
            assert_eq!(Era::of_post(None, &message), Era::Modern);
            assert_eq!(one.elicits_url, Some(true));
            check_mirrored(&sent.headers, one, Era::Modern).unwrap();
            assert!(!sent.headers.contains_key(MCP_SESSION_ID));
        }
    }

    #[test]
    fn a_session_is_carried_from_initialize_to_the_end() {
        let mut dialogue = Dialogue::new("2025-11-25", "t", "0");
        let first = dialogue.initialize();
        assert!(!first.headers.contains_key(MCP_PROTOCOL_VERSION));
        assert!(dialogue.close().is_none());
        let mut headers = HeaderMap::new();
        headers.insert(MCP_SESSION_ID, HeaderValue::from_static("s1"));
        dialogue.accept_initialize(&headers, &json!({"protocolVersion": "2025-06-18"}));
        for headers in [
            dialogue.initialized().headers,
            dialogue.call_tool("a", &json!({})).headers,
            dialogue.close().unwrap(),
        ] {
            assert_eq!(headers[MCP_SESSION_ID], "s1");
            assert_eq!(headers[MCP_PROTOCOL_VERSION], "2025-06-18");
            assert!(!headers.contains_key(MCP_NAME));
        }
    }

    #[test]
    fn t10_arguments_are_mirrored_in_the_modern_era_only() {
        let schema = json!({"properties": {"a": {"type": "string", "x-mcp-header": "A"}}});
        let mirrored = ParamHeaders::of(&schema).unwrap();
        for (version, expected) in [("2026-07-28", 1), ("2025-11-25", 0)] {
            let mut dialogue = Dialogue::new(version, "t", "0");
            let call = dialogue.call_mirrored_tool("x", &json!({"a": "1"}), &mirrored);
            let count = call.headers.get_all("mcp-param-a").iter().count();
            assert_eq!(count, expected, "{version}");
        }
    }

    #[test]
    fn ids_are_never_used_twice() {
        let mut dialogue = Dialogue::new("2026-07-28", "t", "0");
        let one = dialogue.list_tools(None).id;
        assert_ne!(one, dialogue.list_tools(Some("c")).id);
    }
}
