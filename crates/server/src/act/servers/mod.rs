//! The catalogue: one file an act.

use claviger_admin_api::{Line, ProblemKind, ServerView};
use claviger_broker::{ChangeError, Found, Look};
use claviger_model::{Auth, Server, TenantId};

use super::view::server_view;
use super::{
    Done, Refused, Sink, find, hold_problem, kind_of, owner, problem, step_view, store_problem,
};
use crate::app::App;

pub(super) use add::add;
pub(super) use remove::remove;
pub(super) use set::set;

mod add;
mod auth;
mod remove;
mod set;

pub(super) async fn list(app: &App, sink: Sink<'_>) -> Done {
    let rows = app.store.tenant(&TenantId::default_tenant());
    for server in rows
        .list_servers()
        .await
        .map_err(|error| store_problem(&error))?
    {
        show_one(app, &server, sink).await?;
    }
    Ok(())
}

pub(super) async fn show(app: &App, slug: &str, sink: Sink<'_>) -> Done {
    let server = find(app, slug).await?;
    show_one(app, &server, sink).await
}

async fn show_one(app: &App, server: &Server, sink: Sink<'_>) -> Done {
    let status = app
        .broker
        .status(server, &owner())
        .await
        .map_err(|error| hold_problem(&error))?;
    let mut view = server_view(app, server, status.standing);
    if let Some(held) = &status.credential {
        view.issuer = Some(held.issuer.clone());
    }
    sink(Line::Server(view));
    Ok(())
}

/// The act is stored; other processes see it by polling, this one at once.
async fn refresh(app: &App) {
    if let Err(error) = app.reload().await {
        tracing::warn!(%error, "could not read the change back");
    }
}

async fn discover(app: &App, server: &Server, sink: Sink<'_>) -> Result<Found, Refused> {
    let looked = app
        .broker
        .look(&Look::of(server), &mut |step| sink(step_view(step)))
        .await;
    looked.map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| {
            "nothing was stored; store it as it is with --no-discover".to_owned()
        });
        let kind = kind_of(error.fault());
        problem(kind, error.code(), error.to_string(), Some(hint))
    })
}

fn with_findings(mut view: ServerView, found: Option<Found>) -> ServerView {
    if let Some(found) = found {
        let sign_in = if found.needs_sign_in { "yes" } else { "no" };
        sign_in.clone_into(&mut view.sign_in);
        view.registration = found.registration;
        view.issuer = found.issuer.or(view.issuer);
        if view.scopes.is_empty() {
            view.scopes = found.scopes.iter().map(ToString::to_string).collect();
        }
    }
    view
}

/// A019: whoever answers for the upstream later must not be able to name another issuer and be
/// sent the operator's secret. A private key proves itself to each issuer anew and is never sent.
fn pin_issuer(server: &mut Server, found: Option<&Found>) -> Done {
    let Auth::Oauth(settings) = &mut server.auth else {
        return Ok(());
    };
    if settings.sealed_client_secret.is_none() || settings.issuer.is_some() {
        return Ok(());
    }
    settings.issuer = found.and_then(|found| found.issuer.clone());
    if settings.issuer.is_some() {
        return Ok(());
    }
    let hint = match found {
        Some(_) => "the server named none; say where the client was registered with --issuer",
        None => "leave out --no-discover, or say where the client was registered with --issuer",
    };
    Err(problem(
        ProblemKind::Usage,
        "invalid_server",
        "a client secret belongs to one issuer, and it is not known which",
        Some(hint.to_owned()),
    ))
}

fn check_display_name(name: &str) -> Done {
    if name.chars().any(char::is_control) || name.chars().count() > MOST_NAME {
        return Err(usage("a name has at most 80 characters, all on one line"));
    }
    Ok(())
}

/// Longer names do not fit where they are shown.
const MOST_NAME: usize = 80;

fn usage(message: &str) -> Refused {
    let hint = Some("see `claviger server --help`".to_owned());
    problem(ProblemKind::Usage, "invalid_server", message, hint)
}

fn change_problem(slug: &str, error: &ChangeError) -> Refused {
    let hint = match error {
        ChangeError::Another => format!(
            "nothing was changed; look with `claviger server show {slug}`, and say it again if it \
             is still what you want"
        ),
        ChangeError::Hold { source } => return hold_problem(source),
        ChangeError::OthersConnected { .. } => {
            "nothing was changed; say --yes if that is what you want".to_owned()
        }
        _ => format!("see the servers with `claviger server list`, and look for `{slug}`"),
    };
    let kind = kind_of(error.fault());
    problem(kind, error.code(), error.to_string(), Some(hint))
}
