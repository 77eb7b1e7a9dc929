//! F06 and A139: `kill -9` during a logout whose revocation the issuer does not take at once.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::dice::Dice;
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

const POINTS: [&str; 2] = ["revoke.after_end", "revoke.after_send"];
/// How long a revocation may wait for its next attempt after the issuer is back.
const RESUMED: Duration = Duration::from_mins(5);

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    vec![Scenario {
        ids: "F06 A139",
        title: "kill -9 during a logout: an end is final, and revoked upstream in the end",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["kills", "said done", "ended", "revoked", "kept"] {
        outcome.count(name, 0);
    }
    let mut dice = Dice::of(at.seed, &at.name);
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    issuer.script(|script| script.life = Duration::from_hours(1));
    let Some(mut cluster) = Cluster::start(&at.binary, at.backend, 1).await else {
        return Outcome::no_postgres();
    };
    let points: Vec<_> = POINTS
        .into_iter()
        .filter(|name| at.has_failpoint(name))
        .collect();
    let random = usize::try_from(at.rounds(4, 300)).unwrap_or(0);
    let mut ended = Vec::new();
    for round in 0..points.len() + random {
        let slug = format!("s{round}");
        cluster.add(&issuer, &slug).await;
        cluster.sign_in(&slug).await.unwrap();
        // Half of the time the issuer is out of order, and the queue has to remember.
        let is_down = round % 2 == 0;
        issuer.script(|script| script.revocation_status = if is_down { 503 } else { 200 });
        let is_done = match points.get(round) {
            Some(point) => die(&mut cluster, &slug, point).await,
            None => kill(&mut cluster, &slug, &mut dice).await,
        };
        outcome.count("kills", 1);
        outcome.count("said done", u64::from(is_done));
        issuer.script(|script| script.revocation_status = 200);
        if let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!("round {round}: it does not start again: {why}"));
            return outcome;
        }
        let is_ended = weigh(&mut outcome, &cluster, &slug, is_done).await;
        if is_ended {
            ended.push((slug, Instant::now()));
        }
        outcome.rounds += 1;
    }
    for (slug, since) in ended {
        revoked(&mut outcome, &issuer, &cluster, &slug, since).await;
    }
    outcome
}

/// True if the command said that it was done.
async fn die(cluster: &mut Cluster, slug: &str, point: &str) -> bool {
    cluster.stop(0).await;
    let failpoints = [("CLAVIGER_FAILPOINTS", format!("{point}=kill"))];
    cluster.serve(0, &failpoints).await.unwrap();
    let ended = cluster.places[0].run(&["logout", slug]).await;
    if let Some(mut node) = cluster.nodes[0].take() {
        node.dies(Duration::from_secs(20)).await;
        node.kill().await;
    }
    ended.code == 0
}

async fn kill(cluster: &mut Cluster, slug: &str, dice: &mut Dice) -> bool {
    let mut command = cluster.places[0].command(&["logout", slug]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap();
    sleep(Duration::from_millis(dice.between(5, 150))).await;
    cluster.kill(0).await;
    let ended = timeout(Duration::from_mins(3), child.wait()).await;
    matches!(ended, Ok(Ok(status)) if status.success())
}

/// True if it has ended here.
async fn weigh(outcome: &mut Outcome, cluster: &Cluster, slug: &str, is_done: bool) -> bool {
    if judge(cluster, slug).await == Verdict::Works {
        outcome.count("kept", 1);
        outcome.must(!is_done, || {
            format!("{slug} works although a logout was done")
        });
        return false;
    }
    outcome.count("ended", 1);
    true
}

/// What has ended here ends at the issuer, too, by whichever process.
async fn revoked(
    outcome: &mut Outcome,
    issuer: &Issuer,
    cluster: &Cluster,
    slug: &str,
    since: Instant,
) {
    while issuer.working(slug) > 0 && since.elapsed() < RESUMED {
        sleep(Duration::from_millis(100)).await;
    }
    let left = issuer.working(slug);
    outcome.count("revoked", u64::from(left == 0));
    outcome.highest("slowest revocation s", since.elapsed().as_secs());
    outcome.must(left == 0, || {
        format!(
            "{slug} has ended here and lives on at the issuer{}",
            cluster.talk()
        )
    });
}
