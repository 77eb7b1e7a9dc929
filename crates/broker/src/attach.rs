//! What the proxy asks for: headers to attach, and what to do when they were refused.

use core::fmt;

use async_trait::async_trait;
use claviger_model::{Reason, Server, UserId};
use claviger_wire::ScopeSet;
use http::{HeaderName, HeaderValue, StatusCode};

/// Which access token was attached, without saying it: a keyed MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenMark(pub [u8; 32]);

/// What goes on an upstream request. Values are marked sensitive.
#[derive(Clone, Default)]
pub struct Attachment {
    /// Headers to set, after everything else was removed.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Which token is among them; `None` where the request goes out bare.
    pub mark: Option<TokenMark>,
}

/// What the upstream said no with.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// 401, or 403 with a Bearer challenge.
    pub status: StatusCode,
    /// Every `WWW-Authenticate` value of the answer.
    pub www_authenticate: Vec<String>,
    /// The JSON-RPC method, and the tool's name where there is one; bounds step-ups (C-66).
    pub operation: String,
}

/// Why nothing can be attached. None of these is ever our 401.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// A setting is wrong.
    #[error("the server `{server}` is misconfigured: {hint}")]
    Misconfigured {
        /// The server's slug.
        server: String,
        /// What to do.
        hint: String,
    },
    /// A scope is missing.
    #[error("the server `{server}` asks for more permissions: {scopes}")]
    NeedsScopes {
        /// The server's slug.
        server: String,
        /// What the server asks for.
        scopes: ScopeSet,
        /// Where to grant them; `None` if that was tried and did not help.
        link: Option<String>,
    },
    /// A person has to sign in.
    #[error("the server `{server}` needs a sign-in")]
    NeedsSignIn {
        /// The server's slug.
        server: String,
        /// Why, where there was a credential before.
        reason: Option<Reason>,
        /// Where to sign in.
        link: String,
    },
    /// The audit log does not take the use, and without an entry there is no use (strict mode).
    #[error("the use of `{server}` could not be recorded, and is not allowed without")]
    Unrecorded {
        /// The server's slug.
        server: String,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// The issuer cannot be reached, or the refresh is still under way elsewhere.
    #[error("the issuer of `{server}` is unavailable; try again in {retry_after_s} s")]
    Unreachable {
        /// The server's slug.
        server: String,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
}

/// On whose behalf a credential is asked for, as the audit log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Whose credential it is.
    pub user: UserId,
    /// The client that sends the request, where its token was issued to one.
    pub client: Option<String>,
    /// The id of the token it came with; never the token.
    pub token: Option<String>,
}

/// Hands out credentials for forwarded requests.
#[async_trait]
pub trait Attach: Send + Sync + 'static {
    /// What to attach to a request of `asker` to `server`. From memory while it is fresh.
    /// Where a sign-in may be needed but none was made, the attachment is bare: the upstream
    /// decides, and its challenge says what to sign in for.
    async fn attach(&self, server: &Server, asker: &Asker) -> Result<Attachment, Missing>;

    /// The upstream refused `used`. Gives something better to try once, or says what is missing.
    /// A second refusal of the same request must be reported here too, and never gives a third
    /// attachment (N6).
    async fn refused(
        &self,
        server: &Server,
        asker: &Asker,
        used: &Attachment,
        refusal: &Refusal,
    ) -> Result<Attachment, Missing>;
}

// === impl Asker ===

impl From<UserId> for Asker {
    fn from(user: UserId) -> Self {
        Self {
            user,
            client: None,
            token: None,
        }
    }
}

// === impl Attachment ===

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}
