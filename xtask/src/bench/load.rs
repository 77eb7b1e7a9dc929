//! A closed loop: every connection asks, waits for the answer, and asks again.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::machine::now;

use super::wire::Connection;

/// What one candidate did in one round.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) took: Duration,
    /// One entry per answer, in nanoseconds, sorted.
    pub(crate) latencies: Vec<u64>,
}

// === impl Load ===

impl Load {
    pub(crate) fn rate(&self) -> f64 {
        as_f64(self.latencies.len()) / self.took.as_secs_f64()
    }

    /// The latency that `percent` of the answers stayed below, in microseconds.
    pub(crate) fn percentile_us(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let latency = self.latencies.get(last * percent / 100).copied();
        Duration::from_nanos(latency.unwrap_or_default()).as_secs_f64() * 1e6
    }
}

/// Sends `request` again and again over `connections` connections for `span`.
pub(crate) fn run(
    request: &[u8],
    address: SocketAddr,
    connections: usize,
    span: Duration,
) -> Result<Load> {
    let start = now();
    let end = start + span;
    let answers: Vec<Result<Vec<u64>>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| loop_until(end, request, address)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .map_err(|_panic| anyhow!("a worker of the load ended badly"))?
            })
            .collect()
    });
    let took = now() - start;
    let mut latencies = Vec::new();
    for answer in answers {
        latencies.extend(answer?);
    }
    latencies.sort_unstable();
    Ok(Load { took, latencies })
}

fn loop_until(end: Instant, request: &[u8], address: SocketAddr) -> Result<Vec<u64>> {
    let mut connection = Connection::open(address)?;
    let mut latencies = Vec::new();
    let mut before = now();
    while before < end {
        connection.send(request)?;
        let answer = connection.receive()?.context("the connection was closed")?;
        let after = now();
        if !answer.first.contains(" 200") {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("{address} answered {}: {body}", answer.first);
        }
        latencies.push(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX));
        before = after;
    }
    Ok(latencies)
}

/// A count as a number to divide; no count here comes near the limit of a float.
pub(crate) fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_from_the_sorted_list() {
        let load = Load {
            took: Duration::from_secs(2),
            latencies: (1..=100).map(|us| us * 1000).collect(),
        };
        assert!((load.rate() - 50.0).abs() < f64::EPSILON);
        assert!((load.percentile_us(50) - 50.0).abs() < 1e-6);
        assert!((load.percentile_us(99) - 99.0).abs() < 1e-6);
    }
}
