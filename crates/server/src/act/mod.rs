//! Administrative acts: one file a noun; each answers with lines.

use claviger_admin_api::{Line, Problem, ProblemKind, Request, StepStatus, StepView};
use claviger_broker::{Actor, HoldError, Step, StepKind, Turn};
use claviger_model::{Fault, Server, Slug, TenantId, UserId};
use claviger_store::StoreError;

use crate::app::App;

mod keys;
mod login;
mod servers;
mod status;
mod tenants;
mod users;
mod view;

/// Where lines go.
pub(crate) type Sink<'a> = &'a mut (dyn FnMut(Line) + Send);

/// Does one act on behalf of whoever asked. The last line is `Done` or `Problem`.
pub(crate) async fn act(app: &App, by: Actor, request: Request, sink: Sink<'_>) {
    let broker = &app.broker.acting(by);
    let done = match request {
        Request::AddServer(add) => servers::add(app, broker, *add, sink).await,
        Request::CancelLogin { slug } => login::cancel(app, &slug).await,
        Request::Callback { url } => login::callback(app, &url, sink).await,
        Request::Doctor { url, allow_private } => {
            status::doctor(app, &url, allow_private, sink).await
        }
        Request::ListKeys => keys::list(app, sink).await,
        Request::ListServers => servers::list(app, sink).await,
        Request::ListTenants => tenants::list(app, sink).await,
        Request::Login { slug, force } => login::login(app, broker, &slug, force, sink).await,
        Request::Logout { slug } => login::logout(app, broker, &slug, sink).await,
        Request::RotateKeys {
            kek,
            drop_old,
            dry_run,
        } => {
            let turn = Turn {
                drop_old,
                dry_run,
                ..Turn::default()
            };
            Box::pin(keys::rotate(app, broker, kek, turn, sink)).await
        }
        Request::ListRevocations => status::revocations(app, sink).await,
        Request::RemoveServer { slug, yes } => servers::remove(app, broker, &slug, yes, sink).await,
        Request::RemoveTenant { tenant } => {
            Box::pin(tenants::remove(app, broker, &tenant, sink)).await
        }
        Request::RemoveUser { user } => users::remove(app, broker, &user, sink).await,
        Request::SetServer(set) => servers::set(app, broker, *set, sink).await,
        Request::ShowServer { slug } => servers::show(app, &slug, sink).await,
        Request::Status { slug } => status::status(app, slug.as_deref(), sink).await,
        Request::VerifyKeys { all } => keys::verify(app, all, sink).await,
        _ => Err(problem(
            ProblemKind::Usage,
            "unknown_request",
            "this version does not know the request",
            Some("use the command line of the same version as the running server".to_owned()),
        )),
    };
    sink(match done {
        Ok(()) => Line::Done,
        Err(refused) => Line::Problem(*refused.0),
    });
}

/// What an act gives: it is done, or why not.
type Done = Result<(), Refused>;

/// Why it is not. Boxed, since most acts are done.
#[derive(Debug)]
pub(crate) struct Refused(Box<Problem>);

fn problem(
    kind: ProblemKind,
    code: &str,
    message: impl Into<String>,
    hint: Option<String>,
) -> Refused {
    Refused(Box::new(Problem {
        kind,
        code: code.to_owned(),
        message: message.into(),
        hint,
    }))
}

/// What kind of problem an error is: whose fault it is decides, here and nowhere else.
const fn kind_of(fault: Fault) -> ProblemKind {
    match fault {
        Fault::Caller => ProblemKind::Refused,
        Fault::Operator => ProblemKind::Configuration,
        Fault::Peer => ProblemKind::Unreachable,
        Fault::Us => ProblemKind::Bug,
    }
}

/// The database did not do as it should: our trouble, with the cause in the log.
fn store_problem(error: &StoreError) -> Refused {
    if matches!(error, StoreError::Busy) {
        return busy();
    }
    tracing::error!(error = %error, cause = ?std::error::Error::source(error), "the database failed");
    let hint = "the log of the server names the cause; check the disk and the data directory";
    let hint = Some(hint.to_owned());
    problem(ProblemKind::Bug, "database", error.to_string(), hint)
}

/// F36: nothing was done, and nobody is to blame.
fn busy() -> Refused {
    tracing::warn!("somebody else holds the database");
    let hint = "another process holds the database; try again in a moment".to_owned();
    let message = StoreError::Busy.to_string();
    problem(ProblemKind::Busy, "busy", message, Some(hint))
}

fn hold_problem(error: &HoldError) -> Refused {
    if let HoldError::Store {
        source: StoreError::Busy,
    } = error
    {
        return busy();
    }
    tracing::error!(error = %error, cause = ?std::error::Error::source(error), "a credential cannot be used");
    let hint = match error {
        HoldError::Store { .. } => {
            "the log of the server names the cause; check the disk and the data directory"
        }
        _ => "sign in again with `claviger login NAME --force`; the log names the cause",
    };
    problem(
        ProblemKind::Bug,
        "credential",
        error.to_string(),
        Some(hint.to_owned()),
    )
}

/// The server under that name.
async fn find(app: &App, slug: &str) -> Result<Server, Refused> {
    let parsed = parse_slug(slug)?;
    let rows = app.store.tenant(&TenantId::default_tenant());
    let found = rows
        .find_server(&parsed)
        .await
        .map_err(|error| store_problem(&error))?;
    found.ok_or_else(|| {
        problem(
            ProblemKind::Refused,
            "unknown_server",
            format!("there is no server `{slug}`"),
            Some("see the servers with `claviger server list`".to_owned()),
        )
    })
}

fn parse_slug(slug: &str) -> Result<Slug, Refused> {
    Slug::parse(slug).map_err(|error| {
        let hint = "use lower-case letters, digits and hyphens, such as `my-server`";
        let hint = Some(hint.to_owned());
        problem(ProblemKind::Usage, "invalid_name", error.to_string(), hint)
    })
}

fn owner() -> UserId {
    UserId::owner()
}

fn step_view(step: Step) -> Line {
    Line::Step(StepView {
        stage: step.stage,
        status: match step.kind {
            StepKind::Failed => StepStatus::Failed,
            StepKind::Nothing => StepStatus::Nothing,
            StepKind::Ok => StepStatus::Ok,
            StepKind::Warned => StepStatus::Warned,
        },
        what: step.what,
        outcome: step.outcome,
        rule: step.rule,
        hint: step.hint,
        deviations: step.deviations,
        took_ms: step.took_ms,
    })
}
