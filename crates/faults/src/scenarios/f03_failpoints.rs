//! F03: the process dies at each named place of a refresh, with both kinds of issuer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

/// The places, and whether a strict issuer may cost the grant there: committed there, not here.
const POINTS: [(&str, bool); 10] = [
    ("refresh.before_lease", false),
    ("refresh.after_lease", false),
    ("refresh.after_intent", false),
    ("refresh.after_send", true),
    ("refresh.after_first_byte", true),
    ("refresh.after_response", true),
    ("refresh.after_journal", false),
    ("refresh.after_commit", false),
    ("refresh.before_release", false),
    ("refresh.before_reply", false),
];

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    vec![Scenario {
        ids: "F03",
        title: "the process dies at each failpoint of a refresh, both issuers",
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
    for name in ["deaths", "lost", "marked"] {
        outcome.count(name, 0);
    }
    let known = |(name, _): &(&'static str, bool)| at.has_failpoint(name);
    let known: Vec<_> = POINTS.into_iter().filter(known).collect();
    outcome.count("places", u64::try_from(known.len()).unwrap_or(0));
    for round in 0..at.rounds(1, 50) {
        for mode in [Mode::Tolerant, Mode::Strict] {
            for points in known.chunks(4) {
                let tried = points.iter().map(|(name, may_lose)| {
                    let may_lose = *may_lose && mode == Mode::Strict;
                    die(&at, round, mode, name, may_lose)
                });
                let ended: Option<Vec<_>> = join_all(tried).await.into_iter().collect();
                let Some(ended) = ended else {
                    return Outcome::no_postgres();
                };
                for one in ended {
                    note(&mut outcome, one);
                }
            }
        }
        outcome.rounds += 1;
    }
    outcome
}

fn note(outcome: &mut Outcome, ended: Result<u64, String>) {
    match ended {
        Ok(lost) => {
            outcome.count("deaths", 1);
            outcome.count("lost", lost);
            outcome.count("marked", lost);
        }
        Err(sentence) => outcome.broke(sentence),
    }
}

/// Answers how many grants were lost with a mark.
async fn die(
    at: &Circumstances,
    round: u64,
    mode: Mode,
    point: &str,
    may_lose: bool,
) -> Option<Result<u64, String>> {
    let issuer = Issuer::start(mode, at.seed + round).await;
    let mut cluster = Cluster::start(&at.binary, at.backend, 1).await?;
    cluster.link(&issuer, 1).await;
    // In order: a refresh that happens to be under way must not leave its lease behind.
    cluster.stop(0).await;
    let failpoints = [("CLAVIGER_FAILPOINTS", format!("{point}=kill"))];
    let started = cluster.serve(0, &failpoints).await;
    sleep(Duration::from_millis(1_050)).await;
    // A node that looks after what expires may have died by itself meanwhile.
    if started.is_ok() {
        cluster.call(0, "s0").await.ok();
    }
    let mut node = cluster.nodes[0].take();
    if let Some(node) = &mut node
        && !node.dies(Duration::from_mins(2)).await
    {
        return Some(Err(format!("{mode:?}, {point}: it did not die there")));
    }
    issuer.quiet().await;
    cluster.pass_leases().await;
    if let Err(why) = cluster.serve(0, &[]).await {
        return Some(Err(format!(
            "{mode:?}, {point}: it does not start again: {why}"
        )));
    }
    // Two refreshes: the first shows that it works, the second that the token of it was stored.
    for _ in 0..2 {
        match judge(&cluster, "s0").await {
            Verdict::Works => sleep(Duration::from_millis(1_050)).await,
            Verdict::Ended(reason) if may_lose && reason == "ambiguous_rotation" => {
                return Some(Ok(1));
            }
            verdict => {
                let counts = issuer.counts();
                let talk = cluster.talk();
                return Some(Err(format!(
                    "{mode:?}, {point}: {verdict:?}; {counts:?}{talk}"
                )));
            }
        }
    }
    Some(Ok(0))
}
