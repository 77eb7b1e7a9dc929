//! What must be true of a grant after a fault: it works without the person, or says why not.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::issuer::{Issuer, Mode, Why};
use crate::process::Cluster;

/// How long a gateway may take to find its way back: several leases and pauses, and a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// What one grant came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The person has to sign in, for this reason.
    Ended(String),
    /// Neither works nor says that a person has to act.
    Stuck(String),
    /// The next call works.
    Works,
}

/// A strict issuer ended the grant over a token that was spent, and what is known of its successor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost {
    /// When it was made.
    pub(crate) made: std::time::Instant,
    /// Whether the access token beside it was ever used: nothing is used before it is stored.
    pub(crate) is_used: bool,
}

/// Calls through any node that runs until it works, or until the product says that it will not.
pub(crate) async fn judge(cluster: &Cluster, slug: &str) -> Verdict {
    judge_at(cluster, cluster.alive().expect("a node runs"), slug).await
}

/// The same through this node.
pub(crate) async fn judge_at(cluster: &Cluster, at: usize, slug: &str) -> Verdict {
    let since = Instant::now();
    let mut pause = Duration::from_millis(60);
    loop {
        let heard = match cluster.call(at, slug).await {
            Ok(()) => return Verdict::Works,
            Err(heard) => heard,
        };
        let standing = cluster.standing(slug).await;
        if let Some((standing, reason)) = &standing
            && standing == "needs_sign_in"
        {
            let reason = reason.clone().unwrap_or_else(|| "no reason".to_owned());
            return Verdict::Ended(reason);
        }
        if since.elapsed() > PATIENCE {
            return Verdict::Stuck(format!("{standing:?}, and the call says: {heard}"));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// Whether the issuer's side explains the end of a grant: a strict one was shown a spent token.
pub(crate) fn explains(issuer: &Issuer, slug: &str) -> Option<Lost> {
    let grant = issuer.last(slug)?;
    let ended = grant.ended.filter(|ended| ended.why == Why::Reused)?;
    let is_strict = issuer.ledger(|ledger| ledger.mode == Mode::Strict);
    is_strict.then_some(Lost {
        made: ended.live_since,
        is_used: ended.was_live_used,
    })
}
