//! F07: `kill -9` while every key is made anew and every secret is sealed with it.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::timeout;

use crate::dice::Dice;
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

const GRANTS: usize = 8;
/// Of a server that runs, and of a command without one. Wrapping anew needs a second key file; that
/// it may be broken off anywhere is tested in the broker.
const POINTS: [&str; 2] = ["keys.after_reseal", "keys.after_reseal"];

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    vec![Scenario {
        ids: "F07",
        title: "kill -9 during a rotation of the keys: everything opens, and it goes on",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::of(at.seed, &at.name);
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    issuer.script(|script| script.life = Duration::from_hours(1));
    let Some(mut cluster) = Cluster::start(&at.binary, at.backend, 1).await else {
        return Outcome::no_postgres();
    };
    let slugs = cluster.link(&issuer, GRANTS).await;
    for round in 0..at.rounds(6, 200) {
        let place = usize::try_from(round).unwrap_or(0);
        let point = POINTS.get(place).filter(|_| at.has_failpoints);
        // With a server that runs, and without one.
        let is_served = round % 2 == 0;
        cluster.stop(0).await;
        let named = point.map(|point| ("CLAVIGER_FAILPOINTS", format!("{point}=kill")));
        let named: Vec<_> = named.into_iter().collect();
        if is_served && let Err(why) = cluster.serve(0, &named).await {
            outcome.broke(format!("round {round}: it does not start: {why}"));
            return outcome;
        }
        let mut child = rotation(&cluster, named);
        let span = match point {
            Some(_) => Duration::from_mins(2),
            None => Duration::from_millis(dice.between(5, 400)),
        };
        let ended = timeout(span, child.wait()).await;
        if ended.is_err() {
            child.kill().await.ok();
        }
        // At a named place the process that rotates dies by itself: the command, or the server.
        let is_dead = match (&ended, &mut cluster.nodes[0]) {
            (Ok(Ok(status)), _) if status.code().is_none() => true,
            (_, Some(node)) if point.is_some() => node.dies(Duration::from_mins(2)).await,
            _ => false,
        };
        outcome.must(is_dead || point.is_none(), || {
            format!("round {round}: {point:?}: it did not die there")
        });
        outcome.count("kills", 1);
        cluster.kill(0).await;
        if let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!("round {round}: it does not start again: {why}"));
            return outcome;
        }
        weigh(&mut outcome, &cluster, &slugs, &format!("round {round}")).await;
        if round % 3 == 2 {
            for words in [&["keys", "rotate"][..], &["keys", "verify"]] {
                let ended = cluster.places[0].run(words).await;
                outcome.must(ended.code == 0, || {
                    format!("round {round}: {words:?}: {ended:?}")
                });
            }
            weigh(&mut outcome, &cluster, &slugs, "after a whole rotation").await;
        }
        outcome.rounds += 1;
    }
    outcome
}

fn rotation(cluster: &Cluster, named: Vec<(&str, String)>) -> Child {
    let mut command = cluster.places[0].command(&["keys", "rotate", "--json"]);
    command.envs(named);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

async fn weigh(outcome: &mut Outcome, cluster: &Cluster, slugs: &[String], what: &str) {
    let verified = cluster.places[0].run(&["keys", "verify"]).await;
    outcome.must(verified.code == 0, || {
        format!("{what}: keys verify: {verified:?}")
    });
    for slug in slugs {
        let verdict = judge(cluster, slug).await;
        outcome.must(verdict == Verdict::Works, || {
            format!("{what}: {slug}: {verdict:?}{}", cluster.talk())
        });
    }
}
