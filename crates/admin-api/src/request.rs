//! What can be asked for.

use core::fmt;

use serde::{Deserialize, Serialize};

/// One administrative act.
#[derive(Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Adds a server and says what was found. Answers steps, then [`crate::Line::Server`].
    AddServer(Box<AddServer>),
    /// Ends the sign-in in flight of a server, if there is one.
    CancelLogin {
        /// The server.
        slug: String,
    },
    /// Takes a callback URL that a person pasted (M12).
    Callback {
        /// The URL as the browser showed it.
        url: String,
    },
    /// Walks through discovery of any URL, step by step, and changes nothing (N7).
    Doctor {
        /// The MCP endpoint.
        url: String,
        /// Private addresses of its host may be dialled.
        allow_private: bool,
    },
    /// Lists keys, one [`crate::Line::Key`] each.
    ListKeys,
    /// Lists servers, one [`crate::Line::Server`] each.
    ListServers,
    /// Lists tenants, one [`crate::Line::Tenant`] each.
    ListTenants,
    /// Signs the user in. Answers steps, [`crate::Line::SignInStarted`], and, when the person is
    /// done, [`crate::Line::SignInEnded`]. A usable credential short-circuits (M5).
    Login {
        /// The server.
        slug: String,
        /// Sign in even if there is a usable credential.
        force: bool,
    },
    /// Ends the user's credential: here first, then at the issuer (K10).
    Logout {
        /// The server.
        slug: String,
    },
    /// Lists what is still owed to issuers, one [`crate::Line::Revocation`] each.
    ListRevocations,
    /// Removes a server and everything that hangs on it. Answers [`crate::Line::LoggedOut`] for
    /// each connection that ends.
    RemoveServer {
        /// The server.
        slug: String,
        /// Even if it ends what other users hold.
        #[serde(default)]
        yes: bool,
    },
    /// Removes a tenant, with all it has and every key of it. Answers [`crate::Line::LoggedOut`] for
    /// each connection, then [`crate::Line::TenantRemoved`].
    RemoveTenant {
        /// The tenant.
        tenant: String,
    },
    /// Ends everything a user has: API tokens, sign-ins under way and connections. Answers
    /// [`crate::Line::LoggedOut`] for each connection, then [`crate::Line::UserRemoved`].
    RemoveUser {
        /// The user.
        user: String,
    },
    /// Makes new generations and seals everything anew, or wraps every key anew. Answers
    /// [`crate::Line::KeyStep`]s and [`crate::Line::KeyProgress`], then [`crate::Line::KeySummary`].
    RotateKeys {
        /// Wrap every key with the first key file, and nothing else.
        kek: bool,
        /// Delete generations that nothing is sealed with.
        drop_old: bool,
        /// Say what would be done.
        dry_run: bool,
    },
    /// Changes a server. Answers steps, [`crate::Line::LoggedOut`] for each connection that ends
    /// with the old settings, then [`crate::Line::Server`].
    SetServer(Box<SetServer>),
    /// Shows one server.
    ShowServer {
        /// The server.
        slug: String,
    },
    /// Says how the user stands with one server or with all, one [`crate::Line::Connection`] each.
    Status {
        /// The server; absent is all.
        slug: Option<String>,
    },
    /// Opens every key, and a sample of what is sealed, or all of it. Answers as a rotation does.
    VerifyKeys {
        /// All of it.
        all: bool,
    },
}

/// A server to add. Secret fields are consumed and sealed.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddServer {
    /// Name in the address.
    pub slug: String,
    /// The MCP endpoint.
    pub url: String,
    /// Name for people; the slug if absent.
    pub display_name: Option<String>,
    /// Private addresses of its host may be dialled.
    pub allow_private: bool,
    /// Store it without looking at it.
    pub no_discover: bool,
    /// `authorization_code` (default) or `client_credentials`.
    pub grant: Option<String>,
    /// A pre-registered client id.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// Its private key, PKCS#8 PEM.
    pub private_key: Option<String>,
    /// The `https` URL of a client id metadata document.
    pub client_metadata_url: Option<String>,
    /// Only this issuer.
    pub issuer: Option<String>,
    /// Exactly these scopes.
    pub scopes: Vec<String>,
    /// Fixed headers, `Name: value`.
    pub headers: Vec<String>,
}

