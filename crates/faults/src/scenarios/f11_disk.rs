//! F11 and F12: a disk that is full, fails or refuses in the middle of refreshes, and one fsync
//! that fails.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster, Gateway, Place};
use crate::scenario::{Circumstances, Outcome, Scenario};
use crate::shim::{Disk, Shim};

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
            "F11",
            "a disk that is full, fails, is read-only or over quota: no success without durable state",
            |at| Box::pin(disks(at)),
        ),
        of(
            "F12",
            "an fsync fails once: that file is not asked again, and nothing is lost",
            |at| Box::pin(syncs(at)),
        ),
    ]
}

/// A small file system of its own. It is unmounted with this value.
struct Small(PathBuf);

// === impl Small ===

impl Small {
    fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).ok()?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=4m,mode=700", "claviger-faults"]);
        let is_mounted = command
            .arg(folder)
            .output()
            .is_ok_and(|done| done.status.success());
        is_mounted.then(|| Self(folder.to_owned()))
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("ballast")).unwrap();
        for size in [64 * 1024, 4096, 512, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: the gateway may still be dying in it.
        Command::new("umount").arg("-l").arg(&self.0).output().ok();
    }
}

/// What breaks, and how.
enum Breaker {
    /// The kernel refuses the gateway every write to a file (`RLIMIT_FSIZE`).
    Limited,
    Mounted(Small),
    Shimmed(Shim, Disk),
}

// === impl Breaker ===

impl Breaker {
    async fn breaks(&self, node: &Gateway) {
        match self {
            Self::Limited => node.limit_files("0").await,
            Self::Mounted(small) => small.fill(),
            Self::Shimmed(shim, disk) => shim.breaks(*disk),
        }
    }

    /// `node` is none that was killed: its limit went with it.
    async fn mends(&self, node: Option<&Gateway>) {
        match (self, node) {
            (Self::Limited, Some(node)) => node.limit_files("unlimited").await,
            (Self::Limited, None) => {}
            (Self::Mounted(small), _) => small.free(),
            (Self::Shimmed(shim, _), _) => shim.mends(),
        }
    }
}

/// The binary behind a script: a write beyond the limit fails instead of ending the process.
fn patient(place: &Place) -> PathBuf {
    let script = place.scratch.join("patient");
    let real = place.binary.display();
    fs::write(
        &script,
        format!("#!/bin/sh\ntrap '' XFSZ\nexec '{real}' \"$@\"\n"),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    script
}

async fn disks(at: Arc<Circumstances>) -> Outcome {
    let kinds = [
        None,
        Some(Disk::Full),
        Some(Disk::Failing),
        Some(Disk::ReadOnly),
        Some(Disk::OverQuota),
    ];
    let mut outcome = Outcome::default();
    for name in [
        "served while broken",
        "refused while broken",
        "lost",
        "marked",
    ] {
        outcome.count(name, 0);
    }
    for one in join_all(kinds.map(|kind| disk(&at, kind))).await {
        outcome.add(one);
    }
    outcome
}

/// `None` is a real file system that is really full, where one may be mounted.
async fn disk(at: &Circumstances, kind: Option<Disk>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut cluster = Cluster::prepare(&at.binary, Backend::Sqlite, 1, None);
    let breaker = match kind {
        None => {
            if let Some(small) = Small::mount(&cluster.places[0].data) {
                Breaker::Mounted(small)
            } else {
                cluster.places[0].binary = patient(&cluster.places[0]);
                Breaker::Limited
            }
        }
        Some(disk) => match Shim::build() {
            Ok(shim) => {
                shim.below(&mut cluster.places[0]);
                Breaker::Shimmed(shim, disk)
            }
            Err(why) => return Outcome::skipped(&why),
        },
    };
    outcome.count("disks", 1);
    outcome.count(
        "small file systems",
        u64::from(matches!(breaker, Breaker::Mounted(_))),
    );
    if let Err(why) = cluster.serve(0, &[]).await {
        outcome.broke(why);
        return outcome;
    }
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let slugs = cluster.link(&issuer, 3).await;
    for round in 0..at.rounds(2, 20) {
        let is_killed = round % 2 == 1;
        sleep(Duration::from_millis(1_050)).await;
        breaker.breaks(cluster.node(0)).await;
        let served = while_broken(&mut outcome, &cluster, &slugs, kind).await;
        if is_killed {
            cluster.kill(0).await;
        }
        breaker.mends(cluster.nodes[0].as_ref()).await;
        if is_killed && let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!("{kind:?}: it does not start again: {why}"));
            return outcome;
        }
        if is_killed {
            cluster.pass_leases().await;
        }
        weigh(&mut outcome, &cluster, &slugs, &served, (kind, is_killed)).await;
        outcome.rounds += 1;
    }
    cluster.stop(0).await;
    outcome
}

