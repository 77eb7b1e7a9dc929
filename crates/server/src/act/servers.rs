//! The catalogue.

use claviger_admin_api::{AddServer, Line, ProblemKind};
use claviger_broker::{AtIssuer, Found, Look, Setting};
use claviger_crypto::{Secret, SigningKey};
use claviger_model::{
    Auth, Grant, HeaderTemplate, OauthSettings, Server, ServerId, Standing, TenantId,
};
use claviger_store::StoreError;
use claviger_wire::{Scope, ScopeSet};
use http::{HeaderName, HeaderValue};

use super::login::logout_view;
use super::status::check_url;
use super::view::server_view;
use super::{
    Done, Refused, Sink, find, hold_problem, kind_of, owner, parse_slug, problem, step_view,
    store_problem,
};
use crate::app::App;

pub(super) async fn add(app: &App, add: AddServer, sink: Sink<'_>) -> Done {
    let slug = parse_slug(&add.slug)?;
    check_url(&add.url, add.allow_private)?;
    check_names(&add)?;
    let rows = app.store.tenant(&TenantId::default_tenant());
    if rows
        .find_server(&slug)
        .await
        .map_err(|error| store_problem(&error))?
        .is_some()
    {
        return Err(taken(&add.slug));
    }
    let now = app.clock.now();
    let mut server = Server {
        id: ServerId::from_random(app.entropy.id_bytes()),
        tenant: TenantId::default_tenant(),
        display_name: add.display_name.clone().unwrap_or_else(|| add.slug.clone()),
        slug,
        url: add.url.clone(),
        auth: Auth::None,
        allow_private: add.allow_private,
        enabled: true,
        created_at: now,
        updated_at: now,
    };
    server.auth = auth(app, &server, &add).await?;
    let found = match &server.auth {
        Auth::Oauth(_) if !add.no_discover => Some(discover(app, &server, sink).await?),
        _ => None,
    };
    pin_issuer(&mut server, &add, found.as_ref())?;
    match rows.insert_server(&server).await {
        Ok(()) => {}
        Err(StoreError::Conflict) => return Err(taken(&add.slug)),
        Err(error) => return Err(store_problem(&error)),
    }
    refresh(app).await;
    if let Some(found) = &found {
        app.broker.note_found(&server, &owner(), found).await;
    }
    sink(Line::Server(with_findings(
        server_view(app, &server, Standing::NeverConnected),
        found,
    )));
    Ok(())
}

