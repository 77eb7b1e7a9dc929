//! F09 and F31 to F33: a backup that is killed, put back with another key, put back late, and put
//! back beside the original.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::dice::Dice;
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let of = |ids, title, run| Scenario {
        ids,
        title,
        backend: None,
        is_alone: false,
        run,
    };
    vec![
        of("F09", "kill -9 during a backup", |at| Box::pin(killed(at))),
        of(
            "F31 F32 F33",
            "an old backup is put back: held, then called live; and with a foreign key",
            |at| Box::pin(restored(at)),
        ),
    ]
}

async fn killed(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::of(at.seed, &at.name);
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let cluster = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
    let cluster = cluster.expect("SQLite is always there");
    let slugs = cluster.link(&issuer, 3).await;
    for name in ["kills", "whole", "absent"] {
        outcome.count(name, 0);
    }
    for round in 0..at.rounds(4, 50) {
        let file = cluster.places[0].scratch.join(format!("backup-{round}.db"));
        let words = ["backup", file.to_str().unwrap()];
        let mut command = cluster.places[0].command(&words);
        if round == 0 && at.has_failpoints {
            command.env("CLAVIGER_FAILPOINTS", "backup.before_rename=kill");
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        sleep(Duration::from_millis(dice.between(5, 900))).await;
        child.kill().await.ok();
        outcome.count("kills", 1);
        if file.exists() {
            // What has the name is whole: the next one would refuse to replace half a file.
            outcome.count("whole", 1);
            let head = fs::read(&file).unwrap();
            outcome.must(head.starts_with(b"SQLite format 3\0"), || {
                format!("round {round}: half a file has the name of a backup")
            });
        } else {
            outcome.count("absent", 1);
        }
        for slug in &slugs {
            let verdict = judge(&cluster, slug).await;
            outcome.must(verdict == Verdict::Works, || {
                format!("round {round}: {slug}: {verdict:?}")
            });
        }
        outcome.rounds += 1;
    }
    outcome
}

async fn restored(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["sent while held", "stale", "marked", "renewed"] {
        outcome.count(name, 0);
    }
    for round in 0..at.rounds(1, 20) {
        let issuer = Issuer::start(Mode::Strict, at.seed + round).await;
        let cluster = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
        let mut cluster = cluster.expect("SQLite is always there");
        // These two are refreshed after the backup, so what the backup holds of them is spent.
        let stale = cluster.link(&issuer, 2).await;
        // What lives long is of another issuer, so that no refresh of the others gets a long life.
        let lasting = Issuer::start(Mode::Strict, at.seed).await;
        lasting.script(|script| script.life = Duration::from_hours(1));
        cluster.add(&lasting, "fresh").await;
        cluster.sign_in("fresh").await.unwrap();
        let backup = cluster.places[0].scratch.join("backup.db");
        let backup = backup.to_str().unwrap().to_owned();
        let made = cluster.places[0].run(&["backup", &backup]).await;
        outcome.must(made.code == 0, || format!("backup: {made:?}"));
        sleep(Duration::from_millis(1_050)).await;
        for slug in &stale {
            let verdict = judge(&cluster, slug).await;
            outcome.must(verdict == Verdict::Works, || format!("{slug}: {verdict:?}"));
        }
        cluster.stop(0).await;
        foreign_key(&mut outcome, &at, &cluster, &backup).await;
        let words = ["restore", "--replace", &backup];
        let done = cluster.places[0].run(&words).await;
        outcome.must(done.code == 0, || format!("restore: {done:?}"));
        if let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!("a restored copy does not start: {why}"));
            return outcome;
        }
        held(&mut outcome, [&issuer, &lasting], &cluster, &stale).await;
        let done = cluster.places[0].run(&["restore", "--confirm-live"]).await;
        outcome.must(done.code == 0, || {
            format!("restore --confirm-live: {done:?}")
        });
        live(&mut outcome, &cluster, &stale).await;
        outcome.rounds += 1;
    }
    outcome
}

/// F32: nothing is changed.
async fn foreign_key(outcome: &mut Outcome, at: &Circumstances, cluster: &Cluster, backup: &str) {
    let other = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
    let other = other.expect("SQLite is always there");
    let key = cluster.places[0].data.join("key");
    let kept = fs::read(&key).unwrap();
    let before = fs::read(cluster.file()).unwrap();
    fs::copy(other.places[0].data.join("key"), &key).unwrap();
    let words = ["restore", "--replace", backup];
    let refused = cluster.places[0].run(&words).await;
    outcome.must(refused.code == 5, || {
        format!("with a foreign key: {refused:?}")
    });
    let is_same = fs::read(cluster.file()).unwrap() == before;
    outcome.must(is_same, || {
        "a refused restore changed the database".to_owned()
    });
    fs::write(&key, kept).unwrap();
}

/// F33: a copy that nobody called the live one sends nothing.
async fn held(outcome: &mut Outcome, issuers: [&Issuer; 2], cluster: &Cluster, stale: &[String]) {
    let requests = || {
        issuers
            .map(|issuer| issuer.counts().requests)
            .iter()
            .sum::<u64>()
    };
    let before = requests();
    let fresh = cluster.call(0, "fresh").await;
    outcome.must(fresh.is_ok(), || {
        format!("a valid token is not served: {fresh:?}")
    });
    for slug in stale {
        let heard = cluster.call(0, slug).await;
        outcome.must(heard.is_err(), || {
            format!("{slug} works in a copy that is held")
        });
    }
    let sent = requests() - before;
    outcome.count("sent while held", sent);
    outcome.must(sent == 0, || {
        format!("a copy that is held sent {sent} token requests")
    });
}

/// F31: what is spent says so, and everything else is renewed.
async fn live(outcome: &mut Outcome, cluster: &Cluster, stale: &[String]) {
    let verdict = judge(cluster, "fresh").await;
    outcome.count("renewed", u64::from(verdict == Verdict::Works));
    outcome.must(verdict == Verdict::Works, || {
        format!("called live, `fresh`: {verdict:?}{}", cluster.talk())
    });
    for slug in stale {
        let verdict = judge(cluster, slug).await;
        outcome.count("stale", 1);
        outcome.count(
            "marked",
            u64::from(verdict == Verdict::Ended("restored".to_owned())),
        );
        outcome.must(verdict == Verdict::Ended("restored".to_owned()), || {
            format!("called live, {slug}: {verdict:?}{}", cluster.talk())
        });
    }
}
