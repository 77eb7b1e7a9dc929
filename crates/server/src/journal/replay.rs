//! What dead processes left is stored as soon as somebody lives who can.

use core::future::Future;
use core::time::Duration;
use std::sync::Arc;

use claviger_broker::Broker;
use claviger_ports::Clock;

/// How often journals of others are looked for. An issuer that takes the token before for a while
/// gives tens of seconds.
const EVERY: Duration = Duration::from_secs(3);

/// Replays journals until `closed` resolves. A replay that began is finished.
pub(crate) async fn replay_often(
    broker: Broker,
    clock: Arc<dyn Clock>,
    closed: impl Future<Output = ()>,
) {
    let mut closed = core::pin::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = clock.sleep(EVERY) => {}
        }
        broker.rescue().await;
    }
}
