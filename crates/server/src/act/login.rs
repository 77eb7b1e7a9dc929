//! Signing in and out.

use claviger_admin_api::{Line, LogoutView, ProblemKind, SignInEnded, SignInStarted};
use claviger_broker::{
    AtIssuer, Begin, BeginError, Begun, Broker, Completed, Disconnected, Ended, EndedCredential,
};
use claviger_model::{Outcome, Server, ServerId, SignInId, Standing, TenantId};
use url::Url;

use super::{
    Done, Refused, Sink, find, hold_problem, kind_of, owner, problem, step_view, store_problem,
};
use crate::app::App;

pub(super) async fn login(
    app: &App,
    broker: &Broker,
    slug: &str,
    force: bool,
    sink: Sink<'_>,
) -> Done {
    let server = find(app, slug).await?;
    let held = app.landing.hold(&server.id).await.map_err(|error| {
        problem(
            ProblemKind::Configuration,
            "callback_listener",
            format!("the callback listener could not be opened: {error}"),
            Some("free the port, or set sign_in.callback_port to another one".to_owned()),
        )
    })?;
    let begin = Begin {
        redirect_uri: held.redirect_uri.clone(),
        force,
        start_over: force,
        binding: None,
        link: None,
    };
    let begun = broker
        .begin(&server, &owner(), begin, &mut |step| sink(step_view(step)))
        .await
        .map_err(|error| begin_problem(&server, &error))?;
    let ended = match begun {
        Begun::Connected => done(Standing::Connected, "already signed in"),
        Begun::NoSignIn => done(Standing::NoSignIn, "this server needs no sign-in"),
        Begun::Started(started) => {
            let mut cancel = CancelOnDrop {
                broker: &app.broker,
                id: Some(started.id.clone()),
            };
            sink(Line::SignInStarted(SignInStarted {
                id: started.id.to_string(),
                server: slug.to_owned(),
                authorization_url: started.authorization_url,
                redirect_uri: held.redirect_uri.clone(),
                timeout_s: app.sign_in_timeout_s,
            }));
            let ended = app.broker.ended(&started.id).await;
            cancel.id = None;
            ended
        }
    };
    drop(held);
    for step in &ended.steps {
        sink(step_view(step.clone()));
    }
    sink(Line::SignInEnded(ended_view(slug, &ended)));
    Ok(())
}

pub(super) async fn cancel(app: &App, slug: &str) -> Done {
    let server = find(app, slug).await?;
    let was_open = app
        .broker
        .cancel(&server, &owner())
        .await
        .map_err(|error| hold_problem(&error))?;
    if was_open {
        return Ok(());
    }
    let message = format!("no sign-in to `{slug}` is in flight");
    let hint = Some(format!("begin one with `claviger login {slug}`"));
    Err(problem(ProblemKind::Refused, "no_sign_in", message, hint))
}

/// M12: a callback that a person copied from the browser's address bar.
pub(super) async fn callback(app: &App, url: &str, sink: Sink<'_>) -> Done {
    let refused = |message: &str| {
        problem(
            ProblemKind::Usage,
            "not_a_callback",
            message,
            Some("paste the whole address the browser shows after you agreed".to_owned()),
        )
    };
    let parsed = Url::parse(url.trim()).map_err(|_error| refused("this is not a web address"))?;
    let server = parsed
        .path()
        .rsplit_once("/callback/")
        .and_then(|(_, id)| ServerId::parse(id).ok())
        .ok_or_else(|| refused("this is not the address of a sign-in callback"))?;
    let query = parsed.query().unwrap_or_default();
    let rows = app.store.tenant(&TenantId::default_tenant());
    let known = rows.find_server_by_id(&server).await;
    if let Some(row) = known.map_err(|error| store_problem(&error))?
        && app
            .broker
            .is_begun_in_browser(&row, &owner(), query)
            .await
            .map_err(|error| hold_problem(&error))?
    {
        let hint = format!(
            "finish it in that browser, or begin another one with `claviger login {} --force`",
            row.slug
        );
        let message = "this sign-in was begun in a browser and ends there";
        let (kind, code) = (ProblemKind::Refused, "begun_in_browser");
        return Err(problem(kind, code, message, Some(hint)));
    }
    match app.broker.complete(&server, query, None).await {
        Completed::Ended { ended, server } => {
            sink(Line::SignInEnded(ended_view(server.slug.as_str(), &ended)));
            Ok(())
        }
        Completed::NotOurs => Err(refused(
            "no sign-in is waiting for this address; it may have ended already",
        )),
    }
}

