//! F30, F32, F34 and F35: starting with a key that is missing or wrong, a newer schema, or a
//! damaged file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::dice::Dice;
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster, sqlite};
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
        of(
            "F30 A207",
            "the key file is missing, foreign or torn at boot",
            |at| Box::pin(keyless(at)),
        ),
        of("F34 A209", "a schema newer than the binary", |at| {
            Box::pin(newer(at))
        }),
        of(
            "F35",
            "a row that rots, and one flipped byte anywhere in the database file",
            |at| Box::pin(flipped(at)),
        ),
    ]
}

/// A gateway with a few grants that live long, ended in order: the file is the whole database.
async fn rested(at: &Circumstances, issuer: &Issuer) -> (Cluster, Vec<String>) {
    issuer.script(|script| script.life = Duration::from_hours(1));
    let cluster = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
    let mut cluster = cluster.expect("SQLite is always there");
    let slugs = cluster.link(issuer, 3).await;
    assert!(cluster.stop(0).await, "it ends in order");
    sqlite::change(&cluster.file(), "PRAGMA wal_checkpoint(TRUNCATE)").await;
    (cluster, slugs)
}

/// Starts must be refused in words, and leave the database as it was.
async fn refused(outcome: &mut Outcome, cluster: &mut Cluster, what: &str) {
    let before = fs::read(cluster.file()).unwrap();
    let words = ["serve", "--listen", "127.0.0.1:0"];
    let ended = cluster.places[0].run(&words).await;
    outcome.count("refusals", u64::from(ended.code == 5));
    outcome.must(ended.code == 5, || format!("{what}: {ended:?}"));
    outcome.must(ended.stderr.contains("hint:"), || {
        format!("{what}: no hint: {ended:?}")
    });
    let is_same = fs::read(cluster.file()).unwrap() == before;
    outcome.must(is_same, || format!("{what}: the database was written to"));
    outcome.rounds += 1;
}

async fn works(outcome: &mut Outcome, cluster: &mut Cluster, slugs: &[String], what: &str) {
    if let Err(why) = cluster.serve(0, &[]).await {
        outcome.broke(format!("{what}: it does not start again: {why}"));
        return;
    }
    for slug in slugs {
        let verdict = judge(cluster, slug).await;
        outcome.must(verdict == Verdict::Works, || {
            format!("{what}: {slug}: {verdict:?}")
        });
    }
}

async fn keyless(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let (mut cluster, slugs) = rested(&at, &issuer).await;
    let key = cluster.places[0].data.join("key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    refused(&mut outcome, &mut cluster, "no key file").await;
    outcome.must(!key.exists(), || {
        "a new key was made for an old database".to_owned()
    });
    let foreign = Cluster::start(&at.binary, Backend::Sqlite, 1).await;
    let foreign = foreign.expect("SQLite is always there");
    let torn = kept[..kept.len() / 2].to_vec();
    let other = fs::read(foreign.places[0].data.join("key")).unwrap();
    for (what, bytes) in [
        ("a foreign key", other),
        ("half a key", torn),
        ("an empty key", vec![]),
    ] {
        write_private(&key, &bytes);
        refused(&mut outcome, &mut cluster, what).await;
    }
    write_private(&key, &kept);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(&mut outcome, &mut cluster, "a key that everybody can read").await;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    works(&mut outcome, &mut cluster, &slugs, "with its own key").await;
    outcome
}

async fn newer(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let (mut cluster, slugs) = rested(&at, &issuer).await;
    let kept = fs::read(cluster.file()).unwrap();
    sqlite::change(&cluster.file(), "PRAGMA user_version = 9999").await;
    sqlite::change(&cluster.file(), "PRAGMA wal_checkpoint(TRUNCATE)").await;
    refused(&mut outcome, &mut cluster, "a newer schema").await;
    restore(&cluster.file(), &kept);
    works(&mut outcome, &mut cluster, &slugs, "with its own schema").await;
    outcome
}

async fn flipped(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["flips", "refused", "served", "calls refused"] {
        outcome.count(name, 0);
    }
    let mut dice = Dice::of(at.seed, &at.name);
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let (mut cluster, slugs) = rested(&at, &issuer).await;
    let kept = fs::read(cluster.file()).unwrap();
    one_row(&mut outcome, &mut cluster, &slugs, &kept).await;
    let log = cluster.places[0].log();
    for round in 0..at.rounds(12, 300) {
        let place = dice.place(kept.len());
        let mut bytes = kept.clone();
        bytes[place] ^= 1 << dice.between(0, 8);
        restore(&cluster.file(), &bytes);
        fs::remove_file(&log).ok();
        outcome.count("flips", 1);
        if cluster.serve(0, &[]).await.is_ok() {
            outcome.count("served", 1);
            for slug in &slugs {
                let heard = cluster.call(0, slug).await;
                outcome.count("calls refused", u64::from(heard.is_err()));
            }
            outcome.must(cluster.stop(0).await, || {
                format!("round {round}: it does not end")
            });
        } else {
            outcome.count("refused", 1);
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        outcome.must(!said.contains("panicked"), || {
            format!("byte {place}: a panic\n{said}")
        });
        outcome.rounds += 1;
    }
    let counts = issuer.counts();
    outcome.must(counts.reuses + counts.unknown == 0, || {
        format!("sent what was not its own: {counts:?}")
    });
    restore(&cluster.file(), &kept);
    works(&mut outcome, &mut cluster, &slugs, "with the whole file").await;
    outcome
}

/// A row that rots inside its seal is nobody else's trouble.
async fn one_row(outcome: &mut Outcome, cluster: &mut Cluster, slugs: &[String], kept: &[u8]) {
    for hit in slugs {
        let sealed = format!(
            "SELECT sealed FROM credentials WHERE server_id = \
             (SELECT id FROM servers WHERE slug = '{hit}')"
        );
        restore(&cluster.file(), kept);
        let sealed = sqlite::bytes(&cluster.file(), &sealed).await;
        // Enough of it to be found once, however it is laid out on its pages.
        let middle = &sealed[sealed.len() / 2..sealed.len() / 2 + 16];
        let places = kept.windows(middle.len()).enumerate();
        let places = places.filter(|(_, window)| *window == middle);
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        assert_eq!(places.len(), 1, "the seal is in the file once");
        let mut bytes = kept.to_vec();
        bytes[places[0]] ^= 1;
        restore(&cluster.file(), &bytes);
        if let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!("{hit} rots, and nothing is served: {why}"));
            return;
        }
        outcome.count("rotten rows", 1);
        for slug in slugs {
            let heard = cluster.call(0, slug).await;
            let is_hit = slug == hit;
            outcome.must(heard.is_err() == is_hit, || {
                format!("{hit} rots, and {slug} hears {heard:?}{}", cluster.talk())
            });
        }
        outcome.must(cluster.stop(0).await, || {
            format!("{hit} rots: it does not end")
        });
    }
    restore(&cluster.file(), kept);
}

fn restore(file: &Path, bytes: &[u8]) {
    for suffix in ["-wal", "-shm"] {
        let mut beside = file.as_os_str().to_owned();
        beside.push(suffix);
        fs::remove_file(beside).ok();
    }
    write_private(file, bytes);
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
