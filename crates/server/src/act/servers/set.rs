//! Changes of a server. What was obtained under settings that are gone ends with them (G6).

use claviger_admin_api::{Line, ProblemKind, SetServer, StepStatus, StepView};
use claviger_broker::{Broker, ChangeError, Found, MayEnd, ServerChange};
use claviger_model::{Auth, OauthSettings, Server};
use url::Url;

use super::auth::{Wish, fixed_headers, oauth, parse_grant, parse_scopes};
use super::{
    change_problem, check_display_name, discover, pin_issuer, refresh, usage, with_findings,
};
use crate::act::login::ended_credential_view;
use crate::act::status::check_url;
use crate::act::view::{auth_word, server_view};
use crate::act::{Done, Refused, Sink, find, hold_problem, owner, problem};
use crate::app::App;

pub(in crate::act) async fn set(
    app: &App,
    broker: &Broker,
    set: SetServer,
    sink: Sink<'_>,
) -> Done {
    let mut old = find(app, &set.slug).await?;
    let owner = owner();
    let may_end = if set.yes {
        MayEnd::All
    } else {
        MayEnd::OnlyOf(&owner)
    };
    let mut rounds = 0;
    let (new, found, done) = loop {
        let (new, found) = wished(app, &old, &set, sink).await?;
        match broker.change_server(&old, &new, may_end).await {
            Ok(done) => break (new, found, done),
            // Somebody changed it in between. What they changed stays: the same is wished of the
            // server as it is now, unless it is the very thing they changed.
            Err(error @ ChangeError::Another) => {
                let fresh = find(app, &set.slug).await?;
                rounds += 1;
                if rounds > MOST_ROUNDS || clashes(&old, &new, &fresh) {
                    return Err(change_problem(&set.slug, &error));
                }
                old = fresh;
            }
            Err(error) => return Err(change_problem(&set.slug, &error)),
        }
    };
    // Before the issuers are asked: from here on nothing old is attached to anything.
    refresh(app).await;
    tell(app, &old, &new, done, sink).await;
    let status = app
        .broker
        .status(&new, &owner)
        .await
        .map_err(|error| hold_problem(&error))?;
    let view = server_view(app, &new, status.standing);
    sink(Line::Server(with_findings(view, found)));
    Ok(())
}

/// The server as it shall be.
async fn wished(
    app: &App,
    old: &Server,
    set: &SetServer,
    sink: Sink<'_>,
) -> Result<(Server, Option<Found>), Refused> {
    let mut new = changed(old, set, app)?;
    new.auth = auth(app, old, &new, set).await?;
    let found = found(app, old, &new, set, sink).await?;
    pin_issuer(&mut new, found.as_ref())?;
    Ok((new, found))
}

/// Whether `fresh` changed of `old` what `new` changes too, and otherwise. An address and what is
/// sent there belong together.
fn clashes(old: &Server, new: &Server, fresh: &Server) -> bool {
    fn on<'a, T: PartialEq>(part: impl Fn(&'a Server) -> T, three: [&'a Server; 3]) -> bool {
        let [old, new, fresh] = three.map(part);
        new != old && fresh != old && new != fresh
    }
    let three = [old, new, fresh];
    on(|server| &server.display_name, three)
        || on(|server| server.enabled, three)
        || on(
            |server| (&server.url, server.allow_private, &server.auth),
            three,
        )
}

/// How often a change is tried on a server that somebody else keeps changing.
const MOST_ROUNDS: u32 = 8;

/// Says what ended, and what the issuers made of it.
async fn tell(app: &App, old: &Server, new: &Server, done: ServerChange, sink: Sink<'_>) {
    if secrets_of(&old.auth) > secrets_of(&new.auth) {
        let outcome = "secrets that no longer fit the settings were forgotten";
        sink(noted(old, outcome.to_owned(), None));
    }
    let ended = app.broker.revoke_ended(done.ended).await;
    if !ended.is_empty() {
        let settings = done.settings.join(", ");
        let outcome = format!("{} connections ended: {settings} changed", ended.len());
        let hint = format!("sign in again with `claviger login {}`", new.slug);
        sink(noted(old, outcome, Some(hint)));
    }
    for one in ended {
        sink(Line::LoggedOut(ended_credential_view(
            old.slug.as_str(),
            one,
        )));
    }
}

fn noted(server: &Server, outcome: String, hint: Option<String>) -> Line {
    Line::Step(StepView {
        stage: "settings".to_owned(),
        status: StepStatus::Warned,
        what: server.slug.to_string(),
        outcome,
        rule: None,
        hint,
        deviations: Vec::new(),
        took_ms: None,
    })
}

