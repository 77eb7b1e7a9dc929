//! What is to be recorded, before it has a place in a chain.

use core::fmt;

use claviger_model::{AuditEntry, CredentialKey, Server, TenantId, UserId};
use serde_json::{Map, Value};

use super::Act;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Actor {
    /// Whoever runs the command line on the data directory itself, with their user id.
    Cli(Option<u32>),
    /// Whoever asked over the admin socket; their user id where the system tells it.
    Socket(Option<u32>),
    /// Claviger by itself.
    System,
    /// Somebody with an API token of ours, by its id.
    Token(String),
    /// A person.
    User(UserId),
}

/// How it came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Came {
    /// Nobody can know.
    Ambiguous,
    /// It did not work.
    Failed,
    /// As it should.
    Ok,
    /// Somebody said no.
    Refused,
}

/// One thing to record. What goes in is typed, so that no secret finds its way here: names, ids,
/// numbers and words of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub(super) tenant: Option<TenantId>,
    pub(super) actor: Actor,
    pub(super) act: Act,
    pub(super) object: String,
    pub(super) came: Came,
    pub(super) detail: Map<String, Value>,
    pub(super) count: u64,
}

/// No text of a note is longer, in bytes.
const MOST: usize = 512;

// === impl Note ===

impl Note {
    /// Something Claviger did, and that went well.
    pub fn new(act: Act, object: impl fmt::Display) -> Self {
        Self {
            tenant: None,
            actor: Actor::System,
            act,
            object: clean(&object.to_string()),
            came: Came::Ok,
            detail: Map::new(),
            count: 1,
        }
    }

    /// About a server.
    pub fn server(act: Act, server: &Server) -> Self {
        Self::new(act, &server.slug)
            .of_tenant(&server.tenant)
            .with("server", server.id.as_str())
    }

    /// About somebody's credential at a server.
    pub fn credential(act: Act, server: &Server, key: &CredentialKey) -> Self {
        Self::server(act, server)
            .with("user", key.user.as_str())
            .with("account", key.account.as_str())
    }

    /// By somebody else than Claviger itself.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// It came out otherwise.
    #[must_use]
    pub fn came(mut self, came: Came) -> Self {
        self.came = came;
        self
    }

    /// More about it. Never give it anything an issuer or a client sent but ids.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => Value::String(clean(&text)),
            other => other,
        };
        self.detail.insert(name.to_owned(), value);
        self
    }

    /// Whose business it is.
    #[must_use]
    pub fn of_tenant(mut self, tenant: &TenantId) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    /// It happened so often.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// As an entry that has no place, no time and no MAC yet. The detail names the generation of
    /// the key, so that a chain can be verified after its key was renewed.
    pub(super) fn entry(&self, generation: u32) -> AuditEntry {
        let mut detail = self.detail.clone();
        detail.insert(GENERATION.to_owned(), generation.into());
        AuditEntry {
            chain: String::new(),
            seq: 0,
            node: String::new(),
            at: claviger_model::Timestamp::from_secs(0),
            tenant: self.tenant.clone(),
            actor: self.actor.to_string(),
            act: self.act.as_str().to_owned(),
            object: self.object.clone(),
            outcome: self.came.as_str().to_owned(),
            detail: Value::Object(detail).to_string(),
            count: self.count,
            mac: Vec::new(),
        }
    }
}

/// The field of the detail that names the generation of the key.
pub(super) const GENERATION: &str = "key";

/// The generation of the key an entry names.
pub fn generation_of(entry: &AuditEntry) -> Option<u32> {
    let detail: Map<String, Value> = serde_json::from_str(&entry.detail).ok()?;
    detail.get(GENERATION)?.as_u64()?.try_into().ok()
}

/// PostgreSQL takes no NUL, and a terminal should take no control characters.
fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(MOST));
    for char in text.chars().filter(|char| !char.is_control()) {
        if kept.len() + char.len_utf8() > MOST {
            break;
        }
        kept.push(char);
    }
    kept
}

// === impl Came ===

impl Came {
    /// Its name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Failed => "failed",
            Self::Ok => "ok",
            Self::Refused => "refused",
        }
    }
}

// === impl Actor ===

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cli(Some(uid)) => write!(f, "cli:{uid}"),
            Self::Cli(None) => f.write_str("cli"),
            Self::Socket(Some(uid)) => write!(f, "socket:{uid}"),
            Self::Socket(None) => f.write_str("socket"),
            Self::System => f.write_str("system"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
        }
    }
}
