//! What the audit log says of a revocation. Its id joins the entries of one: owed, sent, failed,
//! confirmed.

use claviger_model::Revocation;

use super::Owing;
use crate::{Act, Note};

/// About a revocation. Why it failed is in its row: it may be an issuer's words.
pub(super) fn note(act: Act, row: &Revocation) -> Note {
    Note::new(act, &row.server_name)
        .of_tenant(&row.key.tenant)
        .with("revocation", row.id.as_str())
        .with("server", row.key.server.as_str())
        .with("user", row.key.user.as_str())
        .with("account", row.key.account.as_str())
        .with("issuer", row.issuer.as_str())
}

/// That it is owed from now on.
pub(crate) fn queued(row: &Revocation) -> Note {
    note(Act::RevocationQueued, row)
}

// === impl Owing ===

impl Owing {
    /// That it is owed from now on, where anything is.
    pub(crate) fn note(&self) -> Option<Note> {
        match self {
            Self::Row(row) => Some(queued(row)),
            Self::Cannot(_) | Self::NotOffered => None,
        }
    }
}
