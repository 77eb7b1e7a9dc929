//! The intent: that the stored refresh token was sent, written down before it is sent.
//!
//! A process that dies between the issuer's answer and the commit leaves it behind. Whoever comes
//! next sends the same token once more; if the issuer then refuses it, the rotation was lost on
//! its way, and the person is told so instead of a plain refusal (`ambiguous_rotation`, F02, F03).

use claviger_model::{Connection, Credential, CredentialKey, Reason, Server, Standing};
use claviger_store::StoreError;

use crate::broker::Inner;

/// What was found of an earlier holder.
pub(super) struct Intent {
    /// The same token was sent before, and nobody was heard of since.
    pub(super) was_left: bool,
}

impl Intent {
    /// Writes it, and says whether one was there already. Every end of a renewal but a lost answer
    /// takes it back: a new token by the connection that is written with it. Nothing, if the
    /// credential ended meanwhile: then its token must not be sent.
    pub(super) async fn declare(
        inner: &Inner,
        server: &Server,
        sent: &Credential,
    ) -> Result<Option<Self>, StoreError> {
        let key = &sent.key;
        let known = inner.connection(key).await?;
        let reason = known.as_ref().and_then(|connection| connection.reason);
        if reason == Some(Reason::AmbiguousRotation) {
            return Ok(Some(Self { was_left: true }));
        }
        // Another standing says more than this would; the memory of this process has to do then.
        let is_plain = known
            .as_ref()
            .is_none_or(|connection| connection.standing == Standing::Connected);
        if is_plain {
            write(inner, key, Some(Reason::AmbiguousRotation)).await?;
            // Whoever ended it between our look and our write said why, and we wrote over it.
            // Without this, what the refresh brings would be taken for the successor of a token
            // that was refused, and put back.
            let stored = inner.rows(key).find_credential(key).await?;
            if stored.is_none_or(|stored| stored.fingerprint != sent.fingerprint) {
                return undo(inner, server, key).await.map(|()| None);
            }
        }
        Ok(Some(Self { was_left: false }))
    }

    /// Nothing was sent, or its answer is known: the token is as good as it was.
    pub(super) async fn withdraw(&self, inner: &Inner, key: &CredentialKey) {
        if self.was_left {
            return;
        }
        if let Err(error) = write(inner, key, None).await {
            // It stays; at worst a later refusal is called ambiguous that was not.
            tracing::debug!(%error, "could not take an intent back");
        }
    }
}

/// Says again what whoever ended the credential said, as far as that can be told.
async fn undo(inner: &Inner, server: &Server, key: &CredentialKey) -> Result<(), StoreError> {
    let rows = inner.rows(key);
    let reason = if inner.is_still(server).await? {
        Reason::Disconnected
    } else {
        Reason::SettingsChanged
    };
    if rows.find_credential(key).await?.is_some() {
        return write(inner, key, None).await;
    }
    if rows.find_server_by_id(&key.server).await?.is_none() {
        return Ok(());
    }
    rows.update_connection(&inner.ended_connection(key, reason))
        .await
}

async fn write(
    inner: &Inner,
    key: &CredentialKey,
    reason: Option<Reason>,
) -> Result<(), StoreError> {
    let connection = Connection {
        key: key.clone(),
        standing: Standing::Connected,
        reason,
        challenge: None,
        step_ups: 0,
        updated_at: inner.parts.clock.now(),
    };
    inner.rows(key).update_connection(&connection).await
}
