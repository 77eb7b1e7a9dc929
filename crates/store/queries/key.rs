//! The four columns every row of a user begins with.

use claviger_model::CredentialKey;

/// A [`CredentialKey`] as text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) server: &'a str,
    pub(crate) user: &'a str,
    pub(crate) account: &'a str,
}

impl<'a> From<&'a CredentialKey> for Key<'a> {
    fn from(key: &'a CredentialKey) -> Self {
        Self {
            tenant: key.tenant.as_str(),
            server: key.server.as_str(),
            user: key.user.as_str(),
            account: key.account.as_str(),
        }
    }
}
