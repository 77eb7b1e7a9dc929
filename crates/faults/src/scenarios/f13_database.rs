//! F13, F14 and F17: PostgreSQL goes away between the issuer's answer and the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger_testkit::postgres::Server;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

const GRANTS: usize = 4;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let down = Scenario {
        ids: "F13",
        title: "PostgreSQL crashes between answer and commit, strict issuer",
        backend: Some(Backend::Postgres),
        is_alone: false,
        run: |at| Box::pin(run(at, false)),
    };
    let killed = Scenario {
        ids: "F14",
        title: "the same, and the process is killed before it comes back",
        backend: Some(Backend::Postgres),
        is_alone: false,
        run: |at| Box::pin(run(at, true)),
    };
    vec![down, killed]
}

struct Outage {
    at: Arc<Circumstances>,
    server: Arc<Server>,
    issuer: Issuer,
    cluster: Cluster,
    slugs: Vec<String>,
    outcome: Outcome,
    is_killed: bool,
}

async fn run(at: Arc<Circumstances>, is_killed: bool) -> Outcome {
    if is_killed && !at.has_failpoint("refresh.after_journal") {
        return Outcome::skipped("this binary keeps no rescue journal");
    }
    let start = || {
        let server = Server::start(&["fsync=on"])?;
        let database = server.database();
        Some((Arc::new(server), database))
    };
    let Some((server, database)) = spawn_blocking(start).await.unwrap() else {
        return Outcome::no_postgres();
    };
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let mut cluster = Cluster::prepare(&at.binary, Backend::Postgres, 2, Some(database));
    for node in 0..2 {
        cluster.serve(node, &[]).await.unwrap();
    }
    let slugs = cluster.link(&issuer, GRANTS).await;
    let mut outage = Outage {
        at,
        server,
        issuer,
        cluster,
        slugs,
        outcome: Outcome::default(),
        is_killed,
    };
    for name in ["outages", "tokens in flight", "lost"] {
        outage.outcome.count(name, 0);
    }
    for round in 0..outage.at.rounds(2, 100) {
        let done = match outage.fall().await {
            Ok(()) => outage.rise().await,
            Err(why) => Err(why),
        };
        if let Err(why) = done {
            outage.outcome.broke(format!("round {round}: {why}"));
            break;
        }
        outage.weigh(round).await;
        outage.outcome.rounds += 1;
    }
    outage.outcome
}

// === impl Outage ===

impl Outage {
    /// The issuer has rotated, and PostgreSQL is gone before its answers arrive.
    async fn fall(&mut self) -> Result<(), String> {
        let issuer = &self.issuer;
        sleep(Duration::from_millis(1_050)).await;
        issuer.quiet().await;
        issuer.script(|script| script.is_held = true);
        let began = Instant::now();
        let noted = self.cluster.noted();
        for (place, slug) in self.slugs.iter().enumerate() {
            let node = self.cluster.node(place % 2);
            let request = crate::http::call(&node.mcp(slug), &node.token);
            tokio::spawn(crate::http::ask(request, Duration::from_mins(5)));
        }
        if !issuer.committed(began, GRANTS).await {
            return Err("not every refresh reached the issuer".to_owned());
        }
        crash(&self.server, true).await;
        self.outcome.count("outages", 1);
        let in_flight = u64::try_from(GRANTS).unwrap_or(0);
        self.outcome.count("tokens in flight", in_flight);
        issuer.script(|script| script.is_held = false);
        // The answers are in memory and in the journals by then.
        while self.cluster.noted() < noted + GRANTS && began.elapsed() < Duration::from_mins(3) {
            sleep(Duration::from_millis(5)).await;
        }
        if self.cluster.noted() < noted + GRANTS {
            return Err(format!("no journal has the answers{}", self.cluster.talk()));
        }
        Ok(())
    }

    async fn rise(&mut self) -> Result<(), String> {
        if self.is_killed {
            self.cluster.kill(0).await;
            self.cluster.kill(1).await;
        } else {
            let span = if self.at.is_long { 20_000 } else { 1_500 };
            sleep(Duration::from_millis(span)).await;
        }
        crash(&self.server, false).await;
        if self.is_killed {
            self.cluster.pass_leases().await;
            self.cluster.serve(0, &[]).await?;
            self.cluster.serve(1, &[]).await?;
        }
        Ok(())
    }

    async fn weigh(&mut self, round: u64) {
        for slug in &self.slugs {
            let mut verdict = judge(&self.cluster, slug).await;
            if matches!(verdict, Verdict::Stuck(_)) {
                // A lease that could not be given back runs out by itself; that is for F18.
                self.outcome.count("leases left", 1);
                self.cluster.pass_leases().await;
                verdict = judge(&self.cluster, slug).await;
            }
            if verdict != Verdict::Works {
                self.outcome.count("lost", 1);
                let talk = self.cluster.talk();
                self.outcome
                    .broke(format!("round {round}: {slug}: {verdict:?}{talk}"));
                self.cluster.sign_in(slug).await.ok();
            }
        }
        let counts = self.issuer.counts();
        self.outcome.must(counts.reuses == 0, || {
            format!("round {round}: sent twice: {counts:?}")
        });
    }
}

async fn crash(server: &Arc<Server>, is_down: bool) {
    let server = Arc::clone(server);
    let work = move || {
        if is_down {
            server.crash();
        } else {
            server.start_again();
        }
    };
    spawn_blocking(work).await.unwrap();
}
