//! A new server.

use claviger_admin_api::{AddServer, Line, ProblemKind};
use claviger_broker::{Act, Broker, Note};
use claviger_model::{Auth, HeaderTemplate, Server, ServerId, Standing, TenantId};
use claviger_store::StoreError;

use super::auth::{Wish, fixed_headers, oauth, parse_grant, parse_scopes};
use super::{check_display_name, discover, pin_issuer, refresh, usage, with_findings};
use crate::act::status::check_url;
use crate::act::view::server_view;
use crate::act::{Done, Refused, Sink, owner, parse_slug, problem, store_problem};
use crate::app::App;

pub(in crate::act) async fn add(
    app: &App,
    broker: &Broker,
    add: AddServer,
    sink: Sink<'_>,
) -> Done {
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
    pin_issuer(&mut server, found.as_ref())?;
    let note = Note::server(Act::ServerAdd, &server).by(broker.by());
    let recorded = broker.audit().change(&server.tenant, note).await;
    let (draft, rows) = recorded.map_err(|error| store_problem(&error))?;
    match draft.settle(rows.insert_server(&server).await) {
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

/// What else was typed and will be shown or dialled.
fn check_names(add: &AddServer) -> Done {
    check_display_name(add.display_name.as_deref().unwrap_or_default())?;
    if let Some(issuer) = &add.issuer {
        check_url(issuer, add.allow_private)?;
    }
    if let Some(url) = &add.client_metadata_url {
        check_url(url, false)?;
    }
    Ok(())
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
        let wish = Wish {
            grant: parse_grant(add.grant.as_deref())?,
            client_id: add.client_id.clone(),
            client_secret: add.client_secret.as_deref(),
            private_key: add.private_key.as_deref(),
            client_metadata_url: add.client_metadata_url.clone(),
            issuer: add.issuer.clone(),
            scopes: parse_scopes(&add.scopes)?,
            ..Wish::default()
        };
        return Ok(Auth::Oauth(Box::new(oauth(app, server, wish).await?)));
    }
    // Z2: two ways to say who we are would contradict each other.
    if wants_oauth {
        return Err(usage("--header and OAuth options exclude each other"));
    }
    let headers: Vec<HeaderTemplate> = fixed_headers(app, server, &add.headers).await?;
    Ok(Auth::Headers { headers })
}

fn taken(slug: &str) -> Refused {
    problem(
        ProblemKind::Refused,
        "name_taken",
        format!("there is a server `{slug}` already"),
        Some(format!(
            "change it with `claviger server set {slug}`, or pick another name"
        )),
    )
}
