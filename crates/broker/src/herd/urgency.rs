//! Whether somebody waits for a flight that is under way.

use tokio::sync::watch;

/// Heard by the flight, and told by whoever joins it.
#[derive(Debug, Clone)]
pub(crate) struct Urgency {
    told: watch::Receiver<bool>,
}

// === impl Urgency ===

impl Urgency {
    /// Not waited for yet unless `is_waited_for`, and the means to change that.
    pub(crate) fn new(is_waited_for: bool) -> (watch::Sender<bool>, Self) {
        let (tell, told) = watch::channel(is_waited_for);
        (tell, Self { told })
    }

    /// Waited for from the start.
    pub(crate) fn waited() -> Self {
        Self::new(true).1
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        *self.told.borrow()
    }

    /// Resolves once somebody waits for it; never, if nobody can any more.
    pub(crate) async fn waited_for(&mut self) {
        if self
            .told
            .wait_for(|is_waited_for| *is_waited_for)
            .await
            .is_err()
        {
            core::future::pending::<()>().await;
        }
    }
}
