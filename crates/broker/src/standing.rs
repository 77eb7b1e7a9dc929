//! How a user stands with a server, in the words everybody uses.

use claviger_model::{
    Auth, Connection, Credential, CredentialKey, Reason, Server, Standing, Timestamp, UserId,
};

use crate::broker::{Inner, key_of};
use crate::herd::Site;
use crate::refresh::Seen;
use crate::{Broker, HoldError};

/// A credential that ends within this many seconds, and cannot be refreshed, is `expiring`.
const SOON: i64 = 600;

/// How a user stands with a server.
#[derive(Debug, Clone)]
pub struct Status {
    /// The state.
    pub standing: Standing,
    /// Why.
    pub reason: Option<Reason>,
    /// What is held, without its tokens.
    pub credential: Option<Credential>,
    /// In how many seconds its issuer is asked again, where that does not answer.
    pub retry_after_s: Option<u32>,
}

// === impl Broker ===

impl Broker {
    /// How `user` stands with `server`, from the database.
    pub async fn status(&self, server: &Server, user: &UserId) -> Result<Status, HoldError> {
        self.inner.status(server, &key_of(server, user)).await
    }
}

// === impl Inner ===

impl Inner {
    pub(crate) async fn status(
        &self,
        server: &Server,
        key: &CredentialKey,
    ) -> Result<Status, HoldError> {
        let rows = self.rows(key);
        let credential = rows.find_credential(key).await?;
        let connection = rows.find_connection(key).await?;
        let now = self.parts.clock.now();
        let (mut standing, reason) =
            judge(&server.auth, credential.as_ref(), connection.as_ref(), now);
        // Never written down: it is over as soon as the issuer answers.
        let shut = credential.as_ref().map(Site::of);
        let shut = shut.and_then(|site| self.herd.is_shut(&site));
        if standing == Standing::Connected
            && let Some(held) = &credential
            && held.expires_at.is_some_and(|end| end <= now)
            && (shut.is_some() || self.pauses.is_unreachable(key, &Seen::of(held)))
        {
            standing = Standing::Unreachable;
        }
        Ok(Status {
            standing,
            reason,
            credential,
            retry_after_s: shut.map(|shut| shut.retry_after_s),
        })
    }
}

/// Whether what was written asks for something a credential that is there does not give. A note
/// that there is no credential may have been written a moment after a sign-in stored one.
pub(crate) fn asks_for_more(connection: &Connection) -> bool {
    match connection.standing {
        Standing::Misconfigured | Standing::NeedsScopes => true,
        Standing::NeedsSignIn => matches!(
            connection.reason,
            Some(
                Reason::ClientRefused
                    | Reason::Expired
                    | Reason::FreshTokenRefused
                    | Reason::IssuerChanged
                    | Reason::RefreshStuck
                    | Reason::ScopesMissing
            )
        ),
        _ => false,
    }
}

/// The state that follows from what is stored.
fn judge(
    auth: &Auth,
    credential: Option<&Credential>,
    connection: Option<&Connection>,
    now: Timestamp,
) -> (Standing, Option<Reason>) {
    if !matches!(auth, Auth::Oauth(_)) {
        return (Standing::NoSignIn, None);
    }
    let said = connection.map(|connection| (connection.standing, connection.reason));
    let Some(credential) = credential else {
        return match said {
            // A credential that is gone cannot be connected, whatever was written last.
            None | Some((Standing::Connected | Standing::Expiring, _)) => {
                (Standing::NeverConnected, None)
            }
            Some(said) => said,
        };
    };
    if let Some(connection) = connection.filter(|one| asks_for_more(one)) {
        return (connection.standing, connection.reason);
    }
    match credential.expires_at {
        Some(end) if !credential.is_refreshable && end <= now => {
            (Standing::NeedsSignIn, Some(Reason::Expired))
        }
        Some(end) if !credential.is_refreshable && end.since(now) <= SOON => {
            (Standing::Expiring, None)
        }
        _ => (Standing::Connected, None),
    }
}

#[cfg(test)]
mod tests {
    use claviger_wire::ScopeSet;

    use super::*;
    use crate::cache::tests::key;

    fn oauth() -> Auth {
        Auth::Oauth(Box::default())
    }

    fn credential(life: Option<i64>, is_refreshable: bool) -> Credential {
        Credential {
            key: key(),
            version: 1,
            fingerprint: vec![1],
            issuer: String::new(),
            token_endpoint: String::new(),
            revocation_endpoint: None,
            resource: String::new(),
            registration: None,
            scopes_requested: ScopeSet::new(),
            scopes_granted: ScopeSet::new(),
            obtained_at: Timestamp::from_secs(0),
            expires_at: life.map(Timestamp::from_secs),
            is_refreshable,
            sealed: Vec::new(),
        }
    }

    fn connection(standing: Standing, reason: Option<Reason>) -> Connection {
        Connection {
            key: key(),
            standing,
            reason,
            challenge: None,
            step_ups: 0,
            updated_at: Timestamp::from_secs(0),
        }
    }

    #[test]
    fn k6_says_the_seven_states_truthfully() {
        let now = Timestamp::from_secs(1_000);
        let judge = |credential: Option<Credential>, connection: Option<Connection>| {
            judge(&oauth(), credential.as_ref(), connection.as_ref(), now)
        };
        assert_eq!(judge(None, None).0, Standing::NeverConnected);
        assert_eq!(
            judge(Some(credential(Some(5_000), false)), None).0,
            Standing::Connected
        );
        assert_eq!(
            judge(Some(credential(Some(900), true)), None).0,
            Standing::Connected
        );
        assert_eq!(
            judge(Some(credential(None, false)), None).0,
            Standing::Connected
        );
        assert_eq!(
            judge(Some(credential(Some(1_300), false)), None).0,
            Standing::Expiring
        );
        assert_eq!(
            judge(Some(credential(Some(900), false)), None),
            (Standing::NeedsSignIn, Some(Reason::Expired))
        );
        for standing in [
            Standing::Misconfigured,
            Standing::NeedsScopes,
            Standing::NeedsSignIn,
        ] {
            let said = connection(standing, Some(Reason::ScopesMissing));
            assert_eq!(judge(Some(credential(None, true)), Some(said)).0, standing);
        }
    }

    #[test]
    fn a_credential_that_is_gone_is_not_connected() {
        let said = connection(Standing::Connected, None);
        let now = Timestamp::from_secs(0);
        assert_eq!(
            judge(&oauth(), None, Some(&said), now).0,
            Standing::NeverConnected
        );
    }

    #[test]
    fn m5_a_note_that_nothing_is_held_does_not_outlive_a_sign_in() {
        let now = Timestamp::from_secs(0);
        for reason in [
            None,
            Some(Reason::Disconnected),
            Some(Reason::RefreshRefused),
        ] {
            let said = connection(Standing::NeedsSignIn, reason);
            let held = credential(None, true);
            assert_eq!(
                judge(&oauth(), Some(&held), Some(&said), now),
                (Standing::Connected, None)
            );
            assert_eq!(
                judge(&oauth(), None, Some(&said), now),
                (Standing::NeedsSignIn, reason)
            );
        }
    }

    #[test]
    fn a_server_without_oauth_needs_no_sign_in() {
        let now = Timestamp::from_secs(0);
        assert_eq!(judge(&Auth::None, None, None, now).0, Standing::NoSignIn);
    }
}
