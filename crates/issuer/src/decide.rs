//! The authorization endpoint, once the form came back.

use claviger_crypto::{Secret, TokenKind, hex};
use claviger_model::Timestamp;

use crate::authorize::Fault;
use crate::parameters::Parameters;
use crate::{
    Approval, CodeRow, ErrorCode, Issuer, IssuerEvent, IssuerStoreError, PageProblem, Pending,
    Redirect,
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
    /// Refused, on our own page.
    Problem(PageProblem),
}

// === impl Issuer ===

impl Issuer {
    /// Takes the person's answer.
    ///
    /// Everything but yes or no comes from the row, so that a changed form changes nothing (A060).
    pub async fn decide(&self, request: &DecideRequest<'_>, now: Timestamp) -> DecideAnswer {
        match self.take(request, now).await {
            Ok((pending, approved)) => {
                let cookie_name = self.cookie_name(&pending.id);
                match self.conclude(&pending, approved, now).await {
                    Ok(redirect) => DecideAnswer::Redirect {
                        redirect,
                        cookie_name,
                    },
                    Err(error) => DecideAnswer::Problem(error.into()),
                }
            }
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

    async fn conclude(
        &self,
        pending: &Pending,
        approved: bool,
        now: Timestamp,
    ) -> Result<Redirect, IssuerStoreError> {
        let state = pending.state.as_ref().map(Secret::expose);
        let client = self.doors.store.find_client(&pending.client_id).await?;
        let approval = match client {
            Some(client) if approved => {
                let request = self.consent_request(pending, &client);
                self.doors.approve.approve(&request, now).await
            }
            _ => Approval::Denied,
        };
        let Approval::Granted {
            tenant,
            user,
            scopes,
        } = approval
        else {
            self.observe(IssuerEvent::Denied);
            let fault = Fault(ErrorCode::AccessDenied, "the person said no");
            return Ok(self.redirect_error(&pending.redirect_uri, state, &fault));
        };
        let (code, mac) = self.mint(TokenKind::Code);
        let row = CodeRow {
            mac,
            grant: hex(&self.doors.entropy.id_bytes()),
            client_id: pending.client_id.clone(),
            redirect_uri: pending.redirect_uri.clone(),
            code_challenge: pending.code_challenge.clone(),
            resource: pending.resource.clone(),
            // A hook may narrow and never widen.
            scopes: scopes
                .iter()
                .filter(|scope| pending.scopes.contains(scope.as_str()))
                .cloned()
                .collect(),
            tenant,
            user,
            expires_at: now.plus(self.settings.code_ttl_s.into()),
            failures: 0,
            is_redeemed: false,
        };
        self.doors.store.insert_code(row).await?;
        self.observe(IssuerEvent::Approved);
        Ok(self.redirect(&pending.redirect_uri, &[("code", code.expose())], state))
    }
}
