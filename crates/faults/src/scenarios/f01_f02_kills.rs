//! F01 and F02: `kill -9` at a random instant of a refresh, with a tolerant and a strict issuer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::http::{ask, call};
use crate::issuer::{Issuer, Mode, TokenRequest};
use crate::oracle::{Verdict, explains, judge_at};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario, lanes};

/// Grants that are refreshed at the time of a kill.
const GRANTS: usize = 6;
const NODES: usize = 2;
/// All refreshes of one round take about as long.
const SPAN_MS: u64 = 170;
/// Long enough to be used after a refresh on a busy machine.
const LIFE: Duration = Duration::from_secs(2);
/// Longer than anything takes that comes to its end.
const PATIENCE: Duration = Duration::from_mins(2);

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
    // In real time, and so with the time that a busy machine needs until somebody tries again.
    let grace = Scenario {
        ids: "F01.grace",
        title: "kill -9 during a refresh, an issuer with a minute of grace",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at, Mode::Grace(Duration::from_mins(1)))),
    };
    vec![tolerant, grace, strict]
}

/// The kills are shared between lanes, each with a database, an issuer and gateways of its own.
async fn run(at: Arc<Circumstances>, mode: Mode) -> Outcome {
    let (short, long) = match mode {
        Mode::Grace(_) => (8, 100),
        Mode::Strict => (26, 1_000),
        Mode::Tolerant => (50, 1_000),
    };
    let (kills, count) = (at.rounds(short, long), if at.is_long { 4 } else { 2 });
    lanes(&at, count, move |at, lane| async move {
        lane_of(at, mode, lane, kills.div_ceil(count)).await
    })
    .await
}

async fn lane_of(at: Arc<Circumstances>, mode: Mode, lane: u64, kills: u64) -> Outcome {
    let issuer = Issuer::start(mode, at.seed + lane).await;
    issuer.script(|script| script.life = LIFE);
    let Some(cluster) = Cluster::start(&at.binary, at.backend, NODES).await else {
        return Outcome::no_postgres();
    };
    let slugs = cluster.link(&issuer, GRANTS).await;
    let grants = slugs.into_iter().enumerate().map(|(place, slug)| Held {
        slug,
        home: place % NODES,
        worked: Instant::now(),
    });
    let mut campaign = Campaign {
        dice: Dice::of(at.seed, &format!("{} {lane}", at.name)),
        grants: grants.collect(),
        at,
        issuer,
        cluster,
        outcome: Outcome::default(),
    };
    for name in [
        "kills", "before", "inside", "after", "idle", "lost", "marked",
    ] {
        campaign.outcome.count(name, 0);
    }
    let mut told = 0;
    while campaign.outcome.figure("kills") < kills && campaign.outcome.broken.len() < 5 {
        campaign.round().await;
        campaign.outcome.rounds += 1;
        let done = campaign.outcome.figure("kills");
        if done / 25 > told {
            told = done / 25;
            let line = format!("lane {lane}: {}", campaign.outcome.figures());
            campaign.at.tell(&line);
        }
    }
    campaign.last().await;
    campaign.outcome
}

/// A grant as the product holds it.
struct Held {
    slug: String,
    /// The only node that is asked for it, so that its leases are known by the node that dies.
    home: usize,
    /// When it worked last.
    worked: Instant,
}

struct Campaign {
    at: Arc<Circumstances>,
    dice: Dice,
    issuer: Issuer,
    cluster: Cluster,
    grants: Vec<Held>,
    outcome: Outcome,
}

// === impl Campaign ===

impl Campaign {
    async fn round(&mut self) {
        self.expire().await;
        let began = Instant::now();
        let calls = self.call_all();
        let dead = self.kill(began).await;
        let window = classify(&self.issuer.requests_since(began));
        self.outcome
            .count("kills", u64::try_from(dead.len()).unwrap_or(0));
        self.outcome.count(window, 1);
        // Who lives on has answered its callers, and so has stored what it heard and given its
        // leases back; what is left belongs to the dead.
        join_all(calls).await;
        self.issuer.quiet().await;
        let orphans: Vec<usize> = (0..self.grants.len())
            .filter(|at| dead.contains(&self.grants[*at].home))
            .collect();
        let slugs: Vec<&str> = orphans
            .iter()
            .map(|at| self.grants[*at].slug.as_str())
            .collect();
        self.cluster.pass_leases_of(&slugs).await;
        // Half of the time the node that lives takes over, before the other is back.
        if let Some(alive) = self.cluster.alive()
            && self.dice.once_in(2)
        {
            for at in &orphans {
                self.grants[*at].home = alive;
            }
            self.weigh_all(&orphans).await;
        }
        // A grant moves only while nobody lives who may hold its lease.
        if dead.len() == NODES {
            for (place, held) in self.grants.iter_mut().enumerate() {
                held.home = place % NODES;
            }
        }
        for node in dead {
            if let Err(why) = self.cluster.serve(node, &[]).await {
                self.broke(&format!("it does not start again: {why}"));
                return;
            }
        }
        self.weigh_all(&orphans).await;
    }

