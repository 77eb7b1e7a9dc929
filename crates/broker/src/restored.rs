//! A database that came from a backup: what may be sent, and what is no longer taken for granted.
//!
//! A copy of an installation is dangerous while the original lives: each would rotate the other's
//! refresh tokens away, and a strict issuer then ends the whole grant (F31, F33). So a copy sends
//! nothing to an issuer until a person says that it is the live one.

use core::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::Arc;

use claviger_model::{
    Auth, Credential, CredentialKey, Installation, OauthSettings, Server, Timestamp,
};

use crate::broker::Inner;
use crate::cache::Held;
use crate::refresh::{Landed, Seen};
use crate::serve::can_renew;
use crate::{Broker, HoldError};

/// What to do about a copy that is held.
pub(crate) const HELD: &str = "this installation is a restored copy that nobody has called the live \
     one, so it sends nothing to an issuer; its operator runs `claviger restore --confirm-live`";

/// What the broker knows of the installation. In memory, since every request asks.
#[derive(Debug)]
pub(crate) struct Restored {
    is_held: AtomicBool,
    /// When it was restored, in whole seconds; [`NEVER`] if never.
    at: AtomicI64,
}

/// What a second look at a credential from a backup came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recheck {
    /// It ended: the issuer no longer takes it.
    Ended,
    /// The issuer did not answer, or a setting is wrong; nothing was ended.
    Later,
    /// It needs no second look.
    NotNeeded,
    /// It was renewed.
    Renewed,
}

const NEVER: i64 = i64::MIN;

// === impl Restored ===

impl Default for Restored {
    fn default() -> Self {
        Self {
            is_held: AtomicBool::new(false),
            at: AtomicI64::new(NEVER),
        }
    }
}

// === impl Broker ===

impl Broker {
    /// What the database says of itself: whether this copy may send anything to an issuer, and
    /// since when what it holds is its own.
    pub fn set_installation(&self, installation: &Installation) {
        let restored = &self.inner.restored;
        let at = installation.restored_at.map_or(NEVER, Timestamp::as_secs);
        restored.at.store(at, Ordering::Release);
        restored
            .is_held
            .store(installation.is_held, Ordering::Release);
    }

    /// Whether this is a copy that nobody called the live one (F33).
    pub fn is_held(&self) -> bool {
        self.inner.is_held()
    }

    /// Whether a credential is older than the last restore, so that the issuer may have rotated it
    /// since the backup.
    pub fn came_from_backup(&self, row: &Credential) -> bool {
        self.inner.came_from_backup(row)
    }

    /// Renews a credential that came from a backup, in the one flight there is for it.
    pub async fn recheck(
        &self,
        server: &Server,
        key: &CredentialKey,
    ) -> Result<Recheck, HoldError> {
        let inner = &self.inner;
        let Auth::Oauth(settings) = &server.auth else {
            return Ok(Recheck::NotNeeded);
        };
        let Some(held) = inner.reread(server, key).await? else {
            return Ok(Recheck::NotNeeded);
        };
        if !inner.wants_recheck(&held) {
            return Ok(Recheck::NotNeeded);
        }
        let seen = Seen::of(&held.row);
        let landed = inner.renew_patiently(server, settings, key, seen).await;
        Ok(match landed {
            Landed::Fresh(_) => Recheck::Renewed,
            Landed::Ended(_) => Recheck::Ended,
            Landed::Misconfigured(_) | Landed::Unreachable { .. } => Recheck::Later,
        })
    }
}

// === impl Inner ===

impl Inner {
    pub(crate) fn is_held(&self) -> bool {
        self.restored.is_held.load(Ordering::Acquire)
    }

    /// The second of the restore counts as before it: one refresh too many does no harm.
    pub(crate) fn came_from_backup(&self, row: &Credential) -> bool {
        row.obtained_at.as_secs() <= self.restored.at.load(Ordering::Acquire)
    }

    /// F31: whether its refresh token has to be tried before it counts as ours again.
    pub(crate) fn wants_recheck(&self, held: &Held) -> bool {
        self.is_from_backup(held) && !self.is_held()
    }

    pub(crate) fn is_from_backup(&self, held: &Held) -> bool {
        held.row.is_refreshable && self.came_from_backup(&held.row)
    }

    /// Starts the renewal of a credential that is served meanwhile.
    pub(crate) fn start_quiet_renewal(
        self: &Arc<Self>,
        server: &Server,
        settings: &OauthSettings,
        key: &CredentialKey,
        held: &Held,
    ) {
        let seen = Seen::of(&held.row);
        if !self.is_held() && can_renew(held, settings) && self.paused(key, &seen).is_none() {
            drop(self.start_renewal(server, settings, key, seen));
        }
    }
}
