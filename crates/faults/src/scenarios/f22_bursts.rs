//! F22, A130 and F23: an issuer that is overloaded, or hangs for ever, while callers keep calling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::http::{ask, call};
use crate::issuer::{Issuer, Mode, Trouble};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

const GRANTS: usize = 12;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let burst = Scenario {
        ids: "F22 A130",
        title: "503 and 429 with Retry-After while everybody calls",
        backend: None,
        is_alone: false,
        run: |at| Box::pin(burst(at)),
    };
    let hang = Scenario {
        ids: "F23",
        title: "one issuer hangs for ever, another is not affected",
        backend: None,
        is_alone: false,
        run: |at| Box::pin(hang(at)),
    };
    vec![burst, hang]
}

async fn burst(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let cluster = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
    let cluster = cluster.expect("SQLite is always there");
    let slugs = cluster.link(&issuer, GRANTS).await;
    let seconds = if at.is_long { 60 } else { 6 };
    for status in [503, 429] {
        issuer.script(|script| script.trouble = Trouble::Status(status, Some(2)));
        sleep(Duration::from_millis(1_100)).await;
        let (before, began) = (issuer.counts(), Instant::now());
        let mut callers = JoinSet::new();
        while began.elapsed() < Duration::from_secs(seconds) {
            for slug in &slugs {
                let node = cluster.node(0);
                callers.spawn(ask(
                    call(&node.mcp(slug), &node.token),
                    Duration::from_mins(2),
                ));
            }
            sleep(Duration::from_millis(200)).await;
        }
        callers.join_all().await;
        let heard = issuer.counts().requests - before.requests;
        outcome.count("requests in the burst", heard);
        // Retry-After says two seconds; one grant asks at most so often.
        let took = began.elapsed().as_secs();
        let most = (took / 2 + 2) * u64::try_from(GRANTS).unwrap_or(0);
        outcome.must(heard <= most, || {
            format!("{status}: {heard} requests, more than {most}")
        });
        issuer.script(|script| script.trouble = Trouble::None);
        let back = Instant::now();
        let verdicts = join_all(slugs.iter().map(|slug| judge(&cluster, slug))).await;
        let seconds = back.elapsed().as_secs();
        outcome.highest("seconds until all work", seconds);
        for (slug, verdict) in slugs.iter().zip(verdicts) {
            outcome.must(verdict == Verdict::Works, || {
                format!("{status}: {slug}: {verdict:?}{}", cluster.talk())
            });
        }
        outcome.rounds += 1;
    }
    let counts = issuer.counts();
    outcome.count("lost", 0);
    outcome.must(counts.reuses == 0, || {
        format!("tokens were sent twice: {counts:?}")
    });
    outcome
}

async fn hang(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let (good, bad) = (
        Issuer::start(Mode::Strict, at.seed).await,
        Issuer::start(Mode::Strict, at.seed).await,
    );
    let mut cluster = Cluster::prepare(&at.binary, Backend::Sqlite, 1, None);
    cluster.places[0].set("CLAVIGER_EGRESS_TOKEN_TIMEOUT_S", "20");
    cluster.serve(0, &[]).await.unwrap();
    let slugs = cluster.link(&bad, GRANTS).await;
    // Renewed several times meanwhile, and used before it ends on a busy machine as well.
    good.script(|script| script.life = Duration::from_secs(3));
    cluster.add(&good, "good").await;
    cluster.sign_in("good").await.unwrap();
    for round in 0..at.rounds(1, 20) {
        bad.script(|script| script.trouble = Trouble::Hang);
        sleep(Duration::from_millis(1_100)).await;
        let mut stuck = JoinSet::new();
        for slug in &slugs {
            let node = cluster.node(0);
            stuck.spawn(ask(
                call(&node.mcp(slug), &node.token),
                Duration::from_mins(2),
            ));
        }
        for _ in 0..3 {
            sleep(Duration::from_millis(1_200)).await;
            let since = Instant::now();
            let heard = cluster.call(0, "good").await;
            let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            outcome.highest("slowest call elsewhere ms", ms);
            // While those who wait for the other issuer wait on.
            let is_early = stuck.try_join_next().is_none();
            outcome.must(heard.is_ok() && is_early, || {
                format!("round {round}: a call elsewhere took {ms} ms and heard {heard:?}")
            });
        }
        let since = Instant::now();
        stuck.join_all().await;
        let waited = since.elapsed();
        outcome.must(waited < Duration::from_secs(90), || {
            format!("callers waited {waited:?}")
        });
        bad.script(|script| script.trouble = Trouble::None);
        let verdicts = join_all(slugs.iter().map(|slug| judge(&cluster, slug))).await;
        for (slug, verdict) in slugs.iter().zip(verdicts) {
            outcome.must(verdict == Verdict::Works, || {
                format!("round {round}: {slug}: {verdict:?}{}", cluster.talk())
            });
        }
        outcome.rounds += 1;
    }
    outcome
}
