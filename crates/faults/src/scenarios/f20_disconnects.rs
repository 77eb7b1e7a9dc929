//! F20 and A123: whoever asked hangs up at each millisecond of the refresh it started.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::Cluster;
use crate::scenario::{Circumstances, Outcome, Scenario};

/// Instants that are tried in one round, each with a grant of its own.
const GRANTS: u64 = 20;
const SPAN_MS: u64 = 200;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        ids: "F20 A123",
        title: "the caller hangs up at each instant of a refresh, strict issuer",
        backend: None,
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let cluster = Cluster::start(&at.binary, at.backend, 1).await;
    let cluster = cluster.expect("SQLite is always there");
    let slugs = cluster.link(&issuer, 20).await;
    let mut outcome = Outcome::default();
    for name in ["instants", "stored", "lost"] {
        outcome.count(name, 0);
    }
    let rounds = at.rounds(2, SPAN_MS / GRANTS);
    for round in 0..rounds {
        issuer.script(|script| {
            (script.before_ms, script.after_ms) = ((60, 61), (60, 61));
        });
        sleep(Duration::from_millis(1_050)).await;
        let before = issuer.counts();
        let mut calls = JoinSet::new();
        for (place, slug) in slugs.iter().enumerate() {
            let node = cluster.node(0);
            let request = crate::http::call(&node.mcp(slug), &node.token);
            let place = u64::try_from(place).unwrap_or(0);
            let instant =
                Duration::from_millis(place * SPAN_MS / GRANTS + round * SPAN_MS / GRANTS / rounds);
            calls.spawn(crate::http::ask(request, instant));
        }
        calls.join_all().await;
        sleep(Duration::from_millis(600)).await;
        while issuer.open_requests() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        let begun = issuer.counts().rotations - before.rotations;
        outcome.count("instants", GRANTS);
        outcome.count("stored", begun);
        // Its successor is asked for after the token has ended: what was stored is what works.
        issuer.script(|script| (script.before_ms, script.after_ms) = ((0, 5), (0, 5)));
        sleep(Duration::from_millis(1_050)).await;
        for slug in &slugs {
            let verdict = judge(&cluster, slug).await;
            if verdict != Verdict::Works {
                outcome.count("lost", 1);
                outcome.broke(format!(
                    "round {round}: {slug}: {verdict:?}{}",
                    cluster.talk()
                ));
            }
        }
        outcome.rounds += 1;
    }
    let counts = issuer.counts();
    outcome.must(counts.reuses == 0, || {
        format!("tokens were sent twice: {counts:?}")
    });
    outcome
}
