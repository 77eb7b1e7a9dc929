//! Everything that hangs on one server, read and written as a whole.

use claviger_model::{Connection, Credential, Registration, Server};
use claviger_store::{StoreError, TenantStore};

/// A server with all its rows, but the sign-ins in flight and the leases.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServerRows {
    pub(crate) server: Server,
    /// Each with whether it is the current one for its issuer.
    pub(crate) registrations: Vec<(Registration, bool)>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) connections: Vec<Connection>,
}

impl ServerRows {
    pub(crate) async fn read(rows: &dyn TenantStore, server: Server) -> Result<Self, StoreError> {
        let mut registrations = Vec::new();
        for row in rows.list_registrations(&server.id).await? {
            let current = rows.find_registration(&server.id, &row.issuer).await?;
            let is_current = current.is_some_and(|current| current.id == row.id);
            registrations.push((row, is_current));
        }
        let mut credentials = rows.list_credentials(&server.id).await?;
        credentials.sort_by(|one, other| one.key.cmp(&other.key));
        let mut connections = rows.list_connections(&server.id).await?;
        connections.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(Self {
            server,
            registrations,
            credentials,
            connections,
        })
    }

    /// Writes them where there are none.
    pub(crate) async fn write(&self, rows: &dyn TenantStore) -> Result<(), StoreError> {
        rows.insert_server(&self.server).await?;
        // Whatever is added becomes the current one, so the current ones come last.
        for (row, _) in self.registrations.iter().filter(|(_, current)| !current) {
            rows.insert_registration(row).await?;
            rows.retire_registration(&row.id).await?;
        }
        for (row, _) in self.registrations.iter().filter(|(_, current)| *current) {
            rows.insert_registration(row).await?;
        }
        for connection in &self.connections {
            rows.update_connection(connection).await?;
        }
        for credential in &self.credentials {
            let connection = self
                .connections
                .iter()
                .find(|connection| connection.key == credential.key)
                .ok_or(StoreError::Corrupt {
                    what: "a credential without its connection",
                })?;
            // The version goes with it: the seal is bound to it.
            rows.replace_credential(credential, connection).await?;
        }
        Ok(())
    }

    /// What differs from `other`, in words; nothing secret.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let what = if self.server != other.server {
            "its own row"
        } else if self.registrations != other.registrations {
            "its registrations"
        } else if self.credentials != other.credentials {
            "its credentials"
        } else if self.connections != other.connections {
            "its connections"
        } else {
            return None;
        };
        Some(format!("the server {}, {what}", self.server.slug))
    }
}