/// A019: whoever answers for the upstream later must not be able to name another issuer and be
/// sent the operator's secret. A private key proves itself to each issuer anew and is never sent.
fn pin_issuer(server: &mut Server, add: &AddServer, found: Option<&Found>) -> Done {
    let Auth::Oauth(settings) = &mut server.auth else {
        return Ok(());
    };
    if add.client_secret.is_none() || settings.issuer.is_some() {
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

/// What else was typed and will be shown or dialled.
fn check_names(add: &AddServer) -> Done {
    let name = add.display_name.as_deref().unwrap_or_default();
    if name.chars().any(char::is_control) || name.chars().count() > MOST_NAME {
        return Err(usage("a name has at most 80 characters, all on one line"));
    }
    if let Some(issuer) = &add.issuer {
        check_url(issuer, add.allow_private)?;
    }
    if let Some(url) = &add.client_metadata_url {
        check_url(url, false)?;
    }
    Ok(())
}

/// Longer names do not fit where they are shown.
const MOST_NAME: usize = 80;

async fn discover(app: &App, server: &Server, sink: Sink<'_>) -> Result<Found, Refused> {
    let looked = app
        .broker
        .look(&Look::of(server), &mut |step| sink(step_view(step)))
        .await;
    looked.map_err(|error| {
        let hint = error
            .hint()
            .unwrap_or_else(|| "nothing was stored; add it as it is with --no-discover".to_owned());
        let kind = kind_of(error.fault());
        problem(kind, error.code(), error.to_string(), Some(hint))
    })
}

fn with_findings(
    mut view: claviger_admin_api::ServerView,
    found: Option<Found>,
) -> claviger_admin_api::ServerView {
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

/// Ends what is held first, so that deleting a server leaves no grant behind at its issuer.
pub(super) async fn remove(app: &App, slug: &str, sink: Sink<'_>) -> Done {
    let server = find(app, slug).await?;
    // Whoever waits for a sign-in is told now; its row is about to go.
    app.broker
        .cancel(&server, &owner())
        .await
        .map_err(|error| hold_problem(&error))?;
    let ended = app
        .broker
        .disconnect(&server, &owner())
        .await
        .map_err(|error| hold_problem(&error))?;
    if let AtIssuer::Failed(why) = &ended.at_issuer {
        tracing::warn!(server = %server.slug, why, "the issuer did not confirm the revocation");
    }
    if ended.ended_here {
        sink(Line::LoggedOut(logout_view(slug, ended)));
    }
    let rows = app.store.tenant(&server.tenant);
    rows.delete_server(&server.id)
        .await
        .map_err(|error| store_problem(&error))?;
    refresh(app).await;
    Ok(())
}

/// The act is stored; other processes see it by polling, this one at once.
async fn refresh(app: &App) {
    if let Err(error) = app.reload().await {
        tracing::warn!(%error, "could not read the change back");
    }
}

async fn auth(app: &App, server: &Server, add: &AddServer) -> Result<Auth, Refused> {
    let wants_oauth = add.grant.is_some()
        || add.client_id.is_some()
        || add.client_secret.is_some()
        || add.private_key.is_some()
        || add.client_metadata_url.is_some()
        || add.issuer.is_some()
        || !add.scopes.is_empty();
    if add.headers.is_empty() {
        return Ok(Auth::Oauth(Box::new(oauth(app, server, add).await?)));
    }
    // Z2: two ways to say who we are would contradict each other.
    if wants_oauth {
        return Err(usage("--header and OAuth options exclude each other"));
    }
    let mut headers = Vec::with_capacity(add.headers.len());
    for header in &add.headers {
        headers.push(fixed_header(app, server, header).await?);
    }
    Ok(Auth::Headers { headers })
}

async fn oauth(app: &App, server: &Server, add: &AddServer) -> Result<OauthSettings, Refused> {
    let grant = match add.grant.as_deref() {
        None | Some("authorization_code") => Grant::AuthorizationCode,
        Some("client_credentials") => Grant::ClientCredentials,
        Some(other) => {
            return Err(usage(&format!(
                "`{other}` is no grant we know; use authorization_code or client_credentials"
            )));
        }
    };
    let has_secret = add.client_secret.is_some() || add.private_key.is_some();
    if has_secret && add.client_id.is_none() {
        return Err(usage("a client secret or key needs --client-id"));
    }
    if grant == Grant::ClientCredentials && !has_secret {
        return Err(usage(
            "client_credentials needs --client-id and --client-secret-file or --private-key-file",
        ));
    }
    if let Some(pem) = &add.private_key
        && let Err(error) = SigningKey::from_pem(&Secret::new(pem.as_str()))
    {
        return Err(usage(&format!("the private key cannot be used: {error}")));
    }
    let client_id = add.client_id.as_deref().unwrap_or_default();
    let role = Setting::ClientSecret { client_id };
    let sealed_client_secret = seal(app, server, role, add.client_secret.as_deref()).await?;
    let role = Setting::PrivateKey { client_id };
    let sealed_private_key = seal(app, server, role, add.private_key.as_deref()).await?;
    Ok(OauthSettings {
        grant,
        client_id: add.client_id.clone(),
        sealed_client_secret,
        sealed_private_key,
        client_metadata_url: add.client_metadata_url.clone(),
        issuer: add.issuer.clone(),
        scopes: scopes(&add.scopes)?,
    })
}

fn scopes(texts: &[String]) -> Result<Option<ScopeSet>, Refused> {
    if texts.is_empty() {
        return Ok(None);
    }
    let parsed: Result<ScopeSet, _> = texts
        .iter()
        .flat_map(|text| text.split_whitespace())
        .map(Scope::parse)
        .collect();
    parsed.map(Some).map_err(|error| usage(&error.to_string()))
}

async fn seal(
    app: &App,
    server: &Server,
    role: Setting<'_>,
    secret: Option<&str>,
) -> Result<Option<String>, Refused> {
    let Some(secret) = secret else {
        return Ok(None);
    };
    let secret = Secret::new(secret);
    let sealed = app.broker.seal_setting(server, role, &secret).await;
    sealed.map(Some).map_err(|error| hold_problem(&error))
}

async fn fixed_header(app: &App, server: &Server, header: &str) -> Result<HeaderTemplate, Refused> {
    let (name, value) = header
        .split_once(':')
        .ok_or_else(|| usage("a header is written `Name: value`"))?;
    let (name, value) = (name.trim(), value.trim());
    let parsed = HeaderName::from_bytes(name.as_bytes())
        // Not shown: what stands before the colon may be the key itself.
        .map_err(|error| usage(&format!("the name of a fixed header cannot be sent: {error}")))?;
    // They are ours to set; a fixed one would cut the request in two or send it elsewhere.
    if FRAMING.contains(&parsed.as_str()) {
        return Err(usage(&format!(
            "`{parsed}` is set by Claviger itself and cannot be fixed"
        )));
    }
    HeaderValue::from_str(value)
        .map_err(|error| usage(&format!("the value of `{parsed}` cannot be sent: {error}")))?;
    let role = Setting::Header {
        name: parsed.as_str(),
    };
    let sealed_value = seal(app, server, role, Some(value))
        .await?
        .unwrap_or_default();
    Ok(HeaderTemplate {
        name: parsed.to_string(),
        sealed_value,
    })
}

const FRAMING: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "mcp-session-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
];

fn taken(slug: &str) -> Refused {
    problem(
        ProblemKind::Refused,
        "name_taken",
        format!("there is a server `{slug}` already"),
        Some(format!(
            "remove it with `claviger server remove {slug}`, or pick another name"
        )),
    )
}

fn usage(message: &str) -> Refused {
    let hint = Some("see `claviger server add --help`".to_owned());
    problem(ProblemKind::Usage, "invalid_server", message, hint)
}
