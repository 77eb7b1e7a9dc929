//! Every ten minutes: what has done its duty goes.

use core::time::Duration;
use std::sync::Arc;

use claviger_broker::Broker;
use claviger_ports::{Clock, Entropy};

const EVERY: Duration = Duration::from_mins(10);

/// Sweeps until `closed` resolves. Nodes that started together drift apart, and where two sweep at
/// once nothing is lost by it.
pub(crate) async fn run(
    broker: Broker,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    closed: impl Future<Output = ()>,
) {
    let mut closed = core::pin::pin!(closed);
    loop {
        let [first, ..] = entropy.id_bytes();
        tokio::select! {
            () = &mut closed => return,
            () = clock.sleep(pause(first)) => {}
        }
        match broker.sweep().await {
            Ok(swept) => tracing::debug!(
                rows = swept.rows,
                registrations = swept.registrations,
                "swept what has done its duty"
            ),
            // The next one does what this one did not.
            Err(error) => tracing::warn!(%error, "could not sweep"),
        }
    }
}

/// Between four and six fifths of the time.
fn pause(jitter: u8) -> Duration {
    EVERY * (4 * 255 + 2 * u32::from(jitter)) / (5 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_drift_apart() {
        assert_eq!(pause(0), EVERY * 4 / 5);
        assert_eq!(pause(255), EVERY * 6 / 5);
        assert!(pause(100) < pause(101));
    }
}
