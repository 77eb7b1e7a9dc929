//! What comes back.

use serde::{Deserialize, Serialize};

use crate::{KeyProgress, KeyStep, KeySummary, KeyView};

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Line {
    /// How a user stands with a server.
    Connection(ConnectionView),
    /// It went well; nothing follows.
    Done,
    /// A key.
    Key(KeyView),
    /// How far it has come with the rows of a tenant.
    KeyProgress(KeyProgress),
    /// What was done to a key, or what is wrong.
    KeyStep(KeyStep),
    /// What came of a rotation or a check of keys.
    KeySummary(KeySummary),
    /// A sign-out and its two halves.
    LoggedOut(LogoutView),
    /// Revocations are owed to issuers; they are tried again until they succeed.
    PendingRevocations {
        /// How many.
        pending: usize,
    },
    /// It did not go well; nothing follows.
    Problem(Problem),
    /// A revocation that is owed to an issuer.
    Revocation(RevocationView),
    /// A server.
    Server(ServerView),
    /// A sign-in came to its one end.
    SignInEnded(SignInEnded),
    /// A sign-in waits for the person.
    SignInStarted(SignInStarted),
    /// A tenant.
    Tenant(TenantView),
    /// A tenant is gone.
    TenantRemoved {
        /// The tenant.
        tenant: String,
        /// Servers that went.
        servers: usize,
        /// Connections that ended.
        connections: usize,
        /// API tokens that were deleted.
        api_tokens: usize,
        /// Revocations it owed before; the default tenant owes them now.
        inherited: usize,
        /// Revocations it owed before that cannot be opened, and so never be sent.
        lost: usize,
    },
    /// A user has nothing any more.
    UserRemoved {
        /// The user.
        user: String,
        /// Connections that ended.
        connections: usize,
        /// Sign-ins under way that were cancelled.
        sign_ins: usize,
        /// API tokens that were deleted.
        api_tokens: usize,
    },
    /// Something was tried just now.
    Step(StepView),
}

/// One step of discovery, registration or sign-in, without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// `probe`, `resource_metadata`, `issuer_metadata`, `register`, `authorize`, `redeem`, …
    pub stage: String,
    /// How it went.
    pub status: StepStatus,
    /// What was asked, without query: a method and a URL, or a sentence.
    pub what: String,
    /// What came of it, in a sentence of ours.
    pub outcome: String,
    /// The rule it follows or breaks, such as `RFC 9728 §3.3`.
    pub rule: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Deviations met, by id (`Q03`).
    pub deviations: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It failed, and that ends the walk.
    Failed,
    /// Nothing there; the next place is tried.
    Nothing,
    /// As it should be.
    Ok,
    /// Works, but deviates from a rule.
    Warned,
}

/// A server as it may be shown.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that a reader looks for by name"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerView {
    /// Name in the address.
    pub slug: String,
    /// Id.
    pub id: String,
    /// Name for people.
    pub display_name: String,
    /// The upstream URL.
    pub url: String,
    /// `none`, `headers` or `oauth`.
    pub auth: String,
    /// `authorization_code` or `client_credentials`, for `oauth`.
    pub grant: Option<String>,
    /// The issuer, where known.
    pub issuer: Option<String>,
    /// Ways to register there: `static`, `document`, `dynamic`.
    pub registration: Vec<String>,
    /// Scopes the server names.
    pub scopes: Vec<String>,
    /// Whether a sign-in is needed: `yes`, `no` or `unknown`.
    pub sign_in: String,
    /// Private addresses of its host may be dialled.
    pub allow_private: bool,
    /// Requests are forwarded, and people may sign in.
    pub enabled: bool,
    /// A client secret or key is stored.
    pub has_client_secret: bool,
    /// The gateway's address for it, where the gateway's own is known.
    pub gateway_url: Option<String>,
    /// When it was added, RFC 3339.
    pub created_at: String,
}

/// How a user stands with a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// The server.
    pub server: String,
    /// One of the seven states, or `no_sign_in`.
    pub standing: String,
    /// Why.
    pub reason: Option<String>,
    /// The issuer of the credential.
    pub issuer: Option<String>,
    /// Scopes granted.
    pub scopes: Vec<String>,
    /// When the access token ends, RFC 3339.
    pub expires_at: Option<String>,
    /// Seconds until then; negative if past.
    pub expires_in_s: Option<i64>,
    /// Whether it can be refreshed.
    pub is_refreshable: bool,
    /// How many ended credentials of this connection the issuer has not yet confirmed to be revoked.
    pub pending_revocations: usize,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A sign-in that waits for the person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignInStarted {
    /// Id.
    pub id: String,
    /// The server.
    pub server: String,
    /// Where the person goes. Carries `state`; show it to nobody else.
    pub authorization_url: String,
    /// Where the issuer sends the browser back.
    pub redirect_uri: String,
    /// Seconds the person has.
    pub timeout_s: u32,
}

/// The one end of a sign-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignInEnded {
    /// The server.
    pub server: String,
    /// `success`, `denied`, `failed`, `cancelled` or `timed_out`.
    pub outcome: String,
    /// How the user stands now.
    pub standing: String,
    /// What went wrong, in a sentence of ours.
    pub message: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// A sign-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogoutView {
    /// The server.
    pub server: String,
    /// Whose connection it was.
    pub user: String,
    /// Whether there was a credential, and it is gone here.
    pub ended_here: bool,
    /// `revoked`, `pending` (it is tried again until it succeeds), `failed` (it cannot be tried),
    /// `not_offered` or `nothing_to_revoke`.
    pub at_issuer: String,
    /// What went wrong at the issuer.
    pub message: Option<String>,
}

/// A revocation that is owed to an issuer, without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevocationView {
    /// Id.
    pub id: String,
    /// What the server was called; it may be gone.
    pub server: String,
    /// Whose credential it was.
    pub user: String,
    /// The issuer that has not confirmed.
    pub issuer: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, RFC 3339.
    pub next_at: String,
    /// Seconds until then; negative if past.
    pub next_in_s: i64,
    /// Why the last try failed.
    pub last_failure: Option<String>,
    /// When the credential ended here, RFC 3339.
    pub created_at: String,
}

/// A tenant, and how much it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantView {
    /// Its name.
    pub tenant: String,
    /// Whether it is the installation's own, which cannot be removed.
    pub is_default: bool,
    /// Its servers.
    pub servers: usize,
    /// Credentials it holds.
    pub connections: usize,
    /// API tokens of ours.
    pub api_tokens: usize,
    /// How many ended credentials their issuers have not yet confirmed to be revoked.
    pub pending_revocations: usize,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind it is; the exit code follows from it.
    pub kind: ProblemKind,
    /// A stable word: `needs_sign_in`, `unknown_server`, `slug_taken`, …
    pub code: String,
    /// One line: what was wrong.
    pub message: String,
    /// One line: what to do.
    pub hint: Option<String>,
}

/// Kinds of problems and their exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Our bug, disk or database: 70.
    Bug,
    /// Somebody else holds the database; nothing was done, and the same may work later: 75.
    Busy,
    /// Configuration: 5.
    Configuration,
    /// Refused, or a sign-in is needed: 3.
    Refused,
    /// The other side cannot be reached: 4.
    Unreachable,
    /// Wrong words: 2.
    Usage,
}

impl ProblemKind {
    /// The exit code of the command line.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::Configuration => 5,
            Self::Bug => 70,
            Self::Busy => 75,
        }
    }
}