fn secrets_of(auth: &Auth) -> usize {
    match auth {
        Auth::Headers { headers } => headers.len(),
        Auth::Oauth(settings) => [&settings.sealed_client_secret, &settings.sealed_private_key]
            .into_iter()
            .filter(|secret| secret.is_some())
            .count(),
        _ => 0,
    }
}

/// Everything but the way requests are authorized.
fn changed(old: &Server, set: &SetServer, app: &App) -> Result<Server, Refused> {
    let mut new = Server {
        updated_at: app.clock.now(),
        ..old.clone()
    };
    new.allow_private = set.allow_private.unwrap_or(old.allow_private);
    new.enabled = set.enabled.unwrap_or(old.enabled);
    if let Some(name) = &set.display_name {
        check_display_name(name)?;
        new.display_name.clone_from(name);
    }
    if let Some(url) = &set.url {
        new.url.clone_from(url);
    }
    check_url(&new.url, new.allow_private)?;
    if let Some(issuer) = &set.issuer {
        check_url(issuer, new.allow_private)?;
    }
    if let Some(url) = &set.client_metadata_url {
        check_url(url, false)?;
    }
    Ok(new)
}

async fn auth(app: &App, old: &Server, new: &Server, set: &SetServer) -> Result<Auth, Refused> {
    let kind = set.auth.as_deref().unwrap_or(auth_word(&old.auth));
    if kind != "headers" && !set.headers.is_empty() {
        return Err(usage("fixed headers need --auth headers"));
    }
    if kind != "oauth" && wants_oauth(set) {
        return Err(usage("these options need --auth oauth"));
    }
    match kind {
        "none" => Ok(Auth::None),
        "headers" => headers(app, old, new, set).await,
        "oauth" => {
            let wish = wish(old, new, set)?;
            Ok(Auth::Oauth(Box::new(oauth(app, new, wish).await?)))
        }
        other => Err(usage(&format!(
            "`{other}` is no way to authorize; use none, headers or oauth"
        ))),
    }
}

fn wants_oauth(set: &SetServer) -> bool {
    let texts = [
        &set.grant,
        &set.client_id,
        &set.client_secret,
        &set.private_key,
        &set.client_metadata_url,
        &set.issuer,
    ];
    texts.into_iter().any(Option::is_some)
        || set.no_client
        || set.no_issuer
        || set.no_scopes
        || !set.scopes.is_empty()
}

async fn headers(app: &App, old: &Server, new: &Server, set: &SetServer) -> Result<Auth, Refused> {
    if !set.headers.is_empty() {
        let headers = fixed_headers(app, new, &set.headers).await?;
        return Ok(Auth::Headers { headers });
    }
    match &old.auth {
        Auth::Headers { .. } if is_moved(old, new) => Err(bound(
            old,
            "the fixed headers were",
            "give them again with --header",
        )),
        Auth::Headers { headers } => Ok(Auth::Headers {
            headers: headers.clone(),
        }),
        _ => Err(usage("--auth headers needs --header")),
    }
}

/// OAuth settings as they shall be. A secret stays only with its client and its origin.
fn wish<'a>(old: &Server, new: &Server, set: &'a SetServer) -> Result<Wish<'a>, Refused> {
    let base = match &old.auth {
        Auth::Oauth(settings) => (**settings).clone(),
        _ => OauthSettings::default(),
    };
    let (client_id, client_metadata_url) = client(&base, set)?;
    let has_new = set.client_secret.is_some() || set.private_key.is_some();
    if set.client_secret.is_some() && set.private_key.is_some() {
        return Err(usage("a client has a secret or a key, not both"));
    }
    let has_old = base.sealed_client_secret.is_some() || base.sealed_private_key.is_some();
    let keeps = has_old && !has_new && client_id == base.client_id;
    if keeps && is_moved(old, new) {
        let hint = "give it again with --client-secret-file or --private-key-file, or forget the \
                    client with --no-client";
        return Err(bound(old, "the client's secret was", hint));
    }
    let grant = match &set.grant {
        Some(grant) => parse_grant(Some(grant))?,
        None => base.grant,
    };
    Ok(Wish {
        grant,
        client_id,
        client_secret: set.client_secret.as_deref(),
        private_key: set.private_key.as_deref(),
        kept_secret: base.sealed_client_secret.filter(|_| keeps),
        kept_key: base.sealed_private_key.filter(|_| keeps),
        client_metadata_url,
        issuer: either(set.issuer.clone(), set.no_issuer, base.issuer, "--issuer")?,
        scopes: either(
            parse_scopes(&set.scopes)?,
            set.no_scopes,
            base.scopes,
            "--scope",
        )?,
    })
}

