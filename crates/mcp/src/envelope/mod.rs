//! The JSON-RPC envelope, read strictly and once; bodies stay as they came.
//!
//! An upstream may read JSON otherwise than we do: first key wins, last key wins, keys without
//! regard to case. Whatever could be read in two ways is refused, so that the upstream sees exactly
//! what was inspected (I13, A151).

use std::borrow::Cow;

use serde_json::value::RawValue;

pub use input::InputAction;
use members::Members;

mod input;
mod members;
#[cfg(test)]
mod tests;

/// What a body holds: one message, or a batch (2025-03-26 only).
#[derive(Debug, Clone)]
pub enum Message<'a> {
    /// An array of messages.
    Batch(Vec<Envelope<'a>>),
    /// One message.
    Single(Box<Envelope<'a>>),
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Has a method and no id.
    Notification,
    /// Has a method and an id.
    Request,
    /// Has a result or an error.
    Response,
}

/// What was read of one message.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    /// What it is.
    pub kind: Kind,
    /// The id as it was written: a string or an integer.
    pub id: Option<&'a RawValue>,
    /// The method.
    pub method: Option<Cow<'a, str>>,
    /// `params.name`, if it is a string.
    pub name: Option<Cow<'a, str>>,
    /// `params.uri`, if it is a string.
    pub uri: Option<Cow<'a, str>>,
    /// `params.taskId`, if it is a string.
    pub task_id: Option<Cow<'a, str>>,
    /// `params._meta["io.modelcontextprotocol/protocolVersion"]`.
    pub meta_version: Option<Cow<'a, str>>,
    /// `params.protocolVersion` of an `initialize`.
    pub initialize_version: Option<Cow<'a, str>>,
    /// Whether the client can show a URL; `None` where the message says nothing about the client.
    pub elicits_url: Option<bool>,
    /// `params.inputResponses`: what the client answers to an earlier request for input.
    pub(crate) input_responses: Option<&'a RawValue>,
}

/// Why a body is no message. Texts quote nothing of the body but a key's known name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A batch with nothing in it, or with more than the limit.
    #[error("a batch holds 1 to {MAX_BATCH} messages")]
    BatchSize,
    /// A key stands twice where it counts.
    #[error("a key stands twice")]
    DuplicateKey,
    /// An id that is neither a string nor an integer of 64 bits.
    #[error("the id is neither a string nor a 64-bit integer")]
    Id,
    /// Neither a request, nor a notification, nor a response.
    #[error("the message is neither a request nor a notification nor a response")]
    Kind,
    /// A key that some readers take for `{0}`.
    #[error("a key looks like `{0}` and is not")]
    LookAlike(&'static str),
    /// No JSON.
    #[error("the body is not JSON")]
    Malformed,
    /// A member has another type than it must have.
    #[error("`{0}` has the wrong type")]
    MemberType(&'static str),
    /// JSON, but no object.
    #[error("the message is not an object")]
    NotAnObject,
    /// Not UTF-8, or with a byte order mark.
    #[error("the body is not plain UTF-8")]
    NotUtf8,
    /// Objects within objects, too many.
    #[error("the body is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// `jsonrpc` is not `"2.0"`.
    #[error("`jsonrpc` is not \"2.0\"")]
    Version,
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Reads a body without copying it.
    pub fn read(body: &'a [u8]) -> Result<Self, EnvelopeError> {
        let text = str::from_utf8(body).or(Err(EnvelopeError::NotUtf8))?;
        if text.starts_with('\u{feff}') {
            return Err(EnvelopeError::NotUtf8);
        }
        if !is_shallow(text) {
            return Err(EnvelopeError::TooDeep);
        }
        if !text.trim_ascii_start().starts_with('[') {
            return Envelope::read(text).map(Box::new).map(Self::Single);
        }
        let parts: Vec<&'a RawValue> =
            serde_json::from_str(text).or(Err(EnvelopeError::Malformed))?;
        if !(1..=MAX_BATCH).contains(&parts.len()) {
            return Err(EnvelopeError::BatchSize);
        }
        let envelopes = parts.into_iter().map(|part| Envelope::read(part.get()));
        envelopes.collect::<Result<_, _>>().map(Self::Batch)
    }

    /// The messages in it, in order.
    pub fn envelopes(&self) -> &[Envelope<'a>] {
        match self {
            Self::Batch(envelopes) => envelopes,
            Self::Single(envelope) => core::slice::from_ref(&**envelope),
        }
    }

    /// The only message; `None` for a batch.
    pub fn single(&self) -> Option<&Envelope<'a>> {
        match self {
            Self::Batch(_) => None,
            Self::Single(envelope) => Some(envelope),
        }
    }
}

