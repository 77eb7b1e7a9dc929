//! The authorization endpoint, until the person is asked: RFC 6749 §4.1.1, RFC 7636, RFC 8707.

use claviger_crypto::{Secret, base64url_encode, hex};
use claviger_model::Timestamp;

use self::read::{check_form, read_challenge, read_scopes};
use crate::parameters::Parameters;
use crate::{
    Client, ConsentForm, ConsentRequest, ErrorCode, Issuer, IssuerStoreError, PageProblem, Pending,
    ProtectedResource, RedirectUri,
};

mod read;

/// Longer ones are refused on our own page.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// What the browser gets.
#[derive(Debug)]
pub enum AuthorizeAnswer {
    /// The page that asks, and the cookie that binds it to this browser.
    Ask(Box<Ask>),
    /// An error, at the client's redirect URI.
    Redirect(Redirect),
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
    pub form_action: String,
}

/// Where the browser is sent, with status 303.
#[derive(Debug, Clone)]
pub struct Redirect(pub(crate) Secret);

/// What went wrong once the redirect URI was known to be the client's.
pub(crate) struct Fault(pub(crate) ErrorCode, pub(crate) &'static str);

/// The request's client and its redirect URI, both proven.
struct Asker {
    client: Client,
    redirect_uri: String,
}

// === impl Redirect ===

impl Redirect {
    /// The URL; it may carry a code.
    pub fn location(&self) -> &Secret {
        &self.0
    }
}

// === impl Issuer ===

impl Issuer {
    /// Reads an authorization request and asks the person.
    ///
    /// Nothing is ever granted here: a code needs the form to come back (A055, A057).
    pub async fn authorize(&self, query: &str, now: Timestamp) -> AuthorizeAnswer {
        if query.len() > MAX_QUERY_BYTES {
            return AuthorizeAnswer::Problem(PageProblem::TooLong);
        }
        let Some(parameters) = Parameters::parse(query.as_bytes()) else {
            return AuthorizeAnswer::Problem(PageProblem::TooLong);
        };
        let asker = match self.asker(&parameters).await {
            Ok(asker) => asker,
            Err(problem) => return AuthorizeAnswer::Problem(problem),
        };
        let state = parameters
            .one("state")
            .filter(|_| !parameters.repeats("state"));
        match self.read(&parameters, &asker, now) {
            Ok((pending, ask)) => {
                let stored = async {
                    self.doors.store.sweep(now).await?;
                    self.doors.store.insert_pending(pending).await
                };
                match stored.await {
                    Ok(()) => AuthorizeAnswer::Ask(ask),
                    Err(error) => AuthorizeAnswer::Problem(error.into()),
                }
            }
            Err(fault) => {
                AuthorizeAnswer::Redirect(self.redirect_error(&asker.redirect_uri, state, &fault))
            }
        }
    }

    // RFC 6749 §4.1.2.1: while client or redirect URI is in doubt, nobody is redirected (A048).
    async fn asker(&self, parameters: &Parameters) -> Result<Asker, PageProblem> {
        if parameters.repeats("client_id") || parameters.repeats("redirect_uri") {
            return Err(PageProblem::Repeated);
        }
        let Some(id) = parameters.one("client_id") else {
            return Err(PageProblem::UnknownClient);
        };
        let client = match self.doors.store.find_client(id).await {
            Ok(Some(client)) => client,
            Ok(None) => return Err(PageProblem::UnknownClient),
            Err(error) => return Err(error.into()),
        };
        let Some(redirect_uri) = parameters.one("redirect_uri") else {
            return Err(PageProblem::RedirectMismatch);
        };
        if !client
            .redirect_uris
            .iter()
            .any(|one| one.matches(redirect_uri))
        {
            return Err(PageProblem::RedirectMismatch);
        }
        Ok(Asker {
            redirect_uri: redirect_uri.to_owned(),
            client,
        })
    }

    fn read(
        &self,
        parameters: &Parameters,
        asker: &Asker,
        now: Timestamp,
    ) -> Result<(Pending, Box<Ask>), Fault> {
        check_form(parameters)?;
        let code_challenge = read_challenge(parameters)?;
        let resource = self.read_resource(parameters)?;
        let scopes = read_scopes(parameters, resource)?;
        let entropy = &self.doors.entropy;
        let id = hex(&entropy.id_bytes());
        let csrf = Secret::new(base64url_encode(&entropy.key_bytes()));
        let cookie = Secret::new(base64url_encode(&entropy.key_bytes()));
        let ttl_s = self.settings.authorization_ttl_s;
        let pending = Pending {
            client_id: asker.client.id.clone(),
            redirect_uri: asker.redirect_uri.clone(),
            state: parameters.one("state").map(Secret::new),
            code_challenge,
            resource: resource.resource.clone(),
            scopes,
            csrf_mac: self.mac("csrf", &[&id, csrf.expose()]),
            cookie_mac: self.mac("cookie", &[&id, cookie.expose()]),
            expires_at: now.plus(ttl_s.into()),
            id: id.clone(),
        };
        let ask = Ask {
            request: self.consent_request(&pending, &asker.client),
            cookie_name: self.cookie_name(&id),
            form: ConsentForm {
                action: self.endpoint_path("authorize"),
                pending_id: id,
                csrf,
            },
            cookie,
            ttl_s,
            form_action: form_action(&asker.redirect_uri),
        };
        Ok((pending, Box::new(ask)))
    }

    // A053: a token is for one resource of ours, or there is none.
    fn read_resource(&self, parameters: &Parameters) -> Result<&ProtectedResource, Fault> {
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
        let redirect_host = client
            .redirect_uris
            .iter()
            .find(|one| one.matches(&pending.redirect_uri))
            .map(|one| one.host().to_owned())
            .unwrap_or_default();
        ConsentRequest {
            client_id: client.id.clone(),
            client_name: client.name.clone(),
            redirect_uri: pending.redirect_uri.clone(),
            redirect_host,
            is_loopback_only: client.redirect_uris.iter().all(RedirectUri::is_loopback),
            resource: pending.resource.clone(),
            scopes: pending.scopes.clone(),
            lasts_s: if client.may_refresh {
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

    pub(crate) fn redirect_error(
        &self,
        redirect_uri: &str,
        state: Option<&str>,
        fault: &Fault,
    ) -> Redirect {
        let Fault(code, description) = fault;
        let fields = [("error", code.as_str()), ("error_description", description)];
        self.redirect(redirect_uri, &fields, state)
    }

    // RFC 9207 §2: `iss` in every answer, errors included (A-17, A065).
    pub(crate) fn redirect(
        &self,
        redirect_uri: &str,
        fields: &[(&str, &str)],
        state: Option<&str>,
    ) -> Redirect {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.settings.issuer);
        // The registered text stays as it is; a parser might rewrite it.
        let separator = match redirect_uri.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        Redirect(Secret::new(format!(
            "{redirect_uri}{separator}{}",
            query.finish()
        )))
    }
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

impl From<IssuerStoreError> for PageProblem {
    fn from(_error: IssuerStoreError) -> Self {
        Self::Unavailable
    }
}
