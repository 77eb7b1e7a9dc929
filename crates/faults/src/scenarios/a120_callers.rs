//! A120, A121, A199 and F19: many callers in many processes, an expired credential, one redemption.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::http::{ask, call};
use crate::issuer::{Issuer, Mode};
use crate::process::{Backend, Cluster, end};
use crate::scenario::{Circumstances, Outcome, Scenario};

const CALLERS: usize = 100;
const NODES: usize = 3;
const COMMANDS: usize = 20;
/// Longer than one round takes on the busiest machine.
const LIFE: Duration = Duration::from_mins(10);

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    let gateways = Scenario {
        ids: "A120 A121 F19",
        title: "100 callers of 3 gateways, an expired credential, strict issuer",
        backend: Some(backend),
        is_alone: true,
        run: |at| Box::pin(gateways(at)),
    };
    let commands = Scenario {
        ids: "A199",
        title: "20 commands at one time, an expired credential, strict issuer",
        backend: Some(backend),
        is_alone: true,
        run: |at| Box::pin(commands(at)),
    };
    vec![gateways, commands]
}

async fn gateways(at: Arc<Circumstances>) -> Outcome {
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let Some(cluster) = Cluster::start(&at.binary, at.backend, NODES).await else {
        return Outcome::no_postgres();
    };
    let mut outcome = figures();
    for round in 0..at.rounds(5, 200) {
        let slug = expired(&issuer, &cluster, round).await;
        let before = issuer.counts();
        let began = Instant::now();
        let mut calls = JoinSet::new();
        for caller in 0..CALLERS {
            let node = cluster.node(caller % NODES);
            let request = call(&node.mcp(&slug), &node.token);
            calls.spawn(ask(request, Duration::from_mins(5)));
        }
        let answers = calls.join_all().await;
        let ms = began.elapsed().as_millis();
        outcome.highest("slowest round ms", u64::try_from(ms).unwrap_or(u64::MAX));
        let good = |answer: &&Result<_, _>| answer.as_ref().is_ok_and(crate::http::Answer::is_done);
        let served = answers.iter().filter(good).count();
        outcome.count("successes", u64::try_from(served).unwrap_or(0));
        let first = answers.iter().find(|answer| !good(answer));
        outcome.must(first.is_none(), || {
            format!("round {round}: {served} of {CALLERS} were served; one heard {first:?}")
        });
        judge(&mut outcome, round, before, &issuer);
    }
    outcome
}

async fn commands(at: Arc<Circumstances>) -> Outcome {
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let Some(mut cluster) = Cluster::start(&at.binary, at.backend, 1).await else {
        return Outcome::no_postgres();
    };
    let mut outcome = figures();
    for round in 0..at.rounds(2, 50) {
        let slug = expired(&issuer, &cluster, round).await;
        cluster.kill(0).await;
        let before = issuer.counts();
        let mut running = JoinSet::new();
        for _ in 0..COMMANDS {
            let words = ["call", &slug, "echo", "--json", r#"{"word":"hello"}"#];
            running.spawn(end(cluster.places[0].command(&words)));
        }
        let ended = running.join_all().await;
        let served = ended.iter().filter(|ended| ended.code == 0).count();
        outcome.count("successes", u64::try_from(served).unwrap_or(0));
        let first = ended.iter().find(|ended| ended.code != 0);
        outcome.must(first.is_none(), || {
            format!("round {round}: {served} of {COMMANDS} came through; one said {first:?}")
        });
        judge(&mut outcome, round, before, &issuer);
        let started = cluster.serve(0, &[]).await;
        outcome.must(started.is_ok(), || format!("round {round}: {started:?}"));
    }
    outcome
}

fn figures() -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["successes", "redemptions", "forks"] {
        outcome.count(name, 0);
    }
    outcome
}

/// A server whose credential has expired, and which every node knows. What is given for it from now
/// on lives longer than all need.
async fn expired(issuer: &Issuer, cluster: &Cluster, round: u64) -> String {
    let slug = format!("s{round}");
    issuer.script(|script| {
        script.before_ms = (20, 60);
        script.after_ms = (20, 60);
        script.life = Duration::from_secs(1);
    });
    cluster.add(issuer, &slug).await;
    cluster.sign_in(&slug).await.unwrap();
    cluster.settle(std::slice::from_ref(&slug)).await;
    let (since, resource) = (Instant::now(), issuer.resource(&slug));
    // The last call may have begun a refresh in the background; it must not get the long life.
    let mut asleep = Instant::now();
    let mut known = issuer.counts().requests;
    while asleep.elapsed() < Duration::from_secs(2) {
        assert!(since.elapsed() < LIFE, "somebody keeps it fresh");
        let is_fresh = issuer.ledger(|ledger| ledger.is_fresh(&resource, Instant::now()));
        if is_fresh || issuer.counts().requests != known || issuer.open_requests() > 0 {
            (asleep, known) = (Instant::now(), issuer.counts().requests);
        }
        sleep(Duration::from_millis(20)).await;
    }
    issuer.script(|script| script.life = LIFE);
    slug
}

fn judge(outcome: &mut Outcome, round: u64, before: crate::issuer::Counts, issuer: &Issuer) {
    let after = issuer.counts();
    let redemptions = after.rotations - before.rotations;
    let forks = after.forks + after.reuses - before.forks - before.reuses;
    outcome.rounds += 1;
    outcome.count("redemptions", redemptions);
    outcome.count("forks", forks);
    outcome.must(redemptions == 1 && forks == 0, || {
        format!("round {round}: {redemptions} redemptions, {forks} forks")
    });
}
