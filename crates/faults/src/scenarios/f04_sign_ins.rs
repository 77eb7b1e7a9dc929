//! F04: `kill -9` during the exchange of a code.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::http::browse;
use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};

/// Before the code is known, after it is redeemed, and when everything is stored.
const POINTS: [&str; 4] = [
    "sign_in.after_take",
    "sign_in.after_response",
    "sign_in.after_journal",
    "sign_in.after_commit",
];

/// Longer than the 45 s that an exchange may last.
const MAKES_WAY: Duration = Duration::from_mins(3);

pub(crate) fn scenarios(backend: Backend) -> Vec<Scenario> {
    vec![Scenario {
        ids: "F04",
        title: "kill -9 while a code is exchanged: linked, or a clean restart",
        backend: Some(backend),
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["kills", "linked", "begun anew"] {
        outcome.count(name, 0);
    }
    let mut dice = Dice::of(at.seed, &at.name);
    let issuer = Issuer::start(Mode::Strict, at.seed).await;
    let Some(mut cluster) = Cluster::start(&at.binary, at.backend, 1).await else {
        return Outcome::no_postgres();
    };
    let points: Vec<_> = POINTS
        .into_iter()
        .filter(|name| at.has_failpoint(name))
        .collect();
    let random = usize::try_from(at.rounds(8, 300)).unwrap_or(0);
    let mut left = Vec::new();
    for round in 0..points.len() + random {
        let slug = format!("s{round}");
        cluster.add(&issuer, &slug).await;
        match points.get(round) {
            Some(point) => {
                let is_dead = die(&mut cluster, &slug, point).await;
                outcome.must(is_dead, || format!("{point}: it did not die there"));
            }
            None => kill(&mut cluster, &issuer, &slug, &mut dice).await,
        }
        outcome.count("kills", 1);
        issuer.quiet().await;
        cluster.serve(0, &[]).await.unwrap();
        if weigh(&mut outcome, &issuer, &cluster, &slug).await {
            left.push(slug);
        }
        outcome.rounds += 1;
    }
    for slug in left {
        begin_anew(&mut outcome, &cluster, &slug).await;
    }
    outcome
}

/// Dies by itself at a named place; false if it does not.
async fn die(cluster: &mut Cluster, slug: &str, point: &str) -> bool {
    cluster.stop(0).await;
    let failpoints = [("CLAVIGER_FAILPOINTS", format!("{point}=kill"))];
    cluster.serve(0, &failpoints).await.unwrap();
    let command = begin(cluster, slug);
    let is_dead = match cluster.nodes[0].take() {
        Some(mut node) => node.dies(Duration::from_mins(2)).await,
        None => true,
    };
    command.abort();
    is_dead
}

/// Is killed at any instant; half of them count from the request for the tokens.
async fn kill(cluster: &mut Cluster, issuer: &Issuer, slug: &str, dice: &mut Dice) {
    let (is_aimed, wait) = (dice.once_in(2), dice.between(0, 160));
    let began = Instant::now();
    let command = begin(cluster, slug);
    while is_aimed
        && issuer.requests_since(began).is_empty()
        && began.elapsed() < Duration::from_secs(30)
    {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(wait)).await;
    cluster.kill(0).await;
    // The command goes too: left alone it would begin anew by itself.
    command.abort();
}

/// Starts a sign-in and plays the browser; nobody waits for its end.
fn begin(cluster: &Cluster, slug: &str) -> JoinHandle<()> {
    let (place, slug) = (cluster.places[0].clone(), slug.to_owned());
    tokio::spawn(async move {
        let words = [
            "login",
            &slug,
            "--no-browser",
            "--json",
            "--timeout-s",
            "120",
        ];
        place
            .run_with(&words, |line| async move {
                if let Some(url) = line["authorization_url"].as_str() {
                    browse(url).await.ok();
                }
            })
            .await;
    })
}

/// True if the person has to begin anew.
async fn weigh(outcome: &mut Outcome, issuer: &Issuer, cluster: &Cluster, slug: &str) -> bool {
    let mut is_left = false;
    let standing = cluster.standing(slug).await;
    let word = standing.as_ref().map_or("", |(word, _)| word.as_str());
    match word {
        "connected" | "expiring" => {
            outcome.count("linked", 1);
            let verdict = judge(cluster, slug).await;
            outcome.must(verdict == Verdict::Works, || {
                format!("{slug} says it is connected: {verdict:?}{}", cluster.talk())
            });
        }
        "never_connected" | "needs_sign_in" => {
            outcome.count("begun anew", 1);
            is_left = true;
        }
        _ => outcome.broke(format!("{slug} is half linked: {standing:?}")),
    }
    // A code works once at the issuer; whoever tried twice would have been refused.
    let counts = issuer.counts();
    outcome.must(counts.unknown == 0 && counts.reuses == 0, || {
        format!("{slug}: something was sent twice: {counts:?}")
    });
    is_left
}

/// A sign-in whose callback had arrived stands in nobody's way for longer than an exchange lasts.
/// One that still waits for its person is theirs to give up.
async fn begin_anew(outcome: &mut Outcome, cluster: &Cluster, slug: &str) {
    let since = Instant::now();
    let more = match cluster.open_sign_in(slug).await {
        Some(false) => {
            outcome.count("given up by hand", 1);
            &["--force"][..]
        }
        _ => &[],
    };
    let mut tried = cluster.sign_in_with(slug, more).await;
    while tried.is_err() && since.elapsed() < MAKES_WAY {
        sleep(Duration::from_secs(1)).await;
        tried = cluster.sign_in_with(slug, more).await;
    }
    outcome.highest("slowest way s", since.elapsed().as_secs());
    if let Err(why) = tried {
        outcome.broke(format!("{slug} cannot be signed in anew: {why}"));
        return;
    }
    let verdict = judge(cluster, slug).await;
    outcome.must(verdict == Verdict::Works, || {
        format!("{slug}, signed in anew: {verdict:?}{}", cluster.talk())
    });
}
