//! Devices without a browser: RFC 8628.
//!
//! The person types a code on a page of ours, and is asked the same question in the same way as
//! anywhere else. There is no link that has the code in it: whoever sends one would only need a
//! click.

use claviger_crypto::{Secret, TokenKind, hex, kind_of};
use claviger_model::{Timestamp, UserId};
use serde_json::{Value, json};

use crate::authorize::{Wanted, read_scopes};
use crate::begin::Granted;
use crate::limit::Counted;
use crate::parameters::Parameters;
use crate::token::{TokenAsk, malformed};
use crate::{
    AnswerTo, Ask, AuthorizeRequest, DeviceDecision, DeviceRow, EndpointError, ErrorCode,
    FormRequest, GrantType, Issuer, IssuerEvent, PageProblem, Poll, PollRefused, Redirect,
    TokenAnswer, TokenMac, Visit, Visitor,
};

/// What a device shows, and keeps.
#[derive(Debug)]
pub struct DeviceAnswer {
    device_code: Secret,
    user_code: Secret,
    verification_uri: String,
    expires_in: u32,
}

/// What a person sees who was sent by a device.
#[derive(Debug)]
pub enum DevicePage {
    /// The field for the code; `true` if the one before was not good.
    Enter {
        /// Where the form goes.
        action: String,
        /// Whether a code was tried that is not good.
        is_retry: bool,
    },
    /// The question.
    Ask(Box<Ask>),
    /// First to where one signs in, which leads back here.
    SignIn(Redirect),
    /// It cannot go on.
    Problem(PageProblem),
}

// === impl DeviceAnswer ===

impl DeviceAnswer {
    /// What the person types.
    pub fn user_code(&self) -> &Secret {
        &self.user_code
    }

    /// What the device sends.
    pub fn device_code(&self) -> &Secret {
        &self.device_code
    }

    /// The answer's body.
    pub fn body(&self) -> Value {
        json!({
            "device_code": self.device_code.expose(),
            "user_code": self.user_code.expose(),
            "verification_uri": self.verification_uri,
            "expires_in": self.expires_in,
            "interval": INTERVAL_S,
        })
    }
}

// === impl Issuer ===

impl Issuer {
    /// Begins: a code for the device, and one for the person.
    pub async fn authorize_device(
        &self,
        request: &FormRequest<'_>,
        now: Timestamp,
    ) -> Result<DeviceAnswer, EndpointError> {
        let parameters = request.read()?;
        self.admit_form(request, now)?;
        let client = self.authenticate(request, &parameters, now).await?;
        if !client.may(GrantType::DeviceCode) {
            return Err(EndpointError::new(
                ErrorCode::UnauthorizedClient,
                "the client may not use device codes",
            ));
        }
        let resource = self.read_resource(&parameters)?;
        let scopes = read_scopes(&parameters, resource)?;
        self.sweep_sometimes(now).await?;
        for _ in 0..ATTEMPTS {
            let (device_code, mac) = self.mint(TokenKind::Device);
            let user_code = self.user_code();
            let row = DeviceRow {
                mac,
                user_code_mac: self.user_code_mac(user_code.expose()),
                tenant: self.settings.tenant.clone(),
                grant: hex(&self.doors.entropy.id_bytes()),
                client_id: client.id.clone(),
                resource: resource.resource.clone(),
                scopes: scopes.clone(),
                decision: None,
                interval_s: INTERVAL_S,
                polled_at: None,
                expires_at: now.plus(self.settings.authorization_ttl_s.into()),
            };
            if self.doors.store.insert_device(row).await? {
                self.used(&client, now).await?;
                return Ok(DeviceAnswer {
                    device_code,
                    user_code,
                    verification_uri: self.endpoint_url("device"),
                    expires_in: self.settings.authorization_ttl_s,
                });
            }
        }
        Err(EndpointError::new(
            ErrorCode::TemporarilyUnavailable,
            "too many devices wait; try again later",
        ))
    }

    /// The page where the person types the code.
    pub async fn device_page(&self, request: &AuthorizeRequest<'_>, now: Timestamp) -> DevicePage {
        match self.device_visitor(request, now).await {
            Ok(_) => self.enter(false),
            Err(page) => page,
        }
    }

    /// Takes the code that the person typed; `request.query` is the form's body.
    pub async fn enter_device_code(
        &self,
        request: &AuthorizeRequest<'_>,
        now: Timestamp,
    ) -> DevicePage {
        let visitor = match self.device_visitor(request, now).await {
            Ok(visitor) => visitor,
            Err(page) => return page,
        };
        // A browser that says where the form came from is believed when it says "elsewhere".
        if !request.is_from_here() {
            return DevicePage::Problem(PageProblem::NotThisBrowser);
        }
        match self.find_typed(request, &visitor, now).await {
            Ok(Some(ask)) => DevicePage::Ask(Box::new(ask)),
            Ok(None) => self.enter(true),
            Err(problem) => DevicePage::Problem(problem),
        }
    }