// === impl Envelope ===

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<Self, EnvelopeError> {
        let top = Members::read(text, &TOP)?;
        if top.text("jsonrpc")?.as_deref() != Some("2.0") {
            return Err(EnvelopeError::Version);
        }
        let method = top.text("method")?;
        let id = top.find("id").filter(|id| id.get() != "null");
        let answers = top.find("result").is_some() || top.find("error").is_some();
        let kind = match (&method, id, answers) {
            (Some(_), Some(_), false) => Kind::Request,
            // A null id is no id to MCP, and a request to others.
            (Some(_), None, false) if top.find("id").is_none() => Kind::Notification,
            (None, _, true) => Kind::Response,
            _ => return Err(EnvelopeError::Kind),
        };
        if id.is_some_and(|id| !is_id(id)) {
            return Err(EnvelopeError::Id);
        }
        let mut envelope = Self {
            kind,
            id,
            method,
            name: None,
            uri: None,
            task_id: None,
            meta_version: None,
            initialize_version: None,
            elicits_url: None,
            input_responses: None,
        };
        if let Some(params) = top.find("params").filter(|raw| raw.get() != "null") {
            envelope.read_params(params.get())?;
        }
        Ok(envelope)
    }

    fn read_params(&mut self, text: &'a str) -> Result<(), EnvelopeError> {
        let params = Members::read(text, &PARAMS).map_err(|error| named(error, "params"))?;
        self.name = params.text("name").unwrap_or_default();
        self.uri = params.text("uri").unwrap_or_default();
        self.task_id = params.text("taskId").unwrap_or_default();
        self.input_responses = params.find("inputResponses");
        if let Some(raw) = params.find("_meta").filter(|raw| raw.get() != "null") {
            let meta = Members::read(raw.get(), &META).map_err(|error| named(error, "_meta"))?;
            self.meta_version = meta.text(META_VERSION)?;
            if let Some(capabilities) = meta.find(META_CAPABILITIES) {
                self.elicits_url = Some(elicits_url(capabilities)?);
            }
        }
        if self.method.as_deref() == Some("initialize") {
            self.initialize_version = params.text("protocolVersion")?;
            if let Some(capabilities) = params.find("capabilities") {
                self.elicits_url = Some(elicits_url(capabilities)?);
            }
        }
        Ok(())
    }

    /// What `Mcp-Name` mirrors for this method: `None` where it mirrors nothing (T-04).
    pub fn mirrored_name(&self) -> Option<&str> {
        match self.method.as_deref()? {
            "tools/call" | "prompts/get" => self.name.as_deref(),
            "resources/read" => self.uri.as_deref(),
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.task_id.as_deref(),
            _ => None,
        }
    }

    /// Whether `Mcp-Name` belongs to this method at all.
    pub fn has_mirrored_name(&self) -> bool {
        matches!(
            self.method.as_deref(),
            Some(
                "tools/call"
                    | "prompts/get"
                    | "resources/read"
                    | "tasks/get"
                    | "tasks/update"
                    | "tasks/cancel"
            )
        )
    }

    /// The method and, where there is one, what it is about: `tools/call echo`.
    pub fn operation(&self) -> String {
        let method = self.method.as_deref().unwrap_or("response");
        match self.mirrored_name() {
            Some(name) => format!("{method} {name}"),
            None => method.to_owned(),
        }
    }
}

// === impl EnvelopeError ===

impl EnvelopeError {
    /// The JSON-RPC code for it.
    pub const fn code(&self) -> i64 {
        match self {
            Self::Malformed | Self::NotUtf8 => crate::code::PARSE_ERROR,
            _ => crate::code::INVALID_REQUEST,
        }
    }
}

fn named(error: EnvelopeError, member: &'static str) -> EnvelopeError {
    match error {
        EnvelopeError::NotAnObject => EnvelopeError::MemberType(member),
        other => other,
    }
}

/// A client that declares `elicitation: {}` can show forms only; a URL needs `elicitation.url`.
fn elicits_url(capabilities: &RawValue) -> Result<bool, EnvelopeError> {
    let Ok(capabilities) = Members::read(capabilities.get(), &["elicitation"]) else {
        return Err(EnvelopeError::MemberType("capabilities"));
    };
    let Some(elicitation) = capabilities.find("elicitation") else {
        return Ok(false);
    };
    let elicitation = Members::read(elicitation.get(), &["url"])
        .map_err(|error| named(error, "capabilities.elicitation"))?;
    Ok(elicitation
        .find("url")
        .is_some_and(|url| url.get().starts_with('{')))
}

/// Huge or fractional numbers come back rounded from many readers and answer somebody else's call.
fn is_id(id: &RawValue) -> bool {
    let text = id.get();
    text.starts_with('"') || text.parse::<i64>().is_ok()
}

fn is_shallow(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return false;
        }
    }
    true
}

/// How deep a body may be nested.
const MAX_DEPTH: usize = 128;
/// How many messages a batch may hold.
const MAX_BATCH: usize = 64;

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

const TOP: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
const PARAMS: [&str; 7] = [
    "_meta",
    "name",
    "uri",
    "taskId",
    "protocolVersion",
    "capabilities",
    "inputResponses",
];
const META: [&str; 2] = [META_VERSION, META_CAPABILITIES];
