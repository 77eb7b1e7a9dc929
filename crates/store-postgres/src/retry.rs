//! Units of work that were undone because another one came first.

use claviger_store::StoreError;

use crate::error::Failure;

/// Does the work, again if the database undid it for the sake of another unit. Whoever is undone
/// holds nothing any more, so that the other goes on and there is nothing to wait for.
pub(crate) async fn retry<T, F>(work: impl Fn() -> F + Send) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Failure>> + Send,
{
    for _ in 0..ATTEMPTS {
        match work().await {
            Ok(done) => return Ok(done),
            Err(Failure::Again) => {}
            Err(Failure::Told(error)) => return Err(error),
        }
    }
    Err(StoreError::Busy)
}

const ATTEMPTS: usize = 8;
