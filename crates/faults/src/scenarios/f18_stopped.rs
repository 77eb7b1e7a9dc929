//! F18: a node is stopped (SIGSTOP) for longer than its lease, in the middle of a refresh.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::http::{ask, call};
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario, lanes};

/// A lease is 15 s long; a busy machine needs more than that.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long the node that woke up has before the other answer arrives.
const AWAKE: Duration = Duration::from_secs(2);

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    vec![Scenario {
        ids: "F18",
        title: "SIGSTOP beyond the lease during a refresh, the other node takes over",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

/// Both issuers, and the second answer before or after the first node wakes up.
const WAYS: [(Mode, bool); 4] = [
    (Mode::Tolerant, false),
    (Mode::Tolerant, true),
    (Mode::Strict, false),
    (Mode::Strict, true),
];

async fn run(at: Arc<Circumstances>) -> Outcome {
    let rounds = at.rounds(1, 25);
    let ways = u64::try_from(WAYS.len()).unwrap_or(0);
    lanes(&at, ways, move |at, lane| async move {
        let (mode, is_late) = WAYS[usize::try_from(lane).unwrap_or(0)];
        let mut outcome = Outcome::default();
        for name in ["requests", "lost", "marked"] {
            outcome.count(name, 0);
        }
        for round in 0..rounds {
            let Some(cluster) = Cluster::start(&at.binary, at.backend, 2).await else {
                return Outcome::no_postgres();
            };
            let issuer = Issuer::start(mode, at.seed + round).await;
            let stop = Stop {
                what: format!(
                    "{mode:?}, the other answer {}",
                    if is_late { "after" } else { "before" }
                ),
                mode,
                is_late,
                issuer,
                cluster,
            };
            if let Err(why) = stop.pass(&mut outcome).await {
                let (what, talk) = (&stop.what, stop.cluster.talk());
                outcome.broke(format!("{what}: {why}{talk}"));
            }
            outcome.rounds += 1;
        }
        outcome
    })
    .await
}

struct Stop {
    what: String,
    mode: Mode,
    /// The second answer is still under way when the first node wakes up.
    is_late: bool,
    issuer: Issuer,
    cluster: Cluster,
}

// === impl Stop ===

impl Stop {
    async fn pass(&self, outcome: &mut Outcome) -> Result<(), String> {
        let (issuer, cluster) = (&self.issuer, &self.cluster);
        cluster.link(issuer, 1).await;
        sleep(Duration::from_millis(1_050)).await;
        issuer.quiet().await;
        // The answers wait behind their commits until we say so.
        issuer.script(|script| {
            script.is_held = true;
            script.life = Duration::from_secs(3);
        });
        let (before, began) = (issuer.counts(), Instant::now());
        let node = cluster.node(0);
        let first = tokio::spawn(ask(call(&node.mcp("s0"), &node.token), PATIENCE));
        if !issuer.committed(began, 1).await {
            return Err("the first refresh did not arrive".to_owned());
        }
        cluster.freeze(0).await;
        // It lies in the socket of a process that sleeps.
        issuer.script(|script| script.is_held = false);
        issuer.quiet().await;
        issuer.script(|script| script.is_held = self.is_late);
        let other = cluster.node(1);
        let second = tokio::spawn(ask(call(&other.mcp("s0"), &other.token), PATIENCE));
        // The lease runs out by itself, and the other node sends the same token.
        while issuer.requests_since(began).len() < 2 && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(10)).await;
        }
        let waited = began.elapsed();
        outcome.highest("slowest takeover s", waited.as_secs());
        if issuer.requests_since(began).len() < 2 {
            return Err(format!("nobody took over within {waited:?}"));
        }
        if self.is_late {
            node.signal("CONT").await;
            sleep(AWAKE).await;
            issuer.script(|script| script.is_held = false);
            second.await.ok();
        } else {
            second.await.ok();
            node.signal("CONT").await;
        }
        first.await.ok();
        let sent = issuer.counts().requests - before.requests;
        outcome.count("requests", sent);
        // With a strict issuer what was put back may be tried once.
        let most = if self.mode == Mode::Tolerant { 2 } else { 3 };
        outcome.must(sent <= most, || format!("{}: {sent} requests", self.what));
        self.prove(outcome).await
    }

    /// One more refresh shows what is in the vault.
    async fn prove(&self, outcome: &mut Outcome) -> Result<(), String> {
        sleep(Duration::from_millis(3_050)).await;
        match (judge(&self.cluster, "s0").await, self.mode) {
            (Verdict::Works, _) => Ok(()),
            // A strict issuer ends the grant at the second request, and it has to be said why.
            (Verdict::Ended(reason), Mode::Strict) if reason == "ambiguous_rotation" => {
                outcome.count("lost", 1);
                outcome.count("marked", 1);
                Ok(())
            }
            (verdict, _) => {
                outcome.count("lost", 1);
                Err(format!("{verdict:?}; {:?}", self.issuer.counts()))
            }
        }
    }
}
