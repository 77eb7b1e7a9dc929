//! Clients in memory.

use async_trait::async_trait;
use claviger_model::Timestamp;

use super::{MemoryStore, Rows};
use crate::{Client, ClientOrigin, ClientRows, IssuerStoreError};

const DAY_S: i64 = 86_400;

#[async_trait]
impl ClientRows for MemoryStore {
    async fn insert_client(&self, client: Client) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        let dynamic = |client: &Client| client.origin == ClientOrigin::Dynamic;
        if dynamic(&client) {
            let registered = rows.clients.values().filter(|one| dynamic(one)).count();
            if registered >= self.limits.clients {
                return Err(IssuerStoreError::Full);
            }
        }
        rows.clients.insert(client.id.clone(), client);
        Ok(())
    }

    async fn find_client(&self, id: &str) -> Result<Option<Client>, IssuerStoreError> {
        Ok(self.rows().clients.get(id).cloned())
    }

    async fn update_client(&self, client: Client) -> Result<bool, IssuerStoreError> {
        let mut rows = self.rows();
        let Some(row) = rows.clients.get_mut(&client.id) else {
            return Ok(false);
        };
        *row = client;
        Ok(true)
    }

    async fn use_client(&self, id: &str, now: Timestamp) -> Result<(), IssuerStoreError> {
        if let Some(client) = self.rows().clients.get_mut(id)
            && client.used_at.is_none_or(|at| at.plus(DAY_S) <= now)
        {
            client.used_at = Some(now);
        }
        Ok(())
    }

    async fn retire_client(&self, id: &str, now: Timestamp) -> Result<(), IssuerStoreError> {
        let mut rows = self.rows();
        if rows.retired.len() >= self.limits.clients && !rows.retired.contains(id) {
            return Err(IssuerStoreError::Full);
        }
        rows.retired.insert(id.to_owned());
        rows.clients.remove(id);
        end_all(&mut rows, id, now);
        Ok(())
    }

    async fn is_client_retired(&self, id: &str) -> Result<bool, IssuerStoreError> {
        Ok(self.rows().retired.contains(id))
    }
}

fn end_all(rows: &mut Rows, id: &str, now: Timestamp) {
    rows.pending.retain(|_, row| row.client_id != id);
    rows.pushed.retain(|_, row| row.client_id != id);
    rows.codes.retain(|_, row| row.client_id != id);
    rows.devices.retain(|_, row| row.client_id != id);
    for family in rows.families.values_mut() {
        if family.client_id == id {
            family.revoked_at.get_or_insert(now);
            family.replay = None;
        }
    }
    rows.access.retain(|_, row| row.client_id != id);
}