pub(super) async fn logout(app: &App, broker: &Broker, slug: &str, sink: Sink<'_>) -> Done {
    let server = find(app, slug).await?;
    let ended = broker
        .disconnect(&server, &owner())
        .await
        .map_err(|error| hold_problem(&error))?;
    sink(Line::LoggedOut(logout_view(slug, ended)));
    Ok(())
}

pub(super) fn logout_view(slug: &str, ended: Disconnected) -> LogoutView {
    let (at_issuer, message) = at_issuer_words(ended.at_issuer);
    LogoutView {
        server: slug.to_owned(),
        user: owner().to_string(),
        ended_here: ended.ended_here,
        at_issuer: at_issuer.to_owned(),
        message,
    }
}

pub(super) fn ended_credential_view(slug: &str, ended: EndedCredential) -> LogoutView {
    let (at_issuer, message) = at_issuer_words(ended.at_issuer);
    LogoutView {
        server: slug.to_owned(),
        user: ended.user.to_string(),
        ended_here: true,
        at_issuer: at_issuer.to_owned(),
        message,
    }
}

fn at_issuer_words(at_issuer: AtIssuer) -> (&'static str, Option<String>) {
    match at_issuer {
        AtIssuer::Failed(message) => ("failed", Some(message)),
        AtIssuer::NotOffered => ("not_offered", None),
        AtIssuer::NothingToRevoke => ("nothing_to_revoke", None),
        AtIssuer::Pending(message) => ("pending", Some(message)),
        AtIssuer::Revoked => ("revoked", None),
    }
}

/// Ends the sign-in when whoever waits for it goes away: a closed terminal leaves no sign-in
/// behind that would refuse the next one.
struct CancelOnDrop<'a> {
    broker: &'a Broker,
    id: Option<SignInId>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.broker.cancel_later(id);
        }
    }
}

fn done(standing: Standing, message: &str) -> Ended {
    Ended {
        outcome: Outcome::Success,
        standing,
        message: Some(message.to_owned()),
        hint: None,
        steps: Vec::new(),
    }
}

fn ended_view(slug: &str, ended: &Ended) -> SignInEnded {
    let outcome = match ended.outcome {
        Outcome::Cancelled => "cancelled",
        Outcome::Denied => "denied",
        Outcome::Failed => "failed",
        Outcome::Success => "success",
        Outcome::TimedOut => "timed_out",
    };
    SignInEnded {
        server: slug.to_owned(),
        outcome: outcome.to_owned(),
        standing: ended.standing.as_str().to_owned(),
        message: ended.message.clone(),
        hint: ended.hint.clone(),
    }
}

fn begin_problem(server: &Server, error: &BeginError) -> Refused {
    let hint = match error {
        BeginError::InFlight { .. } => format!(
            "finish it in the browser, or start over with `claviger login {} --force`",
            server.slug
        ),
        BeginError::SwitchedOff => {
            format!(
                "switch it on with `claviger server set {} --enable`",
                server.slug
            )
        }
        BeginError::Hold { .. } => "the log names the cause; check the data directory".to_owned(),
        other => other.hint().unwrap_or_else(|| {
            format!(
                "`claviger doctor {}` shows each step and which one fails",
                server.url
            )
        }),
    };
    let kind = kind_of(error.fault());
    problem(kind, error.code(), error.to_string(), Some(hint))
}
