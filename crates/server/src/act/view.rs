//! Rows as they may be shown.

use claviger_admin_api::{ConnectionView, RevocationView, ServerView};
use claviger_broker::Status;
use claviger_model::{Auth, Grant, Reason, Revocation, Server, Standing, Timestamp};

use crate::app::App;

/// A server, with what is known of it without asking anybody.
pub(crate) fn server_view(app: &App, server: &Server, standing: Standing) -> ServerView {
    let oauth = match &server.auth {
        Auth::Oauth(settings) => Some(settings),
        _ => None,
    };
    ServerView {
        slug: server.slug.to_string(),
        id: server.id.to_string(),
        display_name: server.display_name.clone(),
        url: server.url.clone(),
        auth: auth_word(&server.auth).to_owned(),
        grant: oauth.map(|settings| grant_word(settings.grant).to_owned()),
        issuer: oauth.and_then(|settings| settings.issuer.clone()),
        registration: Vec::new(),
        scopes: oauth
            .and_then(|settings| settings.scopes.as_ref())
            .map(|scopes| scopes.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        sign_in: sign_in_word(&server.auth, standing).to_owned(),
        allow_private: server.allow_private,
        enabled: server.enabled,
        has_client_secret: oauth.is_some_and(|settings| {
            settings.sealed_client_secret.is_some() || settings.sealed_private_key.is_some()
        }),
        gateway_url: app
            .base
            .as_ref()
            .map(|base| format!("{base}/{}/mcp", server.slug)),
        created_at: server.created_at.to_string(),
    }
}

/// How a user stands with a server.
pub(crate) fn connection_view(
    server: &Server,
    status: &Status,
    owed: &[Revocation],
    now: Timestamp,
) -> ConnectionView {
    let held = status.credential.as_ref();
    ConnectionView {
        server: server.slug.to_string(),
        standing: status.standing.as_str().to_owned(),
        reason: status.reason.map(|reason| reason.as_str().to_owned()),
        issuer: held.map(|held| held.issuer.clone()),
        scopes: held
            .map(|held| {
                held.scopes_granted
                    .iter()
                    .map(ToString::to_string)
                    .collect()
            })
            .unwrap_or_default(),
        expires_at: held
            .and_then(|held| held.expires_at)
            .map(|end| end.to_string()),
        expires_in_s: held
            .and_then(|held| held.expires_at)
            .map(|end| end.since(now)),
        is_refreshable: held.is_some_and(|held| held.is_refreshable),
        pending_revocations: owed
            .iter()
            .filter(|row| row.key.server == server.id)
            .count(),
        hint: hint(server, status),
    }
}

/// What is owed to an issuer.
pub(crate) fn revocation_view(row: &Revocation, now: Timestamp) -> RevocationView {
    RevocationView {
        id: row.id.to_string(),
        server: row.server_name.clone(),
        user: row.key.user.to_string(),
        issuer: row.issuer.clone(),
        attempts: row.attempts,
        next_at: row.next_at.to_string(),
        next_in_s: row.next_at.since(now),
        last_failure: row.last_failure.clone(),
        created_at: row.created_at.to_string(),
    }
}

fn hint(server: &Server, status: &Status) -> Option<String> {
    let slug = &server.slug;
    let login = format!("claviger login {slug}");
    match (status.standing, status.reason) {
        (Standing::NeedsSignIn, Some(Reason::FreshTokenRefused)) => Some(format!(
            "the server refuses fresh tokens; `claviger doctor {}` names what does not fit",
            server.url
        )),
        (Standing::NeedsSignIn, Some(Reason::Restored)) => Some(format!(
            "it came from a backup, and its issuer no longer takes it; `{login}` signs in again"
        )),
        (Standing::NeverConnected | Standing::NeedsSignIn | Standing::NeedsScopes, _) => {
            Some(login)
        }
        (Standing::Expiring, _) => Some(format!("it cannot be refreshed; `{login}` renews it")),
        (Standing::Unreachable, _) if status.retry_after_s.is_some() => {
            let seconds = status.retry_after_s.unwrap_or_default();
            Some(format!(
                "its issuer does not answer, and is asked again in {seconds} s"
            ))
        }
        (Standing::Misconfigured | Standing::Unreachable, _) => {
            Some(format!("claviger doctor {}", server.url))
        }
        _ => None,
    }
}

pub(crate) fn auth_word(auth: &Auth) -> &'static str {
    match auth {
        Auth::Headers { .. } => "headers",
        Auth::Oauth(_) => "oauth",
        _ => "none",
    }
}

fn grant_word(grant: Grant) -> &'static str {
    match grant {
        Grant::ClientCredentials => "client_credentials",
        _ => "authorization_code",
    }
}

fn sign_in_word(auth: &Auth, standing: Standing) -> &'static str {
    match (auth, standing) {
        (Auth::Oauth(_), Standing::NoSignIn) => "no",
        (Auth::Oauth(settings), _) if settings.grant == Grant::ClientCredentials => "no",
        (Auth::Oauth(_), Standing::NeverConnected) => "unknown",
        (Auth::Oauth(_), _) => "yes",
        _ => "no",
    }
}
