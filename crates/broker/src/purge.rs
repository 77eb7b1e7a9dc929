//! Changing and removing servers: what was obtained under settings that are gone ends with them,
//! here at once and at the issuer as soon as it answers (G6).

use claviger_model::{
    AccountName, Credential, CredentialKey, Fault, Reason, Server, ServerId, UserId,
};
use claviger_store::{Purged, StoreError};

use crate::broker::Inner;
use crate::disconnect::AtIssuer;
use crate::keep::MOST_RACES;
use crate::owed::{Owing, queued};
use crate::terms::Terms;
use crate::{Act, Broker, HoldError, Note};

/// What a change did besides being stored.
#[derive(Debug, Default)]
pub struct ServerChange {
    /// The settings whose change ended what was obtained: `url`, `auth`, `grant`, `client`,
    /// `issuer`, `scopes`.
    pub settings: Vec<&'static str>,
    /// What ended here; [`Broker::revoke_ended`] tells its issuers.
    pub ended: Ending,
}

/// Credentials that ended here and whose issuers have not been told yet. Whoever drops it leaves
/// that to the queue.
#[derive(Debug, Default)]
pub struct Ending(Vec<(CredentialKey, Owing)>);

/// A credential that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Whose it was.
    pub user: UserId,
    /// At which server. It may be gone.
    pub server: ServerId,
    /// Under which account.
    pub account: AccountName,
    /// What the issuer said.
    pub at_issuer: AtIssuer,
}

/// Why a server was not changed or removed. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It is another one by now than the one that was to be changed.
    #[error("somebody else changed the server meanwhile")]
    Another,
    /// The server is not there any more.
    #[error("the server was removed meanwhile")]
    Gone,
    /// Rows or seals.
    #[error("could not change the server")]
    Hold {
        /// The cause.
        #[source]
        source: HoldError,
    },
    /// It would end what other people hold, and nobody agreed to that.
    #[error("this would end the connections of {users} other users")]
    OthersConnected {
        /// How many.
        users: usize,
    },
}

/// Whose credentials may end with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayEnd<'a> {
    /// Everybody's.
    All,
    /// Only those of this user.
    OnlyOf(&'a UserId),
}

// === impl Broker ===

