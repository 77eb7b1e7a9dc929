//! The authorization endpoint, until the person is asked: RFC 6749 §4.1.1, RFC 7636, RFC 8707.

use core::net::IpAddr;

use claviger_crypto::{Secret, base64url_encode, hex};
use claviger_model::Timestamp;
use claviger_wire::ScopeSet;
use url::Url;

use self::read::{check_form, read_challenge, read_jkt};
use crate::limit::Counted;
use crate::parameters::Parameters;
use crate::{
    AnswerTo, Client, ClientOrigin, ConsentForm, ConsentRequest, ErrorCode, GrantType, Issuer,
    IssuerStoreError, PageProblem, Pending, ProtectedResource, RedirectUri, Visit, Visitor,
};

pub use self::answer::Redirect;
pub(crate) use self::read::read_scopes;

mod answer;
mod asker;
mod read;

/// Longer ones are refused on our own page.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// A browser's visit to the authorization endpoint.
#[derive(Debug)]
pub struct AuthorizeRequest<'a> {
    /// The URL's query, as it came.
    pub query: &'a str,
    /// The browser's cookies, by name.
    pub cookies: Vec<(&'a str, Secret)>,
    /// The `Sec-Fetch-Site` header.
    pub fetch_site: Option<&'a str>,
    /// Where it comes from, if that is known.
    pub address: Option<IpAddr>,
}

/// What the browser gets.
#[derive(Debug)]
pub enum AuthorizeAnswer {
    /// The page that asks, and the cookie that binds it to this browser.
    Ask(Box<Ask>),
    /// An error, at the client's redirect URI.
    Redirect(Redirect),
    /// First to where one signs in, which leads back here.
    SignIn(Redirect),
    /// An error on our own page: nobody knows yet whether the redirect URI is the client's.
    Problem(PageProblem),
}

/// A question for the person.
#[derive(Debug)]
pub struct Ask {
    /// What is asked.
    pub request: ConsentRequest,
    /// What the form carries.
    pub form: ConsentForm,
    /// Name of the cookie.
    pub cookie_name: String,
    /// Value of the cookie.
    pub cookie: Secret,
    /// How long the cookie lives.
    pub ttl_s: u32,
    /// Where the form's answer may lead, for the content security policy.
    pub form_action: Option<String>,
}

/// What went wrong once the redirect URI was known to be the client's.
pub(crate) struct Fault(pub(crate) ErrorCode, pub(crate) &'static str);

/// What is wanted, once everything about it was checked.
pub(crate) struct Wanted {
    pub(crate) answer_to: AnswerTo,
    pub(crate) resource: String,
    pub(crate) scopes: ScopeSet,
    pub(crate) dpop_jkt: Option<String>,
}

// === impl AuthorizeRequest ===

impl AuthorizeRequest<'_> {
    /// A browser that says where a form came from is believed when it says "elsewhere".
    pub(crate) fn is_from_here(&self) -> bool {
        matches!(self.fetch_site, None | Some("same-origin" | "none"))
    }
}

// === impl Issuer ===

impl Issuer {
    /// Reads an authorization request and asks the person.
    ///
    /// Nothing is ever granted here: a code needs the form to come back (A055, A057).
    pub async fn authorize(
        &self,
        request: &AuthorizeRequest<'_>,
        now: Timestamp,
    ) -> AuthorizeAnswer {
        match self.try_authorize(request, now).await {
            Ok(answer) => answer,
            Err(problem) => AuthorizeAnswer::Problem(problem),
        }
    }

    async fn try_authorize(
        &self,
        request: &AuthorizeRequest<'_>,
        now: Timestamp,
    ) -> Result<AuthorizeAnswer, PageProblem> {
        if request.query.len() > MAX_QUERY_BYTES {
            return Err(PageProblem::TooLong);
        }
        let Some(parameters) = Parameters::parse(request.query.as_bytes()) else {
            return Err(PageProblem::TooLong);
        };
        self.limiter
            .admit_address(Counted::Authorize, request.address, now)?;
        let return_to = format!("{}?{}", self.endpoint_path("authorize"), request.query);
        let visit = Visit {
            cookies: &request.cookies,
            return_to: &return_to,
        };
        let visitor = self.doors.approve.visitor(&visit, now).await;
        if let Visitor::SignedOut { sign_in } = visitor {
            return Ok(AuthorizeAnswer::SignIn(Redirect::to(sign_in)));
        }
        if parameters.repeats("client_id") || parameters.repeats("request_uri") {
            return Err(PageProblem::Repeated);
        }
        let parameters = self.unfold(parameters, now).await?;
        let asker = self.asker(&parameters, request.address, now).await?;
        match self.read(&parameters, &asker.client, &asker.redirect_uri) {
            Ok(wanted) => {
                let ask = self.ask(wanted, &asker.client, &visitor, now).await?;
                Ok(AuthorizeAnswer::Ask(Box::new(ask)))
            }
            Err(fault) => {
                let state = parameters
                    .one("state")
                    .filter(|_| !parameters.repeats("state"));
                let redirect = self.redirect_error(&asker.redirect_uri, state, &fault);
                Ok(AuthorizeAnswer::Redirect(redirect))
            }
        }
    }

