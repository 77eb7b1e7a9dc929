//! Keys that grow old get a new generation by themselves.

use core::future::Future;
use core::time::Duration;
use std::sync::Arc;

use claviger_broker::{Turn, TurnEvent};
use claviger_model::Timestamp;

use crate::app::App;

/// Not at once: a start is busy enough.
const FIRST: Duration = Duration::from_mins(10);

/// Often enough for a setting in days.
const EVERY: Duration = Duration::from_hours(1);

/// Looks every hour whether a key is older than `days`, until `closed` resolves. Every node does:
/// of several that make a generation one wins, and sealing a row anew twice does no harm.
pub(crate) async fn keep_young(app: Arc<App>, days: u32, closed: impl Future<Output = ()>) {
    if days == 0 {
        return;
    }
    let mut closed = core::pin::pin!(closed);
    let mut pause = FIRST;
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = app.clock.sleep(pause) => {}
        }
        pause = EVERY;
        turn(&app, days).await;
    }
}

async fn turn(app: &App, days: u32) {
    let age_s = i64::from(days) * 86_400;
    let turn = Turn {
        made_before: Some(Timestamp::from_secs(app.clock.now().as_secs() - age_s)),
        ..Turn::default()
    };
    let mut on = |event| match event {
        TurnEvent::Renewed(key) => tracing::info!(%key, "a key is old and gets a successor"),
        TurnEvent::Broken { what, why } => {
            tracing::error!(what, why, "a stored secret does not open");
        }
        _ => {}
    };
    if let Err(error) = app.broker.turn_keys(&turn, &mut on).await {
        tracing::warn!(%error, "the keys were not looked after; trying again later");
    }
}
