//! F11: the disk is full in the middle of refreshes.
//!
//! On a small file system of its own where one may be mounted. Elsewhere the kernel refuses the
//! gateway every write to a file (`RLIMIT_FSIZE`), which is a device fault of another name.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster, Gateway, Place};
use crate::scenario::{Circumstances, Outcome, Scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        ids: "F11",
        title: "a full disk: no success without durable state, and recovery",
        backend: None,
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

/// A small file system of its own. It is unmounted with this value.
struct Small(PathBuf);

/// What is full.
enum Disk {
    Limit,
    Small(Small),
}

// === impl Disk ===

impl Disk {
    /// The data of the first node, on something that can be filled.
    fn of(cluster: &mut Cluster) -> Self {
        if let Some(small) = Small::mount(&cluster.places[0].data) {
            return Self::Small(small);
        }
        cluster.places[0].binary = patient(&cluster.places[0]);
        Self::Limit
    }

    async fn fill(&self, node: &Gateway) {
        match self {
            Self::Limit => node.limit_files("0").await,
            Self::Small(small) => small.fill(),
        }
    }

    /// `node` is none that was killed: its limit went with it.
    async fn free(&self, node: Option<&Gateway>) {
        match (self, node) {
            (Self::Limit, Some(node)) => node.limit_files("unlimited").await,
            (Self::Limit, None) => {}
            (Self::Small(small), _) => small.free(),
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

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["served while full", "refused while full", "lost", "marked"] {
        outcome.count(name, 0);
    }
    let mut cluster = Cluster::prepare(&at.binary, Backend::Sqlite, 1, None);
    let disk = Disk::of(&mut cluster);
    outcome.count(
        "on a small file system",
        u64::from(matches!(disk, Disk::Small(_))),
    );
    if let Err(why) = cluster.serve(0, &[]).await {
        outcome.broke(why);
        return outcome;
    }
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let slugs = cluster.link(&issuer, 4).await;
    for round in 0..at.rounds(4, 50) {
        let is_killed = round % 2 == 1;
        sleep(Duration::from_millis(1_050)).await;
        disk.fill(cluster.node(0)).await;
        let mut served = Vec::new();
        for slug in &slugs {
            let node = cluster.node(0);
            let is_served = node.call(slug, Duration::from_secs(4)).await.is_ok();
            let word = if is_served {
                "served while full"
            } else {
                "refused while full"
            };
            outcome.count(word, 1);
            served.push(is_served);
        }
        if is_killed {
            cluster.kill(0).await;
        }
        disk.free(cluster.nodes[0].as_ref()).await;
        if is_killed && let Err(why) = cluster.serve(0, &[]).await {
            outcome.broke(format!("round {round}: it does not start again: {why}"));
            return outcome;
        }
        if is_killed {
            cluster.pass_leases().await;
        }
        weigh(&mut outcome, &cluster, &slugs, &served, is_killed).await;
        outcome.rounds += 1;
    }
    cluster.stop(0).await;
    outcome
}

async fn weigh(
    outcome: &mut Outcome,
    cluster: &Cluster,
    slugs: &[String],
    served: &[bool],
    is_killed: bool,
) {
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
                "{slug}, served while full: {was_served}, killed: {is_killed}: {verdict:?}\n{}",
                cluster.talk()
            ));
        }
        cluster.sign_in(slug).await.ok();
    }
}
