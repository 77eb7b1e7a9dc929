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

/// Appends sealed entries and makes them durable.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends one sealed entry and returns once it is on disk.
    async fn append(&self, entry: &[u8]) -> Result<(), JournalError>;
}