    /// Checks a request of this client for this redirect URI of its own.
    pub(crate) fn read(
        &self,
        parameters: &Parameters,
        client: &Client,
        redirect_uri: &str,
    ) -> Result<Wanted, Fault> {
        check_form(parameters)?;
        if !client.may(GrantType::AuthorizationCode) {
            return Err(Fault(
                ErrorCode::UnauthorizedClient,
                "the client may not use codes",
            ));
        }
        let code_challenge = read_challenge(parameters)?;
        let resource = self.read_resource(parameters)?;
        let scopes = read_scopes(parameters, resource)?;
        Ok(Wanted {
            answer_to: AnswerTo::Redirect {
                redirect_uri: redirect_uri.to_owned(),
                state: parameters.one("state").map(Secret::new),
                code_challenge,
            },
            resource: resource.resource.clone(),
            scopes,
            dpop_jkt: read_jkt(parameters)?,
        })
    }

    /// Stores the request and draws up the question.
    pub(crate) async fn ask(
        &self,
        wanted: Wanted,
        client: &Client,
        visitor: &Visitor,
        now: Timestamp,
    ) -> Result<Ask, IssuerStoreError> {
        let entropy = &self.doors.entropy;
        let id = hex(&entropy.id_bytes());
        let csrf = Secret::new(base64url_encode(&entropy.key_bytes()));
        let cookie = Secret::new(base64url_encode(&entropy.key_bytes()));
        let ttl_s = self.settings.authorization_ttl_s;
        let pending = Pending {
            tenant: self.settings.tenant.clone(),
            client_id: client.id.clone(),
            answer_to: wanted.answer_to,
            resource: wanted.resource,
            scopes: wanted.scopes,
            user: visitor.user().cloned(),
            dpop_jkt: wanted.dpop_jkt,
            csrf_mac: self.mac("csrf", &[&id, csrf.expose()]),
            cookie_mac: self.mac("cookie", &[&id, cookie.expose()]),
            expires_at: now.plus(ttl_s.into()),
            id: id.clone(),
        };
        let ask = Ask {
            request: self.consent_request(&pending, client),
            cookie_name: self.cookie_name(&id),
            form: ConsentForm {
                action: self.endpoint_path("authorize"),
                pending_id: id,
                csrf,
            },
            cookie,
            ttl_s,
            form_action: match &pending.answer_to {
                AnswerTo::Redirect { redirect_uri, .. } => Some(form_action(redirect_uri)),
                AnswerTo::Device { .. } => None,
            },
        };
        self.sweep_sometimes(now).await?;
        self.doors.store.insert_pending(pending).await?;
        Ok(ask)
    }

    // A053: a token is for one resource of ours, or there is none.
    pub(crate) fn read_resource(
        &self,
        parameters: &Parameters,
    ) -> Result<&ProtectedResource, Fault> {
        if parameters.repeats("resource") {
            return Err(Fault(
                ErrorCode::InvalidTarget,
                "only one resource at a time",
            ));
        }
        self.settings
            .resource(parameters.one("resource"))
            .ok_or(Fault(
                ErrorCode::InvalidTarget,
                "this issuer has no tokens for that resource",
            ))
    }

    pub(crate) fn consent_request(&self, pending: &Pending, client: &Client) -> ConsentRequest {
        let redirect_uri = match &pending.answer_to {
            AnswerTo::Redirect { redirect_uri, .. } => Some(redirect_uri),
            AnswerTo::Device { .. } => None,
        };
        let registered =
            redirect_uri.and_then(|uri| client.redirect_uris.iter().find(|one| one.matches(uri)));
        ConsentRequest {
            user: pending.user.clone(),
            client_id: client.id.clone(),
            client_host: document_host(client),
            client_name: client.name.clone(),
            redirect_uri: redirect_uri.cloned(),
            redirect_host: registered.map_or_else(
                || "the device that shows the code".to_owned(),
                |uri| uri.host().to_owned(),
            ),
            is_loopback_only: registered.is_some()
                && client.redirect_uris.iter().all(RedirectUri::is_loopback),
            resource: pending.resource.clone(),
            scopes: pending.scopes.clone(),
            lasts_s: if client.may(GrantType::RefreshToken) {
                self.settings.refresh_ttl_s
            } else {
                self.settings.access_ttl_s
            },
        }
    }

    // P-04: `__Host-` wherever there is TLS; browsers refuse it on plain loopback. One cookie per
    // request, so that two tabs do not meet (A085).
    pub(crate) fn cookie_name(&self, pending_id: &str) -> String {
        let prefix = if self.is_https() { "__Host-" } else { "" };
        format!("{prefix}clv_authorize_{pending_id}")
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

// of a client that is known by a URL, the host is what can be believed.
fn document_host(client: &Client) -> Option<String> {
    let url = (client.origin == ClientOrigin::Document).then(|| Url::parse(&client.id).ok())??;
    url.host_str().map(str::to_owned)
}

// Chromium applies `form-action` to the redirect after the form, too.
fn form_action(redirect_uri: &str) -> String {
    let (scheme, rest) = redirect_uri.split_once(':').unwrap_or((redirect_uri, ""));
    match rest.strip_prefix("//") {
        Some(rest) if matches!(scheme, "http" | "https") => {
            let authority = rest.split(['/', '?']).next().unwrap_or(rest);
            format!("{scheme}://{authority}")
        }
        _ => format!("{scheme}:"),
    }
}
