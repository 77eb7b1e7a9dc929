//! The rescue journal: what must survive a crash before the database has it.

use async_trait::async_trait;

/// Why an entry could not be made durable.
#[derive(Debug, thiserror::Error)]
#[error("could not write the journal")]
pub struct JournalError {
    /// The cause.
    #[source]
    pub source: std::io::Error,
}

/// An entry of this process's journal, until it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

/// Appends sealed entries and makes them durable.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends one sealed entry and returns once it is on disk.
    async fn append(&self, entry: &[u8]) -> Result<EntryId, JournalError>;

    /// The database has it, or will never need it. Waits for nothing: an entry whose settling is
    /// lost is offered to the database once more, which knows better.
    fn settle(&self, entry: EntryId);

    /// It can never be used: it is kept aside for people, and not offered again.
    fn refuse(&self, entry: EntryId);

    /// Takes over what processes that died left behind: each entry is told once, and is ours to
    /// settle. What cannot be read is said in the log.
    async fn adopt(&self) -> Vec<(EntryId, Vec<u8>)>;

    /// What all journals on this machine hold and nobody has settled, those of processes that live
    /// among them. Nothing is taken over.
    async fn peek(&self) -> Vec<Vec<u8>>;
}