    async fn find_typed(
        &self,
        request: &AuthorizeRequest<'_>,
        visitor: &Visitor,
        now: Timestamp,
    ) -> Result<Option<Ask>, PageProblem> {
        let Some(form) = Parameters::parse(request.query.as_bytes()) else {
            return Err(PageProblem::TooLong);
        };
        let Some(typed) = form.one("user_code") else {
            return Ok(None);
        };
        // RFC 8628 §5.1: 20^8 codes and a few tries for each address and person.
        self.limiter
            .admit_address(Counted::UserCode, request.address, now)?;
        // Where neither is known, everybody shares one budget.
        let whose = visitor.user().map_or("anybody", UserId::as_str);
        if request.address.is_none() || visitor.user().is_some() {
            let whose = format!("user {whose}");
            self.limiter.admit(Counted::UserCode, &whose, now)?;
        }
        let mac = self.user_code_mac(typed);
        let Some(row) = self.doors.store.find_device(&mac, now).await? else {
            return Ok(None);
        };
        let Some(client) = self.find_client(&row.client_id, now).await? else {
            return Ok(None);
        };
        let wanted = Wanted {
            answer_to: AnswerTo::Device { mac: row.mac },
            resource: row.resource,
            scopes: row.scopes,
            dpop_jkt: None,
        };
        Ok(Some(self.ask(wanted, &client, visitor, now).await?))
    }

    async fn device_visitor(
        &self,
        request: &AuthorizeRequest<'_>,
        now: Timestamp,
    ) -> Result<Visitor, DevicePage> {
        let return_to = self.endpoint_path("device");
        let visit = Visit {
            cookies: &request.cookies,
            return_to: &return_to,
        };
        match self.doors.approve.visitor(&visit, now).await {
            Visitor::SignedOut { sign_in } => Err(DevicePage::SignIn(Redirect::to(sign_in))),
            visitor => Ok(visitor),
        }
    }

    fn enter(&self, is_retry: bool) -> DevicePage {
        DevicePage::Enter {
            action: self.endpoint_path("device"),
            is_retry,
        }
    }

    /// Tokens for a device whose person has answered.
    pub(crate) async fn redeem_device(
        &self,
        ask: &TokenAsk<'_>,
    ) -> Result<TokenAnswer, EndpointError> {
        let Some(code) = ask.parameters.one("device_code") else {
            return Err(malformed("device_code is missing"));
        };
        // A119: another kind of token is never looked up as a device code.
        if kind_of(code) != Some(TokenKind::Device) {
            return Err(not_good());
        }
        let mac = self.token_mac(&Secret::new(code));
        let poll = Poll {
            mac: &mac,
            client_id: &ask.client.id,
            now: ask.now,
        };
        let row = match self.doors.store.poll_device(&poll).await? {
            Ok(row) => row,
            Err(PollRefused::TooFast) => {
                return Err(EndpointError::new(
                    ErrorCode::SlowDown,
                    "ask five seconds less often",
                ));
            }
            Err(PollRefused::Unknown) => return Err(not_good()),
        };
        if row.expires_at <= ask.now {
            return Err(EndpointError::new(
                ErrorCode::ExpiredToken,
                "nobody answered in time; begin again",
            ));
        }
        match &row.decision {
            None => Err(EndpointError::new(
                ErrorCode::AuthorizationPending,
                "the person has not answered yet",
            )),
            Some(DeviceDecision::Denied) => Err(EndpointError::new(
                ErrorCode::AccessDenied,
                "the person said no",
            )),
            Some(DeviceDecision::Approved { user, scopes }) => {
                let granted = Granted {
                    grant: row.grant.clone(),
                    user: user.clone(),
                    resource: row.resource.clone(),
                    scopes: scopes.clone(),
                };
                let begun = self.draw_up_grant(granted, ask)?;
                let store = &self.doors.store;
                if !store
                    .redeem_device(&mac, begun.family, begun.access)
                    .await?
                {
                    return Err(not_good());
                }
                self.observe(IssuerEvent::DeviceRedeemed);
                Ok(begun.answer)
            }
        }
    }

    /// Eight letters without vowels, so that no word comes of it (RFC 8628 §6.1).
    fn user_code(&self) -> Secret {
        // What does not divide evenly would make some letters more likely.
        let fair = |byte: &u8| usize::from(*byte) < 256 / LETTERS.len() * LETTERS.len();
        let mut code = String::with_capacity(CODE_LETTERS + 1);
        while code.len() <= CODE_LETTERS {
            for byte in self
                .doors
                .entropy
                .key_bytes()
                .iter()
                .filter(|byte| fair(byte))
            {
                if code.len() == CODE_LETTERS / 2 {
                    code.push('-');
                }
                if code.len() <= CODE_LETTERS {
                    code.push(char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
                }
            }
        }
        Secret::new(code)
    }

    /// However it is typed.
    fn user_code_mac(&self, typed: &str) -> TokenMac {
        let letters: String = typed
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_uppercase())
            .take(16)
            .collect();
        self.mac("user_code", &[&letters])
    }
}

fn not_good() -> EndpointError {
    EndpointError::new(
        ErrorCode::InvalidGrant,
        "the device code is unknown, used, or another client's",
    )
}

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const CODE_LETTERS: usize = 8;
const INTERVAL_S: u32 = 5;
/// Two equal user codes in a row are a sign of something else.
const ATTEMPTS: usize = 3;
