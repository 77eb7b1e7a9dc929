//! F24: names that do not resolve, resolve slowly, or to another address than before.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::issuer::{Issuer, Mode};
use crate::oracle::{Verdict, judge};
use crate::process::{Backend, Cluster};
use crate::scenario::{Circumstances, Outcome, Scenario};
use crate::shim::Shim;

const HERE: &str = "127.0.0.1";

/// What the name of the issuer and its servers resolves to, and whether calls go on.
const TROUBLES: [(&str, bool); 6] = [
    ("fail", false),
    ("none", false),
    // Longer than a connection may take.
    ("slow 9000 127.0.0.1", false),
    ("slow 300 127.0.0.1", true),
    // Nobody listens there.
    ("127.0.0.77", false),
    // The metadata service of clouds: refused whoever resolves to it.
    ("169.254.169.254", false),
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        ids: "F24",
        title: "names fail, hang, are slow or move: nothing is ended, nothing goes elsewhere",
        backend: None,
        is_alone: false,
        run: |at| Box::pin(run(at)),
    }]
}

async fn run(at: Arc<Circumstances>) -> Outcome {
    let mut outcome = Outcome::default();
    let shim = match Shim::build() {
        Ok(shim) => shim,
        Err(why) => return Outcome::skipped(&why),
    };
    for name in ["troubles", "refused", "lost"] {
        outcome.count(name, 0);
    }
    shim.name_is(HERE);
    let mut cluster = Cluster::prepare(&at.binary, Backend::Sqlite, 1, None);
    shim.below(&mut cluster.places[0]);
    cluster.serve(0, &[]).await.unwrap();
    let issuer = Issuer::named("localhost", Mode::Strict, at.seed).await;
    for round in 0..at.rounds(1, 20) {
        let slugs: Vec<String> = (0..TROUBLES.len())
            .map(|number| format!("n{round}-{number}"))
            .collect();
        for slug in &slugs {
            cluster.add(&issuer, slug).await;
            cluster.sign_in(slug).await.unwrap();
        }
        for (slug, (name, goes_on)) in slugs.iter().zip(TROUBLES) {
            sleep(Duration::from_millis(1_050)).await;
            issuer.quiet().await;
            let before = issuer.counts();
            shim.name_is(name);
            let heard = cluster.call(0, slug).await;
            outcome.count("troubles", 1);
            outcome.count("refused", u64::from(heard.is_err()));
            let after = issuer.counts();
            outcome.must(goes_on || heard.is_err(), || {
                format!("{name}: the call was served")
            });
            outcome.must(goes_on || after.requests == before.requests, || {
                format!("{name}: a token request arrived: {before:?} {after:?}")
            });
            shim.name_is(HERE);
        }
        // Each of them only had to wait.
        let verdicts = join_all(slugs.iter().map(|slug| judge(&cluster, slug))).await;
        for (slug, verdict) in slugs.iter().zip(verdicts) {
            outcome.count("lost", u64::from(verdict != Verdict::Works));
            outcome.must(verdict == Verdict::Works, || {
                format!("{slug}: {verdict:?}{}", cluster.talk())
            });
        }
        outcome.rounds += 1;
    }
    let counts = issuer.counts();
    outcome.must(counts.reuses == 0, || format!("sent twice: {counts:?}"));
    outcome
}
