//! Registrations whose secret ends, and registrations nobody needs: RFC 7592 (Q10).

use claviger_client::{
    ClientInformation, Managed, delete_registration, read_registration, update_registration,
};
use claviger_model::{OauthSettings, Registration, RegistrationOrigin, Server, Timestamp};

use crate::HoldError;
use crate::broker::{Inner, reach_of};
use crate::serve::Chain;
use crate::step::StepSink;

/// A secret is renewed when a quarter of its life is left, but no more than a day and no less than
/// five minutes before its end.
const LONGEST_MARGIN_S: i64 = 86_400;
const SHORTEST_MARGIN_S: i64 = 300;

// === impl Inner ===

impl Inner {
    /// Whether the secret of a registration has ended or soon will. What never ends (0), or says
    /// nothing of it, does not.
    pub(crate) fn ends_soon(&self, row: &Registration, client: &ClientInformation) -> bool {
        let is_ours = client.origin == RegistrationOrigin::Dynamic && client.secret.is_some();
        is_ours && self.is_near(row, client)
    }

    fn is_near(&self, made: &Registration, client: &ClientInformation) -> bool {
        let now = self.parts.clock.now();
        is_near(made.created_at, client.secret_expires_at, now)
    }

    /// Has the issuer renew the secret of a registration. `None`: it did not, and what is stored
    /// is as it was. Every answer is stored before anything else is done with it: it may hold the
    /// only token with which the issuer listens to us.
    pub(crate) async fn renew_registration(
        &self,
        server: &Server,
        row: &Registration,
        client: &ClientInformation,
        steps: StepSink<'_>,
    ) -> Result<Option<(Registration, ClientInformation)>, HoldError> {
        if client.registration_access_token.is_none() || client.registration_client_uri.is_none() {
            return Ok(None);
        }
        let reach = reach_of(server);
        let mut errand = read_registration(client.clone());
        let read = self.run(&mut errand, &reach, steps).await;
        let Managed::Kept {
            client: read,
            update,
        } = read
        else {
            return Ok(None);
        };
        // A life is counted from when the secret was first seen.
        let made = row;
        let (row, client) = self.keep_renewed(server, row, client, *read).await?;
        if !self.is_near(made, &client) {
            return Ok(Some((row, client)));
        }
        let mut errand = update_registration(client.clone(), update);
        let updated = self.run(&mut errand, &reach, steps).await;
        let Managed::Kept {
            client: updated, ..
        } = updated
        else {
            return Ok(None);
        };
        let (row, client) = self.keep_renewed(server, &row, &client, *updated).await?;
        Ok((!self.is_near(made, &client)).then_some((row, client)))
    }

    async fn keep_renewed(
        &self,
        server: &Server,
        row: &Registration,
        before: &ClientInformation,
        client: ClientInformation,
    ) -> Result<(Registration, ClientInformation), HoldError> {
        if before.says_the_same(&client) {
            return Ok((row.clone(), client));
        }
        // Of two with one client id the later one counts.
        let not_before = row.created_at.plus(1).max(self.parts.clock.now());
        let row = self
            .insert_registration(server, &client, not_before)
            .await?;
        Ok((row, client))
    }

    /// Before a refresh: a secret that ends soon is renewed where that can be done without a
    /// person. The grant belongs to the client, so it goes on with the new secret.
    pub(crate) async fn with_lasting_secret(
        &self,
        server: &Server,
        row: Registration,
        client: ClientInformation,
    ) -> ClientInformation {
        if !self.ends_soon(&row, &client) {
            return client;
        }
        let rows = self.parts.store.tenant(&server.tenant);
        // Another client may have taken its place for the next sign-in; that stays so.
        let current = rows.find_registration(&server.id, &row.issuer).await;
        if !matches!(current, Ok(Some(current)) if current.client_id == row.client_id) {
            return client;
        }
        let mut unheard = |_step| {};
        match self
            .renew_registration(server, &row, &client, &mut unheard)
            .await
        {
            Ok(Some((_, renewed))) => renewed,
            Ok(None) => self.newest(server, row, client).await,
            Err(error) => {
                tracing::warn!(server = %server.slug, error = %Chain(&error), "a client secret could not be renewed");
                client
            }
        }
    }

    /// A renewal that went half the way may have stored something newer than `client`.
    async fn newest(
        &self,
        server: &Server,
        row: Registration,
        client: ClientInformation,
    ) -> ClientInformation {
        let settings = OauthSettings::default();
        let newest = async {
            let row = self.newest_of(server, row).await?;
            self.client_of(server, &settings, &row).await
        };
        newest.await.unwrap_or(client)
    }

    /// Takes back the registrations of a server that nothing hangs on, as far as the issuer
    /// offers it. Their rows go by the sweep.
    pub(crate) async fn deregister_unused(&self, server: &Server) -> Result<u32, HoldError> {
        if self.is_held() {
            // F33: the live installation may sign in with it.
            return Ok(0);
        }
        let rows = self.parts.store.tenant(&server.tenant);
        let all = rows.list_registrations(&server.id).await?;
        if all.iter().all(|row| row.registration_client_uri.is_none()) {
            return Ok(0);
        }
        let held = rows.list_credentials(&server.id).await?;
        let mut used: Vec<String> = Vec::new();
        let mut since: Vec<(String, Timestamp)> = Vec::new();
        for row in &all {
            let current = rows.find_registration(&server.id, &row.issuer).await?;
            let is_current = current.as_ref().is_some_and(|current| current.id == row.id);
            let is_held = held
                .iter()
                .any(|held| held.registration.as_ref() == Some(&row.id));
            if is_current || is_held {
                used.push(row.client_id.clone());
            }
            if is_current {
                since.push((row.issuer.clone(), row.created_at));
            }
        }
        let now = self.parts.clock.now();
        // A sign-in that was begun with the one before may still be under way.
        let is_settled = |row: &Registration| {
            since.iter().any(|(issuer, made)| {
                *issuer == row.issuer && now.since(*made) > SETTLED_S && row.created_at < *made
            })
        };
        let mut gone = 0;
        let settings = OauthSettings::default();
        for row in all {
            let is_ours = row.origin == RegistrationOrigin::Dynamic;
            if !is_ours || used.contains(&row.client_id) || !is_settled(&row) {
                continue;
            }
            let client = self.client_of(server, &settings, &row).await?;
            // Of rows with one client id the first one speaks for all.
            used.push(row.client_id.clone());
            let mut unheard = |_step| {};
            let mut errand = delete_registration(client);
            if self.run(&mut errand, &reach_of(server), &mut unheard).await {
                gone += 1;
            }
        }
        Ok(gone)
    }
}

/// How long after a registration was replaced it is surely used by no sign-in, in seconds.
const SETTLED_S: i64 = 3_600;

fn is_near(made: Timestamp, ends: Option<Timestamp>, now: Timestamp) -> bool {
    ends.is_some_and(|ends| {
        let margin = (ends.since(made) / 4).clamp(SHORTEST_MARGIN_S, LONGEST_MARGIN_S);
        ends.since(now) <= margin
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q10_a_secret_is_renewed_ahead_of_its_end() {
        let at = Timestamp::from_secs;
        let near = |life: i64, left: i64| is_near(at(0), Some(at(life)), at(life - left));
        let year = 365 * 86_400;
        assert!(!near(year, 86_401) && near(year, 86_400) && near(year, -1));
        assert!(!near(3_600, 901) && near(3_600, 900));
        assert!(!near(600, 301) && near(600, 300));
        assert!(!is_near(at(0), None, at(i64::MAX)));
    }
}