impl Broker {
    /// Stores `new` in place of `old`, if that is what is stored. Where that changes what
    /// credentials depend on, they end in the same transaction, with the sign-ins under way and the
    /// client information.
    pub async fn change_server(
        &self,
        old: &Server,
        new: &Server,
        may_end: MayEnd<'_>,
    ) -> Result<ServerChange, ChangeError> {
        let inner = &self.inner;
        let rows = inner.parts.store.tenant(&old.tenant);
        for _ in 0..MOST_RACES {
            let held = rows.list_credentials(&old.id).await?;
            let settings = Terms::of(old).ended_by(&Terms::of(new), &held);
            if settings.is_empty() {
                let audit = &inner.parts.audit;
                let note = Note::server(Act::ServerSet, new).by(self.by());
                let (draft, recorded) = audit.change(&old.tenant, note).await?;
                return match draft.settle(recorded.update_server(old, new).await) {
                    Ok(true) => Ok(ServerChange::default()),
                    Ok(false) => Err(ChangeError::Gone),
                    Err(StoreError::Conflict) => Err(ChangeError::Another),
                    Err(error) => Err(error.into()),
                };
            }
            let (purged, owing) = inner
                .purged(old, held, Reason::SettingsChanged, may_end)
                .await?;
            let note = Note::server(Act::ServerSet, new).with("settings", settings.join(" "));
            let notes = self.purge_notes(note, old, &purged);
            let audit = &inner.parts.audit;
            let (draft, recorded) = audit.change_with(&old.tenant, notes).await?;
            match draft.settle(recorded.purge_server(old, new, &purged).await) {
                Ok(true) => {
                    claviger_ports::failpoint_in_task!("revoke.after_end");
                    let ended = inner.purge_done(&old.id, purged, owing);
                    return Ok(ServerChange { settings, ended });
                }
                Ok(false) => return Err(ChangeError::Gone),
                // A refresh or a sign-in came in between: what it stored has to go. Or somebody changed
                // the server, which is not ours to undo.
                Err(StoreError::Conflict) => {
                    if rows.find_server_by_id(&old.id).await?.as_ref() != Some(old) {
                        return Err(ChangeError::Another);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Removes a server and everything that hangs on it, everybody's credentials included.
    pub async fn remove_server(
        &self,
        server: &Server,
        may_end: MayEnd<'_>,
    ) -> Result<Ending, ChangeError> {
        let inner = &self.inner;
        let rows = inner.parts.store.tenant(&server.tenant);
        for _ in 0..MOST_RACES {
            let held = rows.list_credentials(&server.id).await?;
            let (purged, owing) = inner
                .purged(server, held, Reason::Disconnected, may_end)
                .await?;
            let note = Note::server(Act::ServerRemove, server);
            let notes = self.purge_notes(note, server, &purged);
            let audit = &inner.parts.audit;
            let (draft, recorded) = audit.change_with(&server.tenant, notes).await?;
            match draft.settle(recorded.surrender_server(&server.id, &purged).await) {
                Ok(true) => {
                    claviger_ports::failpoint_in_task!("revoke.after_end");
                    return Ok(inner.purge_done(&server.id, purged, owing));
                }
                Ok(false) => return Err(ChangeError::Gone),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The entries of a change: of itself, of every credential that ends with it, and of what that
    /// leaves to do at issuers.
    fn purge_notes(&self, change: Note, server: &Server, purged: &[Purged]) -> Vec<Note> {
        let by = self.by();
        let change = change.by(by.clone()).with("ended", purged.len());
        let mut notes = vec![change];
        for one in purged {
            let owed = one.revocation.as_ref();
            let note = Note::credential(Act::CredentialPurge, server, &one.connection.key)
                .by(by.clone())
                .with("is_owed", owed.is_some());
            notes.push(note);
            notes.extend(owed.map(queued));
        }
        notes
    }

    /// Tells the issuers of what ended; says what they made of it within a few seconds.
    pub async fn revoke_ended(&self, ended: Ending) -> Vec<Ended> {
        let (keys, owings): (Vec<_>, Vec<_>) = ended.0.into_iter().unzip();
        let at_issuers = self.inner.at_issuers(owings).await;
        let ended = keys.into_iter().zip(at_issuers);
        ended
            .map(|(key, at_issuer)| Ended {
                user: key.user,
                server: key.server,
                account: key.account,
                at_issuer,
            })
            .collect()
    }
}

// === impl Ending ===

impl Ending {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing ended.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn extend(&mut self, more: Vec<(CredentialKey, Owing)>) {
        self.0.extend(more);
    }
}

// === impl Inner ===

impl Inner {
    /// The ends of everything that is held for a server.
    async fn purged(
        &self,
        server: &Server,
        held: Vec<Credential>,
        reason: Reason,
        may_end: MayEnd<'_>,
    ) -> Result<(Vec<Purged>, Vec<Owing>), ChangeError> {
        if let MayEnd::OnlyOf(user) = may_end {
            let mut others: Vec<_> = held.iter().map(|row| &row.key.user).collect();
            others.retain(|one| *one != user);
            others.sort();
            others.dedup();
            if !others.is_empty() {
                let users = others.len();
                return Err(ChangeError::OthersConnected { users });
            }
        }
        let (mut purged, mut owings) = (Vec::new(), Vec::new());
        for row in held {
            let owing = self.owing(server, &row).await?;
            purged.push(Purged {
                connection: self.ended_connection(&row.key, reason),
                revocation: match &owing {
                    Owing::Row(owed) => Some((**owed).clone()),
                    Owing::Cannot(_) | Owing::NotOffered => None,
                },
                fingerprint: row.fingerprint,
            });
            owings.push(owing);
        }
        Ok((purged, owings))
    }

    /// Forgets what ended.
    fn purge_done(&self, server: &ServerId, purged: Vec<Purged>, owings: Vec<Owing>) -> Ending {
        self.cache.forget_server(server);
        let keys = purged.into_iter().map(|one| one.connection.key);
        let ended: Vec<_> = keys.zip(owings).collect();
        for (key, _) in &ended {
            self.pauses.forget(key);
            self.tickets.forget(key);
        }
        Ending(ended)
    }

    /// Whether the server still is what a long errand was begun for.
    pub(crate) async fn is_still(&self, server: &Server) -> Result<bool, StoreError> {
        let rows = self.parts.store.tenant(&server.tenant);
        let stored = rows.find_server_by_id(&server.id).await?;
        let is_same = |stored: Server| Terms::of(server).hold_under(&Terms::of(&stored));
        Ok(stored.is_some_and(is_same))
    }
}

// === impl ChangeError ===

impl ChangeError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Another | Self::Gone | Self::OthersConnected { .. } => Fault::Caller,
            Self::Hold { source } => source.fault(),
        }
    }

    /// A stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Another => "changed_meanwhile",
            Self::Gone => "unknown_server",
            Self::Hold { .. } => "credential",
            Self::OthersConnected { .. } => "others_connected",
        }
    }
}

impl From<HoldError> for ChangeError {
    fn from(source: HoldError) -> Self {
        Self::Hold { source }
    }
}

impl From<StoreError> for ChangeError {
    fn from(source: StoreError) -> Self {
        HoldError::from(source).into()
    }
}
