//! How things stand, and why.

use claviger_admin_api::{Line, ProblemKind};
use claviger_broker::{Look, LookError};
use claviger_model::{Revocation, Standing, TenantId};
use url::Url;

use super::{
    Done, Refused, Sink, find, hold_problem, kind_of, owner, problem, step_view, store_problem,
};
use crate::act::view::{connection_view, revocation_view};
use crate::app::App;

/// F33: said beside every connection, since each of them is served for as long as it lasts.
const HELD: &str = "a restored copy that nobody called the live one: nothing is refreshed until \
     `claviger restore --confirm-live`";

pub(super) async fn status(app: &App, slug: Option<&str>, sink: Sink<'_>) -> Done {
    let servers = if let Some(slug) = slug {
        vec![find(app, slug).await?]
    } else {
        let rows = app.store.tenant(&TenantId::default_tenant());
        rows.list_servers()
            .await
            .map_err(|error| store_problem(&error))?
    };
    let owed = owed(app).await?;
    let mut own = owed.clone();
    own.retain(|row| row.key.user == owner());
    for server in servers {
        let status = app
            .broker
            .status(&server, &owner())
            .await
            .map_err(|error| hold_problem(&error))?;
        let mut view = connection_view(&server, &status, &own, app.clock.now());
        if app.broker.is_held() && status.standing != Standing::NoSignIn {
            view.hint = Some(HELD.to_owned());
        }
        sink(Line::Connection(view));
    }
    if slug.is_none() && !owed.is_empty() {
        let pending = owed.len();
        sink(Line::PendingRevocations { pending });
    }
    Ok(())
}

/// A139: whatever an issuer has not confirmed is shown until it has.
pub(super) async fn revocations(app: &App, sink: Sink<'_>) -> Done {
    for row in owed(app).await? {
        sink(Line::Revocation(revocation_view(&row, app.clock.now())));
    }
    Ok(())
}

async fn owed(app: &App) -> Result<Vec<Revocation>, Refused> {
    let owed = app.broker.revocations(&TenantId::default_tenant()).await;
    owed.map_err(|error| hold_problem(&error))
}

/// The engine, single-stepped: nothing is stored, nobody is signed in (N7).
pub(super) async fn doctor(app: &App, url: &str, allow_private: bool, sink: Sink<'_>) -> Done {
    check_url(url, allow_private)?;
    let looked = app
        .broker
        .look(&Look::at(url, allow_private), &mut |step| {
            sink(step_view(step));
        })
        .await;
    match looked {
        Ok(_found) => Ok(()),
        Err(error) => Err(look_problem(&error)),
    }
}

/// Why nothing usable was found at an address.
pub(super) fn look_problem(error: &LookError) -> Refused {
    let hint = if error.is_unreachable() {
        "check the address, and that something answers there"
    } else {
        "the last step above says which rule is broken; the server's operator can mend it"
    };
    let hint = error.hint().unwrap_or_else(|| hint.to_owned());
    let kind = kind_of(error.fault());
    problem(kind, error.code(), error.to_string(), Some(hint))
}

/// What may be typed as a server's URL. Where it leads is judged when it is dialled.
pub(super) fn check_url(text: &str, allow_private: bool) -> Done {
    let usage = |message: &str, hint: Option<&str>| {
        problem(
            ProblemKind::Usage,
            "invalid_url",
            message,
            hint.map(str::to_owned),
        )
    };
    let url = Url::parse(text).map_err(|error| {
        let hint = "write it whole, such as https://mcp.example.com/mcp";
        usage(&format!("not a URL: {error}"), Some(hint))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(usage(
            "a server's URL begins with https://",
            Some("write it whole, such as https://mcp.example.com/mcp"),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(usage(
            "a server's URL has no user name, password or fragment",
            Some("leave them out; a key goes into --header, a sign-in happens in the browser"),
        ));
    }
    // C-69: without TLS whoever is on the way reads the tokens.
    if url.scheme() == "http" && !allow_private {
        return Err(usage(
            "plain http is only for servers on this machine or network",
            Some("use https, or add --allow-private if the server is yours"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c69_c71_takes_only_web_addresses_and_plain_http_only_where_it_was_allowed() {
        for (url, allow_private, ok) in [
            ("https://mcp.example/mcp", false, true),
            ("http://127.0.0.1:1/mcp", true, true),
            ("http://127.0.0.1:1/mcp", false, false),
            ("javascript:alert(1)", true, false),
            ("file:///etc/passwd", true, false),
            ("https://user:secret@mcp.example/mcp", true, false),
            ("https://mcp.example/mcp#part", true, false),
            ("mcp.example", true, false),
        ] {
            assert_eq!(check_url(url, allow_private).is_ok(), ok, "{url}");
        }
    }
}
