//! The authorization endpoint, once the form came back.

use claviger_crypto::{Secret, TokenKind, hex};
use claviger_model::{Timestamp, UserId};
use claviger_wire::ScopeSet;

use crate::authorize::Fault;
use crate::parameters::Parameters;
use crate::{
    AnswerTo, Approval, Client, CodeRow, DeviceDecision, ErrorCode, GrantType, Issuer, IssuerEvent,
    IssuerStoreError, PageProblem, Pending, Redirect, TokenMac, Visit,
};

/// The form as it came.
#[derive(Debug)]
pub struct DecideRequest<'a> {
    /// The form-encoded body.
    pub body: &'a [u8],
    /// The browser's cookies, by name.
    pub cookies: Vec<(&'a str, Secret)>,
    /// The `Sec-Fetch-Site` header.
    pub fetch_site: Option<&'a str>,
}

/// What the browser gets.
#[derive(Debug)]
pub enum DecideAnswer {
    /// Back to the client. The cookie of that name has done its work.
    Redirect {
        /// Where to.
        redirect: Redirect,
        /// Which cookie to remove.
        cookie_name: String,
    },
    /// A device has its answer; the person may go. The cookie of that name has done its work.
    Done {
        /// Whether the person said yes.
        is_approved: bool,
        /// Which cookie to remove.
        cookie_name: String,
    },
    /// Refused, on our own page.
    Problem(PageProblem),
}

/// Where a code goes.
struct Target<'a> {
    redirect_uri: &'a str,
    state: Option<&'a str>,
    code_challenge: &'a str,
}

// === impl Issuer ===

impl Issuer {
    /// Takes the person's answer.
    ///
    /// Everything but yes or no comes from the row, so that a changed form changes nothing (A060).
    pub async fn decide(&self, request: &DecideRequest<'_>, now: Timestamp) -> DecideAnswer {
        let decided = async {
            let (pending, approved) = self.take(request, now).await?;
            self.conclude(pending, approved, now).await
        };
        match decided.await {
            Ok(answer) => answer,
            Err(problem) => DecideAnswer::Problem(problem),
        }
    }

    async fn take(
        &self,
        request: &DecideRequest<'_>,
        now: Timestamp,
    ) -> Result<(Pending, bool), PageProblem> {
        // A browser that says where the form came from is believed when it says "elsewhere".
        if !matches!(request.fetch_site, None | Some("same-origin" | "none")) {
            return Err(PageProblem::NotThisBrowser);
        }
        let Some(form) = Parameters::parse(request.body).filter(|form| !form.any_repeats()) else {
            return Err(PageProblem::Repeated);
        };
        let (Some(pending_id), Some(csrf)) = (form.one("pending_id"), form.one("csrf")) else {
            return Err(PageProblem::NotThisBrowser);
        };
        let Some(pending) = self.doors.store.find_pending(pending_id).await? else {
            return Err(PageProblem::Stale);
        };
        // A056, A058: a stranger's form does not use up the person's own.
        let cookie_name = self.cookie_name(pending_id);
        let bound = request.cookies.iter().any(|(name, value)| {
            *name == cookie_name
                && self.has_mac("cookie", &[pending_id, value.expose()], &pending.cookie_mac)
        });
        if !bound || !self.has_mac("csrf", &[pending_id, csrf], &pending.csrf_mac) {
            return Err(PageProblem::NotThisBrowser);
        }
        self.check_visitor(&pending, request, now).await?;
        let approved = match form.one("decision") {
            Some("approve") => true,
            Some("deny") => false,
            _ => return Err(PageProblem::NotThisBrowser),
        };
        match self.doors.store.take_pending(pending_id).await? {
            Some(pending) if pending.expires_at > now => Ok((pending, approved)),
            _ => Err(PageProblem::Stale),
        }
    }

    // The session may have changed hands since the page was shown (A069).
    async fn check_visitor(
        &self,
        pending: &Pending,
        request: &DecideRequest<'_>,
        now: Timestamp,
    ) -> Result<(), PageProblem> {
        let visit = Visit {
            cookies: &request.cookies,
            return_to: "",
        };
        let visitor = self.doors.approve.visitor(&visit, now).await;
        if visitor.user() == pending.user.as_ref() {
            Ok(())
        } else {
            Err(PageProblem::NotThisBrowser)
        }
    }

