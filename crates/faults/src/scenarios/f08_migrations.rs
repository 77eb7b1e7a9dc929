//! F08: `kill -9` during the first start, which writes the schema, the keys and the token.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use claviger_testkit::postgres;
use tokio::time::{sleep, timeout};

use crate::dice::Dice;
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    vec![Scenario {
        ids: "F08",
        title: "kill -9 during a migration: the next start finishes it",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::of(at.seed, &at.name);
    for round in 0..at.rounds(4, 50) {
        let database = match at.backend {
            Backend::Sqlite => None,
            Backend::Postgres => match tokio::task::spawn_blocking(postgres::database)
                .await
                .unwrap()
            {
                None => return Outcome::no_postgres(),
                database => database,
            },
        };
        let mut cluster = Cluster::prepare(&at.binary, at.backend, 1, database);
        // One at the point just before the commit, the others anywhere.
        let is_named = round == 0 && at.has_failpoints;
        let mut command = cluster.places[0].command(&["serve", "--listen", "127.0.0.1:0"]);
        if is_named {
            command.env("CLAVIGER_FAILPOINTS", "migrate.before_commit=kill");
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        if is_named {
            let is_dead = timeout(Duration::from_mins(3), child.wait()).await.is_ok();
            outcome.must(is_dead, || "it did not die before its commit".to_owned());
            child.kill().await.ok();
        } else {
            sleep(Duration::from_millis(dice.between(0, 250))).await;
            child.kill().await.ok();
        }
        outcome.count("kills", 1);
        if let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!("round {round}: the next start fails: {why}"));
            continue;
        }
        let issuer = Issuer::start(Mode::Strict, at.seed).await;
        cluster.link(&issuer, 1).await;
        let verdict = judge(&cluster, "s0").await;
        outcome.must(verdict == Verdict::Works, || {
            format!("round {round}: {verdict:?}")
        });
        let checked = cluster.places[0].run(&["store", "check"]).await;
        outcome.must(checked.code == 0, || {
            format!("round {round}: store check: {checked:?}")
        });
        outcome.rounds += 1;
    }
    outcome
}
