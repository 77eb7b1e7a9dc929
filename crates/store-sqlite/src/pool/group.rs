//! What several units of work have in common: one transaction, and one answer to all of them.

use core::mem;
use std::sync::Arc;

use claviger_store::StoreError;
use futures_util::future::BoxFuture;
use sqlx::{Sqlite, Transaction, query};
use tokio::sync::watch;

use crate::error::{SharedError, is_busy};

/// What whoever has the turn finds.
#[derive(Default)]
pub(crate) enum Turn {
    /// Nobody writes.
    #[default]
    Idle,
    /// A transaction that takes further units.
    Open(Group),
    /// A commit under way. It is kept here, and not by whoever began it: the next one goes on with
    /// it where that one was given up.
    Ending(BoxFuture<'static, sqlx::Result<()>>, Tell),
}

/// One transaction, and the units of work in it.
pub(crate) struct Group {
    pub(super) db: Transaction<'static, Sqlite>,
    /// How many units are in it for good.
    kept: usize,
    savepoint: Savepoint,
    /// The one unit there was did not keep anything.
    is_over: bool,
    tell: Tell,
}

/// Where the savepoint of the unit at work is, as far as that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Savepoint {
    /// There is none.
    None,
    /// It was asked for.
    Asked,
    /// It is set.
    Set,
    /// What was done behind it is settled either way, and it is to go.
    Going,
}

/// How a group ended.
#[derive(Debug, Clone)]
enum Ended {
    /// It is on the disk.
    Committed,
    /// It is not, or nobody knows.
    Failed(SharedError),
    /// There was nothing to commit, and nobody else saw it.
    Undone,
}

/// Tells every unit of a group how it ended. Dropped without a word, it tells that it failed.
pub(crate) struct Tell(watch::Sender<Option<Ended>>);

/// Hears how a group ended.
#[derive(Debug, Clone)]
pub(crate) struct Told(watch::Receiver<Option<Ended>>);

/// At most so many units in one transaction: the first of them waits for all.
const MOST: usize = 64;

// === impl Turn ===

impl Turn {
    /// The group that takes one more unit, if there is one. One that takes no more is ended.
    pub(super) async fn make_room(&mut self) -> Option<&mut Group> {
        let has_room = match self {
            Self::Open(group) => group.has_room().await,
            _ => false,
        };
        if !has_room {
            self.end().await;
        }
        match self {
            Self::Open(group) => Some(group),
            _ => None,
        }
    }

    /// Commits what is there and tells everybody. Given up half-way, it is gone on with by
    /// whoever has the turn next.
    pub(super) async fn end(&mut self) {
        if let Self::Open(group) = self {
            let is_there = group.is_over || group.is_at_peace().await;
            let Self::Open(group) = mem::take(self) else {
                return;
            };
            if group.is_over {
                return;
            }
            if !is_there {
                return group.tell.tell(Ended::Failed(SharedError::TakenBack));
            }
            *self = Self::Ending(Box::pin(group.db.commit()), group.tell);
        }
        let Self::Ending(commit, tell) = self else {
            return;
        };
        let ended = match commit.await {
            Ok(()) => Ended::Committed,
            Err(source) => Ended::Failed(SharedError::Commit {
                source: Arc::new(source),
            }),
        };
        tell.tell(ended);
        *self = Self::Idle;
    }

    pub(super) fn group_mut(&mut self) -> Option<&mut Group> {
        match self {
            Self::Open(group) => Some(group),
            _ => None,
        }
    }
}

// === impl Group ===

impl Group {
    pub(super) fn new(db: Transaction<'static, Sqlite>) -> Self {
        Self {
            db,
            kept: 0,
            savepoint: Savepoint::None,
            is_over: false,
            tell: Tell(watch::channel(None).0),
        }
    }

    pub(super) fn told(&self) -> Told {
        Told(self.tell.0.subscribe())
    }

    /// A further unit can be undone alone.
    pub(super) async fn set_savepoint(&mut self) -> sqlx::Result<()> {
        self.savepoint = Savepoint::Asked;
        self.run("SAVEPOINT unit").await?;
        self.savepoint = Savepoint::Set;
        Ok(())
    }

    /// The unit at work is done.
    pub(super) async fn keep(&mut self) -> sqlx::Result<()> {
        if self.savepoint == Savepoint::Set {
            self.savepoint = Savepoint::Going;
            self.run("RELEASE unit").await?;
            self.savepoint = Savepoint::None;
        }
        self.kept += 1;
        Ok(())
    }

    /// The unit at work is not wanted. What it did is undone before anybody else is at it.
    pub(super) fn give_up(&mut self) {
        if self.kept == 0 && self.savepoint == Savepoint::None {
            self.is_over = true;
            self.tell.tell(Ended::Undone);
        }
    }

    async fn has_room(&mut self) -> bool {
        !self.is_over && self.kept < MOST && self.is_at_peace().await
    }

    /// Undoes what a unit left that was given up. False where SQLite took back the whole
    /// transaction, as it does by itself when the disk is full or fails (F11).
    async fn is_at_peace(&mut self) -> bool {
        let found = self.savepoint;
        if found == Savepoint::None {
            return true;
        }
        if self.run("ROLLBACK TO unit").await.is_ok() {
            self.savepoint = Savepoint::Going;
            if self.run("RELEASE unit").await.is_err() {
                return false;
            }
        } else if found == Savepoint::Set {
            return false;
        }
        // Otherwise it is not there because it was not set yet, or went already.
        self.savepoint = Savepoint::None;
        true
    }

    async fn run(&mut self, statement: &'static str) -> sqlx::Result<()> {
        query(statement).execute(&mut *self.db).await.map(drop)
    }
}

// === impl Tell ===

impl Tell {
    fn tell(&self, ended: Ended) {
        self.0.send_replace(Some(ended));
    }
}

// === impl Told ===

impl Told {
    /// What was told, if anything was.
    pub(super) fn now(&self) -> Option<Result<(), StoreError>> {
        let is_silent = self.0.has_changed().is_err();
        match &*self.0.borrow() {
            Some(Ended::Committed | Ended::Undone) => Some(Ok(())),
            Some(Ended::Failed(error)) => Some(Err(failed(error.clone()))),
            None => is_silent.then(|| Err(failed(SharedError::TakenBack))),
        }
    }

    /// Waits until it is told.
    pub(super) async fn hear(&mut self) -> Result<(), StoreError> {
        // Whoever would tell may be gone, which says it as well.
        self.0.wait_for(Option::is_some).await.ok();
        self.now()
            .unwrap_or_else(|| Err(failed(SharedError::TakenBack)))
    }
}

fn failed(error: SharedError) -> StoreError {
    match &error {
        SharedError::Commit { source } if is_busy(source) => StoreError::Busy,
        _ => StoreError::Failed {
            source: error.into(),
        },
    }
}
