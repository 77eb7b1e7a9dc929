//! F18: a node is stopped (SIGSTOP) for longer than its lease, in the middle of a refresh.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::proxy::Fault;
use crate::scenario::{Circumstances, Outcome, Scenario};

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    let stopped = Scenario {
        ids: "F18",
        title: "SIGSTOP beyond the lease during a refresh, the other node takes over",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    };
    vec![stopped]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["requests", "lost", "marked"] {
        outcome.count(name, 0);
    }
    for round in 0..at.rounds(2, 25) {
        for mode in [Mode::Tolerant, Mode::Strict] {
            for is_late in [false, true] {
                let Some(cluster) = Cluster::start(&at.binary, at.backend, 2).await else {
                    return Outcome::no_postgres();
                };
                let issuer = Issuer::start(mode, at.seed + round).await;
                pause(&mut outcome, &issuer, &cluster, is_late).await;
                outcome.rounds += 1;
            }
        }
    }
    outcome
}

/// `is_late`: the second answer is still under way when the first node wakes up.
async fn pause(outcome: &mut Outcome, issuer: &Issuer, cluster: &Cluster, is_late: bool) {
    let mode = issuer.ledger(|ledger| ledger.mode);
    cluster.link(issuer, 1).await;
    issuer.script(|script| (script.before_ms, script.after_ms) = ((0, 1), (150, 151)));
    sleep(Duration::from_millis(1_050)).await;
    let (before, began) = (issuer.counts(), Instant::now());
    issuer.script(|script| script.life = Duration::from_secs(3));
    let node = cluster.node(0);
    let request = crate::http::call(&node.mcp("s0"), &node.token);
    let first = tokio::spawn(crate::http::ask(request, Duration::from_secs(30)));
    let is_committed = |count| {
        let all = issuer.requests_since(began);
        all.iter().filter(|one| one.committed.is_some()).count() >= count
    };
    while !is_committed(1) && began.elapsed() < Duration::from_secs(5) {
        sleep(Duration::from_millis(1)).await;
    }
    node.signal("STOP").await;
    cluster.pass_leases().await;
    if is_late {
        issuer
            .proxy
            .next([Fault::Hold(Duration::from_millis(1_500))]);
    }
    let other = cluster.node(1);
    let request = crate::http::call(&other.mcp("s0"), &other.token);
    let second = tokio::spawn(crate::http::ask(request, Duration::from_secs(30)));
    if is_late {
        while issuer.requests_since(began).len() < 2 && began.elapsed() < Duration::from_secs(10) {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_millis(300)).await;
    } else {
        sleep(Duration::from_millis(700)).await;
    }
    node.signal("CONT").await;
    first.await.ok();
    second.await.ok();
    let after = issuer.counts();
    let sent = after.requests - before.requests;
    outcome.count("requests", sent);
    let what = format!(
        "{mode:?}, the other answer {}",
        if is_late { "after" } else { "before" }
    );
    outcome.must(sent <= 3, || format!("{what}: {sent} requests"));
    prove(outcome, issuer, cluster, &what, is_late).await;
}

/// One more refresh shows what is in the vault.
async fn prove(
    outcome: &mut Outcome,
    issuer: &Issuer,
    cluster: &Cluster,
    what: &str,
    is_late: bool,
) {
    let mode = issuer.ledger(|ledger| ledger.mode);
    sleep(Duration::from_millis(3_100)).await;
    let verdict = judge(cluster, "s0").await;
    match (&verdict, mode) {
        (Verdict::Works, _) => {}
        // The later of two answers is the good one, and the earlier was stored first.
        (Verdict::Ended(_), Mode::Tolerant) if is_late => outcome.count("lost to a late answer", 1),
        (Verdict::Ended(reason), Mode::Strict) => {
            outcome.count("lost", 1);
            // With a strict issuer two requests end the grant, whatever we do; it has to say why.
            if reason == "ambiguous_rotation" {
                outcome.count("marked", 1);
            }
        }
        _ => outcome.broke(format!(
            "{what}: {verdict:?}; {:?}\n{}",
            issuer.counts(),
            cluster.talk()
        )),
    }
}