/// Client id and document; one takes the place of the other.
fn client(
    base: &OauthSettings,
    set: &SetServer,
) -> Result<(Option<String>, Option<String>), Refused> {
    if set.client_id.is_some() && set.client_metadata_url.is_some() {
        return Err(usage(
            "--client-id and --client-metadata-url exclude each other",
        ));
    }
    if set.no_client && (set.client_id.is_some() || set.client_metadata_url.is_some()) {
        return Err(usage("--no-client and a client exclude each other"));
    }
    Ok(match (&set.client_id, &set.client_metadata_url) {
        (Some(id), _) => (Some(id.clone()), None),
        (None, Some(url)) => (None, Some(url.clone())),
        (None, None) if set.no_client => (None, None),
        (None, None) => (base.client_id.clone(), base.client_metadata_url.clone()),
    })
}

fn either<T>(
    new: Option<T>,
    clears: bool,
    old: Option<T>,
    option: &str,
) -> Result<Option<T>, Refused> {
    match (new, clears) {
        (Some(_), true) => {
            let clearing = option.replacen("--", "--no-", 1);
            Err(usage(&format!(
                "{option} and {clearing} exclude each other"
            )))
        }
        (Some(new), false) => Ok(Some(new)),
        (None, true) => Ok(None),
        (None, false) => Ok(old),
    }
}

/// Looks again where the answer may be another one.
async fn found(
    app: &App,
    old: &Server,
    new: &Server,
    set: &SetServer,
    sink: Sink<'_>,
) -> Result<Option<Found>, Refused> {
    let Auth::Oauth(settings) = &new.auth else {
        return Ok(None);
    };
    let lacks_issuer = settings.sealed_client_secret.is_some() && settings.issuer.is_none();
    let may_differ =
        old.url != new.url || old.auth != new.auth || old.allow_private != new.allow_private;
    if set.no_discover || !(may_differ || lacks_issuer) {
        return Ok(None);
    }
    discover(app, new, sink).await.map(Some)
}

fn is_moved(old: &Server, new: &Server) -> bool {
    let origin = |server: &Server| Url::parse(&server.url).map(|url| url.origin());
    match (origin(old), origin(new)) {
        (Ok(old), Ok(new)) => old != new,
        _ => old.url != new.url,
    }
}

/// A205: a secret that was given for one origin is never sent to another on its own.
fn bound(old: &Server, what: &str, hint: &str) -> Refused {
    let origin = Url::parse(&old.url).map_or_else(
        |_not_a_url| old.url.clone(),
        |url| url.origin().ascii_serialization(),
    );
    problem(
        ProblemKind::Usage,
        "secret_bound",
        format!("{what} given for {origin} and cannot go along to another address"),
        Some(hint.to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use claviger_model::{ServerId, Slug, TenantId, Timestamp};

    use super::*;

    type Change = fn(&mut Server);

    fn server() -> Server {
        Server {
            id: ServerId::from_random([1; 16]),
            tenant: TenantId::default_tenant(),
            slug: Slug::parse("one").unwrap(),
            display_name: "One".to_owned(),
            url: "https://one.example/mcp".to_owned(),
            auth: Auth::None,
            allow_private: false,
            enabled: true,
            created_at: Timestamp::from_secs(0),
            updated_at: Timestamp::from_secs(0),
        }
    }

    #[test]
    fn two_changes_clash_where_they_change_the_same() {
        let name: Change = |server| server.display_name = "Other".to_owned();
        let third: Change = |server| server.display_name = "Third".to_owned();
        let off: Change = |server| server.enabled = false;
        let url: Change = |server| server.url = "https://two.example/mcp".to_owned();
        let auth: Change = |server| server.auth = Auth::Oauth(Box::default());
        for (ours, theirs, expected) in [
            (name, off, false),
            (off, url, false),
            (url, name, false),
            (name, third, true),
            (url, auth, true),
            (auth, url, true),
            // Both want the same.
            (off, off, false),
            (auth, auth, false),
        ] {
            let old = server();
            let (mut new, mut fresh) = (old.clone(), old.clone());
            ours(&mut new);
            theirs(&mut fresh);
            fresh.updated_at = Timestamp::from_secs(9);
            assert_eq!(clashes(&old, &new, &fresh), expected);
        }
    }
}