/// Which grants were served although nothing could be written. No other act may be called done.
async fn while_broken(
    outcome: &mut Outcome,
    cluster: &Cluster,
    slugs: &[String],
    kind: Option<Disk>,
) -> Vec<bool> {
    let mut served = Vec::new();
    for slug in slugs {
        let node = cluster.node(0);
        let is_served = node.call(slug, Duration::from_secs(4)).await.is_ok();
        let word = if is_served {
            "served while broken"
        } else {
            "refused while broken"
        };
        outcome.count(word, 1);
        served.push(is_served);
    }
    let url = "https://example.com/mcp";
    let add = ["server", "add", "late", url, "--no-discover", "--json"];
    for words in [&add[..], &["logout", &slugs[0]]] {
        let ended = cluster.places[0].run(words).await;
        outcome.must(ended.code != 0, || {
            format!("{kind:?}: {words:?} was called done: {ended:?}")
        });
    }
    served
}

async fn weigh(
    outcome: &mut Outcome,
    cluster: &Cluster,
    slugs: &[String],
    served: &[bool],
    how: (Option<Disk>, bool),
) {
    let (_, is_killed) = how;
    for (slug, was_served) in slugs.iter().zip(served) {
        let verdict = judge(cluster, slug).await;
        let is_marked = verdict == Verdict::Ended("ambiguous_rotation".to_owned());
        if verdict == Verdict::Works {
            continue;
        }
        // Nothing could be written, and the process died: what it held is gone.
        if is_killed && !was_served && is_marked {
            outcome.count("lost", 1);
            outcome.count("marked", 1);
        } else {
            outcome.broke(format!(
                "{slug}, served while broken: {was_served}, disk and killed: {how:?}: {verdict:?}{}",
                cluster.talk()
            ));
        }
        cluster.sign_in(slug).await.ok();
    }
}

/// F12: the kernel may have thrown away what it could not write, and says yes the next time.
async fn syncs(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let shim = match Shim::build() {
        Ok(shim) => shim,
        Err(why) => return Outcome::skipped(&why),
    };
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let mut cluster = Cluster::prepare(&at.binary, Backend::Sqlite, 1, None);
    shim.below(&mut cluster.places[0]);
    cluster.serve(0, &[]).await.unwrap();
    let slugs = cluster.link(&issuer, 2).await;
    for name in ["failed", "lost"] {
        outcome.count(name, 0);
    }
    for round in 0..at.rounds(4, 40) {
        // The rescue journal, and the log of the database.
        let part = if round % 2 == 0 { ".journal" } else { "-wal" };
        sleep(Duration::from_millis(1_050)).await;
        issuer.quiet().await;
        shim.fails_sync(part);
        for slug in &slugs {
            let verdict = judge(&cluster, slug).await;
            outcome.must(verdict == Verdict::Works, || {
                format!(
                    "round {round}, {part}: {slug}: {verdict:?}{}",
                    cluster.talk()
                )
            });
        }
        let has_failed = shim.has_failed_sync();
        outcome.count("failed", u64::from(has_failed));
        outcome.must(has_failed, || {
            format!("round {round}: no {part} was synced")
        });
        // What was called stored is there for the next process.
        cluster.kill(0).await;
        cluster.pass_leases().await;
        if let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!(
                "round {round}, {part}: it does not start again: {why}"
            ));
            return outcome;
        }
        for slug in &slugs {
            let verdict = judge(&cluster, slug).await;
            outcome.must(verdict == Verdict::Works, || {
                format!(
                    "round {round}, {part}, restarted: {slug}: {verdict:?}{}",
                    cluster.talk()
                )
            });
        }
        outcome.rounds += 1;
    }
    let again = shim.asked_again();
    outcome.must(again.is_empty(), || {
        format!("a file was asked again after its fsync had failed: {again}")
    });
    let counts = issuer.counts();
    outcome.must(counts.reuses == 0, || format!("sent twice: {counts:?}"));
    outcome
}
