//! Sealed records that do not open (A203–A205): each is refused, and the audit log says so.

use claviger_crypto::Context;
use claviger_model::TenantId;
use zeroize::Zeroizing;

use crate::broker::Inner;
use crate::{Came, Note, VaultError};

// === impl Inner ===

impl Inner {
    /// Opens a sealed record. Where it is not what was sealed at its place, `about` says of what it
    /// is that is noted: whoever writes the database shall not try that unseen.
    pub(crate) async fn open_sealed(
        &self,
        tenant: &TenantId,
        context: &Context,
        record: &[u8],
        about: impl FnOnce() -> Note,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let opened = self.parts.vault.open_record(tenant, context, record).await;
        if let Err(error) = &opened {
            self.notice_tampered(error, about);
        }
        opened
    }

    /// Notes a record that was refused. That a key cannot be reached says nothing about it.
    pub(crate) fn notice_tampered(&self, error: &VaultError, about: impl FnOnce() -> Note) {
        let why = match error {
            VaultError::Tampered { .. } => "seal",
            // Its head names a key that never was, or was dropped since nothing was sealed with it.
            VaultError::UnknownKey => "unknown_key",
            _ => return,
        };
        let note = about().came(Came::Refused).with("why", why);
        self.parts.audit.notice(note);
    }
}
