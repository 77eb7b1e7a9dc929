//! F17: a node holds the lease and cannot reach the database, which the other node can.

use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger_testkit::postgres;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use crate::http::{Answer, ask, call};
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge_at};
use crate::process::{Backend, Cluster, Wire};
use crate::scenario::{Circumstances, Outcome, Scenario, lanes};

const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        ids: "F17",
        title: "the holder of a lease is cut off from PostgreSQL until the lease is over",
        backend: Some(Backend::Postgres),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

/// The issuer, and whether the other node is asked for the same credential meanwhile.
const WAYS: [(Mode, bool); 3] = [
    (Mode::Tolerant, true),
    (Mode::Strict, false),
    (Mode::Strict, true),
];

async fn run(at: Arc<Circumstances>) -> Outcome {
    let rounds = at.rounds(1, 33);
    let ways = u64::try_from(WAYS.len()).unwrap_or(0);
    lanes(&at, ways, move |at, lane| async move {
        let (mode, is_taken_over) = WAYS[usize::try_from(lane).unwrap_or(0)];
        let mut outcome = Outcome::default();
        for name in ["splits", "late answers kept", "lost", "marked"] {
            outcome.count(name, 0);
        }
        for round in 0..rounds {
            let Some(mut split) = Split::begin(&at, mode, is_taken_over, round).await else {
                return Outcome::no_postgres();
            };
            if let Err(why) = split.pass(&mut outcome).await {
                let talk = split.cluster.talk();
                outcome.broke(format!(
                    "{mode:?}, taken over: {is_taken_over}: {why}{talk}"
                ));
            }
            outcome.rounds += 1;
        }
        outcome
    })
    .await
}

struct Split {
    mode: Mode,
    is_taken_over: bool,
    issuer: Issuer,
    cluster: Cluster,
    /// Between the first node and the database.
    wire: Wire,
}

// === impl Split ===

impl Split {
    async fn begin(
        at: &Circumstances,
        mode: Mode,
        is_taken_over: bool,
        round: u64,
    ) -> Option<Self> {
        let database = spawn_blocking(postgres::database).await.unwrap()?;
        let wire = Wire::to(&database);
        let urls = (
            wire.through(&database.url()),
            wire.through(&database.owner_url()),
        );
        let mut cluster = Cluster::prepare(&at.binary, Backend::Postgres, 2, Some(database));
        cluster.places[0].use_database(&urls.0, &urls.1);
        for node in 0..2 {
            cluster.serve(node, &[]).await.unwrap();
        }
        Some(Self {
            mode,
            is_taken_over,
            issuer: Issuer::start(mode, at.seed + round).await,
            cluster,
            wire,
        })
    }

    async fn pass(&mut self, outcome: &mut Outcome) -> Result<(), String> {
        let (issuer, cluster) = (&self.issuer, &self.cluster);
        cluster.link(issuer, 1).await;
        issuer.quiet().await;
        // Whatever was renewed last has surely ended: the call below cannot be served from memory.
        sleep(Duration::from_millis(2_100)).await;
        issuer.script(|script| {
            script.is_held = true;
            script.life = Duration::from_secs(3);
        });
        let (noted, began) = (cluster.noted(), Instant::now());
        let first = self.call(0);
        if !issuer.committed(began, 1).await {
            return Err("the first refresh did not arrive".to_owned());
        }
        self.wire.cut().await;
        outcome.count("splits", 1);
        issuer.script(|script| script.is_held = false);
        while cluster.noted() == noted && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(10)).await;
        }
        if cluster.noted() == noted {
            return Err("what the issuer gave is in no journal".to_owned());
        }
        let mut first = Some(first);
        if let Some(early) = first.take_if(|first| first.is_finished()) {
            // Nothing it heard may be used before it is stored; to be told so is allowed.
            let heard = early.await.unwrap();
            if heard.as_ref().is_ok_and(Answer::is_done) {
                return Err(format!("the node is not cut off: {heard:?}"));
            }
        }
        if self.is_taken_over {
            let heard = self.call(1).await.unwrap();
            let is_served = heard.as_ref().is_ok_and(Answer::is_done);
            if self.mode == Mode::Tolerant && !is_served {
                return Err(format!("the other node did not take over: {heard:?}"));
            }
        } else {
            while cluster.has_leases() && began.elapsed() < PATIENCE {
                sleep(Duration::from_millis(100)).await;
            }
        }
        let sent = issuer.requests_since(began).len();
        if sent != 1 + usize::from(self.is_taken_over) {
            return Err(format!("{sent} requests while it was cut off"));
        }
        self.wire.mend();
        if let Some(first) = first {
            first.await.ok();
        }
        self.prove(outcome).await
    }

    fn call(&self, at: usize) -> JoinHandle<Result<Answer, String>> {
        let node = self.cluster.node(at);
        tokio::spawn(ask(call(&node.mcp("s0"), &node.token), PATIENCE))
    }

    /// The late answer is kept where it is the newest, and is in nobody's way where it is not.
    async fn prove(&self, outcome: &mut Outcome) -> Result<(), String> {
        for node in [0, 1] {
            sleep(Duration::from_millis(3_050)).await;
            let verdict = judge_at(&self.cluster, node, "s0").await;
            match &verdict {
                Verdict::Works => {}
                Verdict::Ended(reason)
                    if self.mode == Mode::Strict
                        && self.is_taken_over
                        && reason == "ambiguous_rotation" =>
                {
                    outcome.count("lost", 1);
                    outcome.count("marked", 1);
                    return Ok(());
                }
                _ => {
                    outcome.count("lost", 1);
                    let counts = self.issuer.counts();
                    return Err(format!("through node {node}: {verdict:?}; {counts:?}"));
                }
            }
        }
        let counts = self.issuer.counts();
        if !self.is_taken_over {
            outcome.count("late answers kept", 1);
            if counts.reuses + counts.forks > 0 {
                return Err(format!("sent twice: {counts:?}"));
            }
        }
        Ok(())
    }
}
