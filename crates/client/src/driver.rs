//! Runs an errand through the doors.

use claviger_ports::{Clock, Fetch, Reach};

use crate::{Machine, Need, Step};

/// Runs `machine` to its end: needs go through `fetch`, within `reach`. The events stay in the
/// machine until they are drained.
pub async fn run<T: Clone>(
    machine: &mut Machine<T>,
    fetch: &dyn Fetch,
    reach: &Reach,
    clock: &dyn Clock,
) -> T {
    loop {
        match machine.step(clock.now()) {
            Step::Done(end) => return end,
            Step::Need(Need::Http(request)) => {
                let answer = fetch.fetch(request, reach).await;
                machine.answer(answer);
            }
        }
    }
}