    async fn conclude(
        &self,
        pending: Pending,
        approved: bool,
        now: Timestamp,
    ) -> Result<DecideAnswer, PageProblem> {
        let cookie_name = self.cookie_name(&pending.id);
        let client = self.consenting_client(&pending.client_id, now).await?;
        let approval = match client {
            // A043: what the client says of itself may have changed since the page was shown.
            Some(client) if approved && still_fits(&client, &pending) => {
                let request = self.consent_request(&pending, &client);
                self.doors.approve.approve(&request, now).await
            }
            _ => Approval::Denied,
        };
        let granted = match approval {
            // Whoever was asked has to be who granted.
            Approval::Granted { user, .. }
                if pending.user.as_ref().is_some_and(|asked| *asked != user) =>
            {
                None
            }
            // A hook may narrow and never widen.
            Approval::Granted { user, scopes } => Some((user, within(&scopes, &pending.scopes))),
            Approval::Denied => None,
        };
        let event = match granted {
            Some(_) => IssuerEvent::Approved,
            None => IssuerEvent::Denied,
        };
        let answer = match &pending.answer_to {
            AnswerTo::Redirect {
                redirect_uri,
                state,
                code_challenge,
            } => {
                let to = Target {
                    redirect_uri,
                    state: state.as_ref().map(Secret::expose),
                    code_challenge,
                };
                DecideAnswer::Redirect {
                    redirect: self.answer_browser(&pending, &to, granted, now).await?,
                    cookie_name,
                }
            }
            AnswerTo::Device { mac } => {
                let is_approved = granted.is_some();
                self.answer_device(mac, granted, now).await?;
                DecideAnswer::Done {
                    is_approved,
                    cookie_name,
                }
            }
        };
        self.observe(event);
        Ok(answer)
    }

    async fn answer_browser(
        &self,
        pending: &Pending,
        to: &Target<'_>,
        granted: Option<(UserId, ScopeSet)>,
        now: Timestamp,
    ) -> Result<Redirect, IssuerStoreError> {
        let Some((user, scopes)) = granted else {
            let fault = Fault(ErrorCode::AccessDenied, "the person said no");
            return Ok(self.redirect_error(to.redirect_uri, to.state, &fault));
        };
        let (code, mac) = self.mint(TokenKind::Code);
        let row = CodeRow {
            mac,
            grant: hex(&self.doors.entropy.id_bytes()),
            client_id: pending.client_id.clone(),
            redirect_uri: to.redirect_uri.to_owned(),
            code_challenge: to.code_challenge.to_owned(),
            resource: pending.resource.clone(),
            scopes,
            tenant: pending.tenant.clone(),
            user,
            dpop_jkt: pending.dpop_jkt.clone(),
            expires_at: now.plus(self.settings.code_ttl_s.into()),
            failures: 0,
            is_redeemed: false,
        };
        self.doors.store.insert_code(row).await?;
        Ok(self.redirect(to.redirect_uri, &[("code", code.expose())], to.state))
    }

    async fn answer_device(
        &self,
        mac: &TokenMac,
        granted: Option<(UserId, ScopeSet)>,
        now: Timestamp,
    ) -> Result<(), PageProblem> {
        let decision = match granted {
            Some((user, scopes)) => DeviceDecision::Approved { user, scopes },
            None => DeviceDecision::Denied,
        };
        if self.doors.store.decide_device(mac, decision, now).await? {
            Ok(())
        } else {
            Err(PageProblem::Stale)
        }
    }
}

fn still_fits(client: &Client, pending: &Pending) -> bool {
    match &pending.answer_to {
        AnswerTo::Redirect { redirect_uri, .. } => client.redirects_to(redirect_uri),
        AnswerTo::Device { .. } => client.may(GrantType::DeviceCode),
    }
}

fn within(scopes: &ScopeSet, limit: &ScopeSet) -> ScopeSet {
    scopes
        .iter()
        .filter(|scope| limit.contains(scope.as_str()))
        .cloned()
        .collect()
}
