//! F01 and F02: `kill -9` at a random instant of a refresh, with a tolerant and a strict issuer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::issuer::{Issuer, Mode, TokenRequest};
use crate::oracle::{Verdict, explains, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

/// Grants that are refreshed at the time of a kill.
const GRANTS: usize = 6;
const NODES: usize = 2;
/// All refreshes of one round take about as long.
const SPAN_MS: u64 = 170;
/// Longer than a node may need to come back on a busy machine; issuers offer up to a minute.
const GRACE: Duration = Duration::from_mins(1);
/// Between the answer's last byte and what the process has on disk.
const STORING: Duration = Duration::from_millis(400);

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    let tolerant = Scenario {
        ids: "F01",
        title: "kill -9 during a refresh, tolerant issuer",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at, Mode::Tolerant)),
    };
    let strict = Scenario {
        ids: "F02",
        title: "kill -9 during a refresh, strict issuer",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at, Mode::Strict)),
    };
    let grace = Scenario {
        ids: "F01.grace",
        title: "kill -9 during a refresh, an issuer with a minute of grace",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at, Mode::Grace(GRACE))),
    };
    vec![tolerant, grace, strict]
}

async fn run(at: Arc<Circumstances>, mode: Mode) -> Outcome {
    let issuer = Issuer::start(mode, at.seed).await;
    let Some(cluster) = Cluster::start(&at.binary, at.backend, NODES).await else {
        return Outcome::no_postgres();
    };
    let slugs = cluster.link(&issuer, GRANTS).await;
    let mut campaign = Campaign {
        dice: Dice::of(at.seed, &at.name),
        at,
        issuer,
        cluster,
        slugs,
        outcome: Outcome::default(),
    };
    for name in [
        "kills", "before", "inside", "after", "idle", "lost", "marked",
    ] {
        campaign.outcome.count(name, 0);
    }
    let (short, long) = match mode {
        Mode::Grace(_) => (8, 100),
        Mode::Strict | Mode::Tolerant => (25, 1_000),
    };
    let rounds = campaign.at.rounds(short, long);
    for round in 0..rounds {
        campaign.round(round).await;
        campaign.outcome.rounds += 1;
        if campaign.outcome.broken.len() >= 5 {
            break;
        }
    }
    campaign.last().await;
    campaign.outcome
}

struct Campaign {
    at: Arc<Circumstances>,
    dice: Dice,
    issuer: Issuer,
    cluster: Cluster,
    slugs: Vec<String>,
    outcome: Outcome,
}

// === impl Campaign ===

impl Campaign {
    async fn round(&mut self, round: u64) {
        sleep(Duration::from_millis(1_050)).await;
        let began = Instant::now();
        let killed = self.kill_during_refresh().await;
        let when = Instant::now();
        let mut places = killed.clone();
        let window = classify(&self.issuer.requests_since(began));
        self.outcome.count("kills", 1);
        self.outcome.count(window, 1);
        self.settle_survivors().await;
        self.cluster.pass_leases().await;
        while let Some(at) = places.pop() {
            if let Err(why) = self.cluster.serve(at, &[]).await {
                self.outcome
                    .broke(format!("round {round}: does not start again: {why}"));
                return;
            }
        }
        for slug in self.slugs.clone() {
            let verdict = judge(&self.cluster, &slug).await;
            self.weigh(round, &slug, verdict, when).await;
        }
        if round % 10 == 9 {
            self.at
                .tell(&format!("{} of {}", round + 1, self.outcome.figures()));
        }
    }

    /// Calls everything that has expired, and kills one node, or all, in the middle of it.
    async fn kill_during_refresh(&mut self) -> Vec<usize> {
        let is_aimed = self.dice.once_in(2);
        let wait = self.dice.between(0, SPAN_MS);
        let killed: Vec<usize> = if self.dice.once_in(4) {
            (0..NODES).collect()
        } else {
            vec![self.dice.place(NODES)]
        };
        let began = Instant::now();
        // The calls are left to themselves: they die with the node, or wait for its lease.
        for (at, slug) in self.slugs.iter().enumerate() {
            let node = self.cluster.node(at % NODES);
            let request = crate::http::call(&node.mcp(slug), &node.token);
            tokio::spawn(crate::http::ask(request, Duration::from_secs(20)));
        }
        // Half of the kills count from the first request that the issuer hears.
        while is_aimed
            && self.issuer.requests_since(began).is_empty()
            && began.elapsed() < Duration::from_secs(2)
        {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_millis(wait)).await;
        for at in &killed {
            self.cluster.kill(*at).await;
        }
        killed
    }

    /// Until the issuer has answered everything: who lives on, has stored what it heard.
    async fn settle_survivors(&self) {
        while self.issuer.open_requests() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(STORING).await;
    }

    async fn weigh(&mut self, round: u64, slug: &str, verdict: Verdict, killed: Instant) {
        let what = match verdict {
            Verdict::Works => return,
            Verdict::Stuck(what) => {
                let talk = self.cluster.talk();
                self.outcome
                    .broke(format!("round {round}: {slug} is stuck: {what}\n{talk}"));
                return;
            }
            Verdict::Ended(reason) => reason,
        };
        self.outcome.count("lost", 1);
        match explains(&self.issuer, slug) {
            // The successor that nobody has was made for a process that was killed meanwhile.
            Some(lost) if lost.made + STORING + Duration::from_millis(100) > killed => {
                if what == "ambiguous_rotation" {
                    self.outcome.count("marked", 1);
                } else {
                    self.outcome.broke(format!(
                        "round {round}: {slug} was lost inside the window, and says `{what}`"
                    ));
                }
            }
            Some(lost) => {
                let early = killed.saturating_duration_since(lost.made);
                let talk = self.cluster.talk();
                self.outcome.broke(format!(
                    "round {round}: {slug} was lost {early:?} before the kill ({what})\n{talk}"
                ));
            }
            None => {
                let grant = self.issuer.last(slug);
                let talk = self.cluster.talk();
                self.outcome.broke(format!("round {round}: {slug} ended ({what}) although it was not lost\n{grant:?}\n{talk}"));
            }
        }
        if let Err(why) = self.cluster.sign_in(slug).await {
            self.outcome.broke(format!("round {round}: {why}"));
        }
    }

    /// The last round's tokens are proved by one more refresh.
    async fn last(&mut self) {
        sleep(Duration::from_millis(1_100)).await;
        let slugs = self.slugs.clone();
        let verdicts = join_all(slugs.iter().map(|slug| judge(&self.cluster, slug))).await;
        for (slug, verdict) in slugs.iter().zip(verdicts) {
            self.outcome.must(verdict == Verdict::Works, || {
                format!("at the end {slug}: {verdict:?}")
            });
            let working = self.issuer.working(slug);
            self.outcome
                .must(working >= 1, || format!("{slug} has no grant left"));
        }
        let counts = self.issuer.counts();
        self.outcome.count("rotations", counts.rotations);
        self.outcome
            .count("sent twice", counts.forks + counts.reuses);
    }
}

/// Where the kill fell, seen from the issuer.
fn classify(requests: &[TokenRequest]) -> &'static str {
    let mut refreshes = requests.iter().filter(|one| one.is_refresh).peekable();
    if refreshes.peek().is_none() {
        return "idle";
    }
    let all: Vec<_> = refreshes.collect();
    if all
        .iter()
        .any(|one| one.committed.is_some() && one.answered.is_none())
    {
        return "inside";
    }
    if all.iter().any(|one| one.committed.is_none()) {
        return "before";
    }
    "after"
}
