//! The first try, for which whoever ended the credential waits a little.

use core::time::Duration;
use std::sync::Arc;

use claviger_model::Revocation;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::oneshot;

use crate::broker::Inner;
use crate::disconnect::AtIssuer;

/// How long anybody waits to hear of it. The try itself goes on.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many issuers are asked at once.
const AT_ONCE: usize = 8;

// === impl Inner ===

impl Inner {
    /// Tries what was just queued, and says what came of each within a few seconds.
    pub(crate) async fn first_tries(self: &Arc<Self>, rows: Vec<Revocation>) -> Vec<AtIssuer> {
        if rows.is_empty() {
            return Vec::new();
        }
        let (work, answers): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .map(|row| {
                let (send, receive) = oneshot::channel();
                ((row, send), receive)
            })
            .unzip();
        let inner = Arc::clone(self);
        self.parts.tasks.spawn(
            "revoke",
            Box::pin(async move {
                let inner = &inner;
                stream::iter(work)
                    .for_each_concurrent(AT_ONCE, async |(row, send)| {
                        // Nobody may be listening any more; what came of it is stored.
                        drop(send.send(inner.try_revocation(&row).await));
                    })
                    .await;
            }),
        );
        let mut enough = self.parts.clock.sleep(PATIENCE);
        let mut is_enough = false;
        let mut heard = Vec::with_capacity(answers.len());
        for mut answer in answers {
            let told = if is_enough {
                answer.try_recv().ok()
            } else {
                tokio::select! {
                    biased;
                    told = &mut answer => told.ok(),
                    () = &mut enough => {
                        is_enough = true;
                        answer.try_recv().ok()
                    }
                }
            };
            let silent = || AtIssuer::Pending("the issuer has not answered yet".to_owned());
            heard.push(told.unwrap_or_else(silent));
        }
        heard
    }

    /// The same for one.
    pub(crate) async fn first_try(self: &Arc<Self>, row: Revocation) -> AtIssuer {
        let heard = self.first_tries(vec![row]).await;
        heard
            .into_iter()
            .next()
            .unwrap_or(AtIssuer::NothingToRevoke)
    }
}
