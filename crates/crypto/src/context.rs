//! What a sealed record is bound to: it opens there and nowhere else.

use crate::sha256;

/// What is sealed; each use has its own label, so that records of one use are no records of
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedFor {
    /// Tokens of a credential.
    Credential,
    /// A fixed header's value.
    Header,
    /// An entry of the rescue journal.
    Journal,
    /// Another key.
    Key,
    /// The id of an upstream's MCP session, in the hands of a caller.
    McpSession,
    /// Secrets of client information.
    Registration,
    /// An answer of our own token endpoint, for whoever asks again with the same refresh token.
    Replay,
    /// A revocation that is still owed.
    Revocation,
    /// A sign-in in flight.
    SignIn,
}

/// The place of a sealed record. What is not set is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    sealed_for: SealedFor,
    table: String,
    column: String,
    tenant: String,
    user: String,
    account: String,
    server: String,
    origin: Option<[u8; 32]>,
    issuer: String,
    version: u64,
}

// === impl SealedFor ===

impl SealedFor {
    const fn label(self) -> &'static str {
        match self {
            Self::Credential => "claviger/credential/1",
            Self::Header => "claviger/header/1",
            Self::Journal => "claviger/journal/1",
            Self::Key => "claviger/key/1",
            Self::McpSession => "claviger/mcp-session/1",
            Self::Registration => "claviger/registration/1",
            Self::Replay => "claviger/replay/1",
            Self::Revocation => "claviger/revocation/1",
            Self::SignIn => "claviger/sign-in/1",
        }
    }
}

// === impl Context ===

impl Context {
    /// A place of which nothing but the use is known yet.
    #[must_use]
    pub fn new(sealed_for: SealedFor) -> Self {
        Self {
            sealed_for,
            table: String::new(),
            column: String::new(),
            tenant: String::new(),
            user: String::new(),
            account: String::new(),
            server: String::new(),
            origin: None,
            issuer: String::new(),
            version: 0,
        }
    }

    /// The column of the table it is stored in.
    #[must_use]
    pub fn at(mut self, table: impl Into<String>, column: impl Into<String>) -> Self {
        self.table = table.into();
        self.column = column.into();
        self
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// The user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// The account.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// The id of the server (or of another row, where there is no server).
    #[must_use]
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.server = server.into();
        self
    }

    /// The upstream's origin: who repoints a server in the database gets nothing open (A205).
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(sha256(origin.as_bytes()));
        self
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// The version of the row.
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// Every field behind its length: no separators, so nothing to confuse.
    pub(crate) fn encode(&self, kek_id: [u8; 8], generation: u32, algorithm: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let fields: [&[u8]; 13] = [
            self.sealed_for.label().as_bytes(),
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.tenant.as_bytes(),
            self.user.as_bytes(),
            self.account.as_bytes(),
            self.server.as_bytes(),
            self.origin.as_ref().map_or(&[], |digest| &digest[..]),
            self.issuer.as_bytes(),
            &self.version.to_be_bytes(),
            &kek_id,
            &generation.to_be_bytes(),
            &[algorithm],
        ];
        for field in fields {
            out.extend_from_slice(&(field.len() as u64).to_be_bytes());
            out.extend_from_slice(field);
        }
        out
    }
}
