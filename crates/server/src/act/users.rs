//! Users. There is no directory of them yet: a user is whoever rows name.

use claviger_admin_api::{Line, ProblemKind};
use claviger_broker::Broker;
use claviger_model::{TenantId, UserId};

use super::login::ended_credential_view;
use super::{Done, Sink, hold_problem, owner, problem, store_problem};
use crate::app::App;

/// F06: nothing of theirs works here from now on, and their issuers are told until they confirm.
pub(super) async fn remove(app: &App, broker: &Broker, user: &str, sink: Sink<'_>) -> Done {
    let parsed = UserId::parse(user).map_err(|error| {
        let hint = Some("write the user as `claviger status --revocations` does".to_owned());
        problem(ProblemKind::Usage, "invalid_user", error.to_string(), hint)
    })?;
    if parsed == owner() {
        let hint = "sign out with `claviger logout NAME`, or remove the servers";
        let message = "the owner of the installation cannot be removed";
        let (kind, hint) = (ProblemKind::Refused, Some(hint.to_owned()));
        return Err(problem(kind, "owner", message, hint));
    }
    let tenant = TenantId::default_tenant();
    let removed = broker.remove_user(&tenant, &parsed).await;
    let removed = removed.map_err(|error| hold_problem(&error))?;
    if let Err(error) = app.api_tokens.reload().await {
        tracing::warn!(%error, "could not read the change back");
    }
    let ended = app.broker.revoke_ended(removed.ended).await;
    let connections = ended.len();
    let rows = app.store.tenant(&tenant);
    for one in ended {
        let server = rows.find_server_by_id(&one.server).await;
        let server = server.map_err(|error| store_problem(&error))?;
        let slug = server.map_or_else(|| one.server.to_string(), |server| server.slug.to_string());
        sink(Line::LoggedOut(ended_credential_view(&slug, one)));
    }
    sink(Line::UserRemoved {
        user: user.to_owned(),
        connections,
        sign_ins: removed.sign_ins,
        api_tokens: removed.api_tokens,
    });
    Ok(())
}
