//! Who is in front of the browser, before anything is asked or fetched.

use claviger_crypto::Secret;
use claviger_model::UserId;

/// A browser that came to one of our pages.
#[derive(Debug, Clone)]
pub struct Visit<'a> {
    /// Its cookies, by name.
    pub cookies: &'a [(&'a str, Secret)],
    /// Path and query to which it should come back after a sign-in.
    pub return_to: &'a str,
}

/// Who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visitor {
    /// Whoever it is, the answer to the form tells.
    Anybody,
    /// Nobody is signed in here; this is where one signs in.
    SignedOut {
        /// A path or URL of ours, which leads back to `return_to`.
        sign_in: String,
    },
    /// This user.
    User(UserId),
}

// === impl Visitor ===

impl Visitor {
    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Anybody | Self::SignedOut { .. } => None,
        }
    }
}