    /// Until no access token works any more.
    async fn expire(&self) {
        let since = Instant::now();
        while self
            .issuer
            .ledger(|ledger| ledger.is_any_fresh(Instant::now()))
        {
            sleep(Duration::from_millis(20)).await;
            assert!(since.elapsed() < PATIENCE, "somebody keeps them fresh");
        }
        sleep(Duration::from_millis(20)).await;
    }

    /// Everything is called at its home.
    fn call_all(&self) -> Vec<JoinHandle<()>> {
        let calls = self.grants.iter().map(|held| {
            let node = self.cluster.node(held.home);
            let request = call(&node.mcp(&held.slug), &node.token);
            // What they hear is weighed later.
            tokio::spawn(async move { drop(ask(request, PATIENCE).await) })
        });
        calls.collect()
    }

    /// Kills one node, or all, in the middle of it.
    async fn kill(&mut self, began: Instant) -> Vec<usize> {
        let is_aimed = !self.dice.once_in(4);
        let wait = self.dice.between(0, SPAN_MS);
        let dead: Vec<usize> = if self.dice.once_in(3) {
            (0..NODES).collect()
        } else {
            vec![self.grants[self.dice.place(GRANTS)].home]
        };
        // Most kills count from the first request that the issuer hears.
        while is_aimed
            && self.issuer.requests_since(began).is_empty()
            && began.elapsed() < Duration::from_secs(20)
        {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_millis(wait)).await;
        self.cluster.kill_all(&dead).await;
        dead
    }

    /// What became of every grant; `orphans` are those whose node was killed.
    async fn weigh_all(&mut self, orphans: &[usize]) {
        let (cluster, grants) = (&self.cluster, &self.grants);
        let running = (0..grants.len()).filter(|at| cluster.nodes[grants[*at].home].is_some());
        let running: Vec<usize> = running.collect();
        let verdicts = running.iter().map(|at| {
            let held = &grants[*at];
            judge_at(cluster, held.home, &held.slug)
        });
        let verdicts = join_all(verdicts).await;
        for (at, verdict) in running.into_iter().zip(verdicts) {
            self.weigh(at, verdict, orphans.contains(&at)).await;
        }
    }

    async fn weigh(&mut self, at: usize, verdict: Verdict, is_orphan: bool) {
        let slug = self.grants[at].slug.clone();
        match verdict {
            Verdict::Works => {
                self.grants[at].worked = Instant::now();
                return;
            }
            Verdict::Stuck(what) => return self.broke(&format!("{slug} is stuck: {what}")),
            Verdict::Ended(reason) => self.explain(at, &reason, is_orphan),
        }
        if let Err(why) = self.cluster.sign_in(&slug).await {
            self.broke(&why);
        }
        self.grants[at].worked = Instant::now();
    }

    /// A loss is nobody's fault only where a strict issuer had rotated for a process that was
    /// killed, and nobody ever used what it gave: then it was in no database.
    fn explain(&mut self, at: usize, reason: &str, is_orphan: bool) {
        self.outcome.count("lost", 1);
        let (slug, worked) = (self.grants[at].slug.clone(), self.grants[at].worked);
        let lost = explains(&self.issuer, &slug);
        let grant = format!("{:?}", self.issuer.last(&slug));
        match lost {
            _ if !is_orphan => self.broke(&format!(
                "{slug} ended ({reason}) although its node lived: {grant}"
            )),
            None => self.broke(&format!(
                "{slug} ended ({reason}) although it was not lost: {grant}"
            )),
            Some(lost) if lost.is_used => self.broke(&format!(
                "{slug} ended ({reason}) although its last token had been stored: {grant}"
            )),
            Some(lost) if lost.made < worked => self.broke(&format!(
                "{slug} ended ({reason}) over a token of {:?} before it worked",
                worked.duration_since(lost.made)
            )),
            Some(_) if reason == "ambiguous_rotation" => self.outcome.count("marked", 1),
            Some(_) => self.broke(&format!(
                "{slug} was lost inside the window, and says `{reason}`"
            )),
        }
    }

    fn broke(&mut self, what: &str) {
        let (round, talk) = (self.outcome.rounds, self.cluster.talk());
        self.outcome.broke(format!("round {round}: {what}{talk}"));
    }

    /// The last round's tokens are proved by one more refresh.
    async fn last(&mut self) {
        if self.cluster.nodes.iter().any(Option::is_none) {
            return;
        }
        self.expire().await;
        self.weigh_all(&[]).await;
        for at in 0..self.grants.len() {
            let slug = &self.grants[at].slug;
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
    let all: Vec<_> = requests.iter().filter(|one| one.is_refresh).collect();
    if all.is_empty() {
        return "idle";
    }
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
