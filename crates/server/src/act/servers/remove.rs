//! The end of a server, with everything that hangs on it (F06).

use claviger_admin_api::Line;
use claviger_broker::{Broker, MayEnd};

use super::{change_problem, refresh};
use crate::act::login::ended_credential_view;
use crate::act::{Done, Sink, find, hold_problem, owner};
use crate::app::App;

/// Everybody's credentials end here in one transaction; what that leaves to do at their issuers
/// outlives the server.
pub(in crate::act) async fn remove(
    app: &App,
    broker: &Broker,
    slug: &str,
    yes: bool,
    sink: Sink<'_>,
) -> Done {
    let server = find(app, slug).await?;
    let owner = owner();
    let may_end = if yes {
        MayEnd::All
    } else {
        MayEnd::OnlyOf(&owner)
    };
    let ending = broker
        .remove_server(&server, may_end)
        .await
        .map_err(|error| change_problem(slug, &error))?;
    refresh(app).await;
    // Whoever waits for a sign-in is told now; its row is gone.
    app.broker
        .cancel(&server, &owner)
        .await
        .map_err(|error| hold_problem(&error))?;
    for ended in app.broker.revoke_ended(ending).await {
        sink(Line::LoggedOut(ended_credential_view(slug, ended)));
    }
    Ok(())
}
