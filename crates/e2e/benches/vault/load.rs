//! A closed loop: every worker does one thing after the other.

use core::cell::Cell;
use core::time::Duration;
use std::time::Instant;

use anyhow::Result;
use futures_util::future::try_join_all;

/// What one candidate did in one round.
#[derive(Debug)]
pub(crate) struct Load {
    took: Duration,
    /// Sorted; of calls that are too short for a clock, one in so many.
    latencies: Vec<Duration>,
    calls: usize,
}

// === impl Load ===

impl Load {
    pub(crate) fn new(took: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self {
            took,
            calls: latencies.len(),
            latencies,
        }
    }

    pub(crate) fn rate(&self) -> f64 {
        let calls = u32::try_from(self.calls).unwrap_or(u32::MAX);
        f64::from(calls) / self.took.as_secs_f64()
    }

    /// The latency that so many of a hundred stayed below, in microseconds.
    pub(crate) fn percentile_us(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let latency = self.latencies.get(last * percent / 100).copied();
        latency.unwrap_or_default().as_secs_f64() * 1e6
    }
}

/// Calls `work` with a number of its own again and again, so many at once, in one task: what is
/// measured is not the scheduler of the benchmark. Worker `w` gets `w`, `w + in_flight` and so on.
pub(crate) async fn closed_loop(
    in_flight: usize,
    span: Duration,
    work: impl AsyncFn(usize) -> Result<()>,
) -> Result<Load> {
    let begun = now();
    let worker = async |number: usize| -> Result<(usize, Vec<Duration>)> {
        let (mut call, mut latencies) = (number, Vec::new());
        let batch = Cell::new(1);
        let mut calls = 0;
        while begun.elapsed() < span {
            let before = now();
            for _ in 0..batch.get() {
                work(call).await?;
                call += in_flight;
            }
            calls += batch.get();
            let each = before.elapsed() / u32::try_from(batch.get())?;
            latencies.push(each);
            // The clock costs some 30 ns; it is asked once in a hundred short calls.
            batch.set(if each < Duration::from_micros(10) {
                100
            } else {
                1
            });
        }
        Ok((calls, latencies))
    };
    let all = try_join_all((0..in_flight).map(worker)).await?;
    let took = begun.elapsed();
    let calls = all.iter().map(|(calls, _)| calls).sum();
    let latencies = all.into_iter().flat_map(|(_, latencies)| latencies);
    let load = Load::new(took, latencies.collect());
    Ok(Load { calls, ..load })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, and only here"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
