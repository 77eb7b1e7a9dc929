//! A closed gate: holds an answer back until the test opens it.

use tokio::sync::watch;

/// Whoever passes waits until the gate is open.
#[derive(Debug, Clone)]
pub struct Gate {
    open: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
}

// === impl Gate ===

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self {
            open: watch::Sender::new(false),
            arrived: watch::Sender::new(0),
        }
    }

    /// Lets everybody through, those waiting and those to come.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until `count` have come to the gate, whether or not they passed.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        arrived
            .wait_for(|seen| *seen >= count)
            .await
            .expect("the gate holds its own sender");
    }

    /// How many have come to the gate.
    pub fn arrivals(&self) -> usize {
        *self.arrived.borrow()
    }

    /// Comes to the gate and waits until it is open.
    pub async fn pass(&self) {
        let mut open = self.open.subscribe();
        self.arrived.send_modify(|seen| *seen += 1);
        open.wait_for(|open| *open)
            .await
            .expect("the gate holds its own sender");
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::Gate;

    #[tokio::test]
    async fn holds_until_it_is_opened() {
        let gate = Gate::closed();
        let mut held = Box::pin(gate.pass());
        assert!((&mut held).now_or_never().is_none());
        gate.arrived(1).await;
        gate.open();
        held.await;
        gate.pass().await;
        assert_eq!(gate.arrivals(), 2);
    }
}
