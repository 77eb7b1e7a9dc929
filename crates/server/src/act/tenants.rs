//! Tenants as a whole.

use std::collections::BTreeMap;

use claviger_admin_api::{Line, ProblemKind, TenantView};
use claviger_broker::{Broker, RemoveTenantError};
use claviger_model::TenantId;
use claviger_store::StoreError;

use super::login::ended_credential_view;
use super::{Done, Refused, Sink, hold_problem, kind_of, problem, store_problem};
use crate::app::App;

pub(super) async fn list(app: &App, sink: Sink<'_>) -> Done {
    let tenants = app.store.list_tenants().await;
    for tenant in tenants.map_err(|error| store_problem(&error))? {
        let view = view(app, &tenant).await;
        sink(Line::Tenant(view.map_err(|error| store_problem(&error))?));
    }
    Ok(())
}

/// A220: nothing of it is used or opens from now on, and its issuers are told until they confirm.
pub(super) async fn remove(app: &App, broker: &Broker, tenant: &str, sink: Sink<'_>) -> Done {
    let parsed = TenantId::parse(tenant).map_err(|error| {
        let hint = Some("see the tenants with `claviger tenant list`".to_owned());
        let (kind, message) = (ProblemKind::Usage, error.to_string());
        problem(kind, "invalid_tenant", message, hint)
    })?;
    let servers = app.store.tenant(&parsed).list_servers().await;
    let servers = servers.map_err(|error| store_problem(&error))?;
    let slugs: BTreeMap<_, _> = servers
        .into_iter()
        .map(|server| (server.id, server.slug.to_string()))
        .collect();
    let removed = broker.remove_tenant(&parsed).await;
    let removed = removed.map_err(|error| remove_problem(&error))?;
    if let Err(error) = app.reload().await {
        tracing::warn!(%error, "could not read the change back");
    }
    let ended = broker.revoke_ended(removed.ended).await;
    let connections = ended.len();
    for one in ended {
        let slug = slugs.get(&one.server).cloned();
        let slug = slug.unwrap_or_else(|| one.server.to_string());
        sink(Line::LoggedOut(ended_credential_view(&slug, one)));
    }
    sink(Line::TenantRemoved {
        tenant: tenant.to_owned(),
        servers: removed.servers,
        connections,
        api_tokens: removed.api_tokens,
        inherited: removed.inherited,
        lost: removed.lost,
    });
    Ok(())
}

async fn view(app: &App, tenant: &TenantId) -> Result<TenantView, StoreError> {
    let rows = app.store.tenant(tenant);
    let servers = rows.list_servers().await?;
    let mut connections = 0;
    for server in &servers {
        connections += rows.list_credentials(&server.id).await?.len();
    }
    Ok(TenantView {
        tenant: tenant.to_string(),
        is_default: *tenant == TenantId::default_tenant(),
        servers: servers.len(),
        connections,
        api_tokens: rows.list_api_tokens().await?.len(),
        pending_revocations: rows.list_revocations().await?.len(),
    })
}

fn remove_problem(error: &RemoveTenantError) -> Refused {
    let hint = match error {
        RemoveTenantError::Hold { source } => return hold_problem(source),
        RemoveTenantError::Default => {
            "remove its servers with `claviger server remove`, or delete the data directory"
        }
        _ => "see the tenants with `claviger tenant list`",
    };
    let (kind, hint) = (kind_of(error.fault()), Some(hint.to_owned()));
    problem(kind, error.code(), error.to_string(), hint)
}