/// What to change of a server; what is absent stays. Secret fields are consumed and sealed.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own on the command line"
)]
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SetServer {
    /// The server.
    pub slug: String,
    /// The MCP endpoint.
    pub url: Option<String>,
    /// Name for people.
    pub display_name: Option<String>,
    /// Private addresses of its host may be dialled.
    pub allow_private: Option<bool>,
    /// Requests are forwarded, and people may sign in.
    pub enabled: Option<bool>,
    /// Store it without looking at it.
    pub no_discover: bool,
    /// `none`, `headers` or `oauth`; secrets of another kind are forgotten (K4).
    pub auth: Option<String>,
    /// `authorization_code` or `client_credentials`.
    pub grant: Option<String>,
    /// A pre-registered client id.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// Its private key, PKCS#8 PEM.
    pub private_key: Option<String>,
    /// The `https` URL of a client id metadata document.
    pub client_metadata_url: Option<String>,
    /// Forgets the client: id, secret, key and document.
    pub no_client: bool,
    /// Only this issuer.
    pub issuer: Option<String>,
    /// Any issuer the server names.
    pub no_issuer: bool,
    /// Exactly these scopes.
    pub scopes: Vec<String>,
    /// The scopes the server names.
    pub no_scopes: bool,
    /// Fixed headers, `Name: value`, in place of all there are.
    pub headers: Vec<String>,
    /// Even if it ends what other users hold.
    pub yes: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddServer(add) => f.debug_tuple("AddServer").field(add).finish(),
            Self::CancelLogin { slug } => one(f, "CancelLogin", slug),
            // It holds a code and a `state`, which are worth a credential until they are used.
            Self::Callback { .. } => f.debug_struct("Callback").finish_non_exhaustive(),
            // A URL may hold a key in its query.
            Self::Doctor { allow_private, .. } => f
                .debug_struct("Doctor")
                .field("allow_private", allow_private)
                .finish_non_exhaustive(),
            Self::ListKeys => f.write_str("ListKeys"),
            Self::ListRevocations => f.write_str("ListRevocations"),
            Self::ListServers => f.write_str("ListServers"),
            Self::ListTenants => f.write_str("ListTenants"),
            Self::Login { slug, force } => f
                .debug_struct("Login")
                .field("slug", slug)
                .field("force", force)
                .finish(),
            Self::Logout { slug } => one(f, "Logout", slug),
            Self::RemoveTenant { tenant } => f
                .debug_struct("RemoveTenant")
                .field("tenant", tenant)
                .finish(),
            Self::RemoveUser { user } => f.debug_struct("RemoveUser").field("user", user).finish(),
            Self::RotateKeys {
                kek,
                drop_old,
                dry_run,
            } => f
                .debug_struct("RotateKeys")
                .field("kek", kek)
                .field("drop_old", drop_old)
                .field("dry_run", dry_run)
                .finish(),
            Self::RemoveServer { slug, .. } => one(f, "RemoveServer", slug),
            Self::SetServer(set) => f.debug_tuple("SetServer").field(set).finish(),
            Self::ShowServer { slug } => one(f, "ShowServer", slug),
            Self::Status { slug } => f.debug_struct("Status").field("slug", slug).finish(),
            Self::VerifyKeys { all } => f.debug_struct("VerifyKeys").field("all", all).finish(),
        }
    }
}

fn one(f: &mut fmt::Formatter<'_>, name: &str, slug: &str) -> fmt::Result {
    f.debug_struct(name).field("slug", &slug).finish()
}

impl fmt::Debug for AddServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddServer")
            .field("slug", &self.slug)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SetServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetServer")
            .field("slug", &self.slug)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m12_debug_shows_no_code_and_no_state() {
        let request = Request::Callback {
            url: "http://127.0.0.1:7448/callback/x?code=CANARY&state=CANARY".to_owned(),
        };
        assert_eq!(format!("{request:?}"), "Callback { .. }");
    }
}
