//! F26 and A132: the clock of one node is wrong.

use std::sync::Arc;
use std::time::Duration;

use crate::issuer::{Issuer, Mode};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

const OFFSETS: [&str; 4] = ["+600", "-600", "+3600", "-3600"];
const CALLS: usize = 40;

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    vec![Scenario {
        ids: "F26 A132",
        title: "one node's clock is 10 minutes or an hour off: no storm, no early end",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    if !at.has_failpoints {
        return Outcome::no_failpoints();
    }
    let mut outcome = Outcome::default();
    for name in ["calls", "served", "refreshes"] {
        outcome.count(name, 0);
    }
    for offset in OFFSETS {
        let issuer = Issuer::start(Mode::Strict, at.seed).await;
        let Some(mut cluster) = Cluster::start(&at.binary, at.backend, 2).await else {
            return Outcome::no_postgres();
        };
        cluster.stop(1).await;
        let clock = [("CLAVIGER_FAILPOINTS", format!("clock={offset}"))];
        cluster.serve(1, &clock).await.unwrap();
        // Shorter than an hour, longer than ten minutes.
        issuer.script(|script| script.life = Duration::from_mins(20));
        cluster.link(&issuer, 1).await;
        for call in 0..CALLS {
            let heard = cluster.call(call % 2, "s0").await;
            outcome.count("calls", 1);
            outcome.count("served", u64::from(heard.is_ok()));
            outcome.must(heard.is_ok(), || {
                format!("{offset} s, call {call}: {heard:?}")
            });
        }
        let after = issuer.counts();
        let refreshes = after.rotations;
        outcome.count("refreshes", refreshes);
        outcome.must(refreshes <= 3 && after.reuses == 0, || {
            format!("{offset} s: {refreshes} refreshes for {CALLS} calls, {after:?}")
        });
        outcome.rounds += 1;
    }
    outcome
}
