//! One try at the issuer.

use core::time::Duration;

use claviger_client::{Revoke, RevokeError, revoke};
use claviger_model::{RegistrationOrigin, Revocation, Timestamp};
use claviger_store::StoreError;

use super::backoff::wait_s;
use super::record::Owed;
use super::told::note;
use crate::broker::Inner;
use crate::disconnect::AtIssuer;
use crate::restored::HELD;
use crate::serve::Chain;
use crate::{Act, Came, Note};

/// How long one try may take; it ends before anybody else may begin one.
const LONGEST: Duration = Duration::from_secs(25);

/// For how long an access token of unknown life is taken to live, in seconds.
const UNKNOWN_LIFE_S: i64 = 86_400;

// === impl Inner ===

impl Inner {
    /// Sends a revocation that is ours to try, and writes what came of it.
    pub(super) async fn try_revocation(&self, row: &Revocation) -> AtIssuer {
        let tried = match Owed::open(self, row).await {
            // F33: it may be the grant of the live installation.
            _ if self.is_held() => Tried::not_yet(HELD),
            Ok(owed) => self.send(row, owed).await,
            Err(error) => {
                tracing::error!(server = %row.server_name, issuer = %row.issuer, error = %Chain(&error), "a revocation cannot be opened");
                Tried::not_yet("its sealed record cannot be opened; see the log")
            }
        };
        match tried {
            Tried::Over(at_issuer) => {
                self.settle_revocation(row).await;
                at_issuer
            }
            Tried::NotYet { why, asked } => {
                self.postpone(row, &why, asked).await;
                AtIssuer::Pending(why)
            }
        }
    }

    async fn send(&self, row: &Revocation, owed: Owed) -> Tried {
        let now = self.parts.clock.now();
        // RFC 7009 §2.1: an access token that ended by itself needs no revocation.
        let access_until = owed
            .access_until
            .unwrap_or_else(|| row.created_at.plus(UNKNOWN_LIFE_S));
        let reach = owed.reach();
        let client_id = owed.client.client_id.clone();
        let input = Revoke {
            issuer: row.issuer.clone(),
            revocation_endpoint: owed.endpoint,
            client: owed.client,
            refresh_token: owed.tokens.refresh,
            access_token: Some(owed.tokens.access).filter(|_| now < access_until),
            jtis: [self.parts.entropy.id_bytes(), self.parts.entropy.id_bytes()],
        };
        let sent = note(Act::RevocationSent, row).with("attempt", row.attempts);
        self.parts.audit.tell_soon(sent);
        let mut unheard = |_step| {};
        let mut errand = revoke(input);
        let revoked = tokio::select! {
            revoked = self.run(&mut errand, &reach, &mut unheard) => revoked,
            () = self.parts.clock.sleep(LONGEST) => return Tried::not_yet("no answer in time"),
        };
        claviger_ports::failpoint_in_task!("revoke.after_send");
        if let Some(error) = revoked.failure() {
            if matches!(error, RevokeError::ClientRefused) {
                self.retire_unknown(row, &client_id).await;
            }
            return Tried::NotYet {
                why: error.to_string(),
                asked: error.retry_after(),
            };
        }
        if revoked.is_confirmed() {
            tracing::info!(server = %row.server_name, issuer = %row.issuer, "the issuer confirmed a revocation");
            return Tried::Over(AtIssuer::Revoked);
        }
        if access_until <= now {
            return Tried::Over(AtIssuer::NothingToRevoke);
        }
        // It answers, and says that it does no such thing: asking again would change nothing.
        tracing::warn!(server = %row.server_name, issuer = %row.issuer, "the issuer revokes no tokens of these kinds");
        Tried::Over(AtIssuer::NotOffered)
    }

    /// Q09, N2: a client that the issuer lost is registered anew by the next sign-in. Nothing else is
    /// thrown away, this debt included, and a client the operator set is never registered anew.
    async fn retire_unknown(&self, row: &Revocation, client_id: &str) {
        let retired = async {
            let all = self
                .rows(&row.key)
                .list_registrations(&row.key.server)
                .await?;
            for known in all {
                let is_lost = known.origin == RegistrationOrigin::Dynamic
                    && known.issuer == row.issuer
                    && known.client_id == client_id;
                if !is_lost {
                    continue;
                }
                let note = Note::new(Act::RegistrationRetire, &row.server_name)
                    .with("server", row.key.server.as_str())
                    .with("registration", known.id.as_str());
                let (draft, rows) = self.parts.audit.change(&row.key.tenant, note).await?;
                draft.settle(rows.retire_registration(&known.id).await)?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = retired.await {
            tracing::warn!(error = %Chain(&error), "could not retire a registration");
        }
    }

    async fn settle_revocation(&self, row: &Revocation) {
        let deleted = async {
            let note = note(Act::RevocationConfirmed, row);
            let (draft, rows) = self.parts.audit.change(&row.key.tenant, note).await?;
            draft.settle(rows.delete_revocation(&row.id).await)
        };
        if let Err(error) = deleted.await {
            // It is tried once more then, and the issuer says that it knows no such token.
            tracing::warn!(error = %Chain(&error), "a revocation stays on the queue although it is done");
        }
    }

    async fn postpone(&self, row: &Revocation, why: &str, asked: Option<Duration>) {
        let mut random = [0; 2];
        self.parts.entropy.fill(&mut random);
        let now: Timestamp = self.parts.clock.now();
        let next_at = now.plus(wait_s(row.attempts, asked, random));
        tracing::warn!(server = %row.server_name, issuer = %row.issuer, attempts = row.attempts, %next_at, why, "a revocation is still owed");
        let postponed = async {
            let note = note(Act::RevocationFailed, row)
                .came(Came::Failed)
                .with("attempt", row.attempts)
                .with("next_at", next_at.as_secs());
            let (draft, rows) = self.parts.audit.change(&row.key.tenant, note).await?;
            draft.settle(rows.postpone_revocation(&row.id, next_at, why).await)
        };
        if let Err(error) = postponed.await {
            tracing::warn!(error = %Chain(&error), "the failure of a revocation could not be written");
        }
    }
}

enum Tried {
    NotYet {
        why: String,
        asked: Option<Duration>,
    },
    Over(AtIssuer),
}

// === impl Tried ===

impl Tried {
    fn not_yet(why: &str) -> Self {
        Self::NotYet {
            why: why.to_owned(),
            asked: None,
        }
    }
}
