//! What is known of a request once it was read.

use std::sync::Arc;

use claviger_guard::Caller;
use claviger_mcp::{Era, InputAction, Kind, Message, answer, code};
use claviger_model::{Server, Standing};
use claviger_ports::Body;
use http::{Method, Response, StatusCode};
use serde_json::json;
use serde_json::value::RawValue;

use crate::missing::INPUT_KEY;
use crate::reply::Problem;
use crate::{Place, SessionNote};

/// One request, read.
pub(super) struct Call<'a> {
    pub(super) caller: &'a Caller,
    pub(super) server: Arc<Server>,
    pub(super) method: &'a Method,
    pub(super) era: Era,
    pub(super) message: Option<&'a Message<'a>>,
    pub(super) version: Option<&'a str>,
    /// The session as the caller names it, and what that means.
    pub(super) session: Option<(&'a str, SessionNote)>,
}

// === impl Call ===

impl Call<'_> {
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            tenant: self.caller.tenant(),
            user: self.caller.user(),
            server: &self.server,
        }
    }

    pub(super) fn id(&self) -> Option<&RawValue> {
        self.message
            .and_then(Message::single)
            .and_then(|one| one.id)
    }

    pub(super) fn expects_answer(&self) -> bool {
        let envelopes = self.message.map_or(&[][..], Message::envelopes);
        envelopes.iter().any(|one| one.kind == Kind::Request)
    }

    /// G-13: only a call of the older era goes on without its caller. A stream by `GET` does not:
    /// what comes over it would be lost, and its caller comes back with `Last-Event-ID`.
    pub(super) fn survives(&self) -> bool {
        self.era == Era::Legacy && self.expects_answer()
    }

    /// Whether the answer is a stream that ends with its caller only.
    pub(super) fn is_endless(&self) -> bool {
        let single = self.message.and_then(Message::single);
        let method = single.and_then(|one| one.method.as_deref());
        *self.method == Method::GET || method == Some(LISTEN)
    }

    /// T-13: the event that ends a subscription when we end it, not the upstream.
    pub(super) fn farewell(&self) -> Option<String> {
        let single = self.message.and_then(Message::single)?;
        let id = single.id?;
        if self.era != Era::Modern || single.method.as_deref() != Some(LISTEN) {
            return None;
        }
        let subscription = json!({ "io.modelcontextprotocol/subscriptionId": id });
        let result = json!({ "resultType": "complete", "_meta": subscription });
        let message = answer::result(Some(id), &result);
        Some(format!("event: message\ndata: {message}\n\n"))
    }

    pub(super) fn elicits_url(&self) -> Option<bool> {
        let envelopes = self.message.map_or(&[][..], Message::envelopes);
        let said = envelopes.iter().find_map(|one| one.elicits_url);
        said.or_else(|| self.session.as_ref().and_then(|(_, note)| note.elicits_url))
    }

    /// What the person said to our own request for input, if this call answers it.
    pub(super) fn input_action(&self) -> Option<InputAction> {
        let single = self.message.and_then(Message::single);
        single
            .filter(|_| self.era == Era::Modern)
            .and_then(|one| one.input_action(INPUT_KEY))
    }

    pub(super) fn operation(&self) -> String {
        let envelopes = self.message.map_or(&[][..], Message::envelopes);
        let first = envelopes.iter().find(|one| one.kind == Kind::Request);
        match first.or_else(|| envelopes.first()) {
            Some(one) => one.operation(),
            None => self.method.to_string(),
        }
    }

    pub(super) fn stopped(&self, status: StatusCode, message: &str) -> Response<Body> {
        let (code, standing) = (code::UNREACHABLE, Standing::Unreachable);
        let server = self.server.slug.as_str();
        let message = format!("the server `{server}` cannot be reached: {message}");
        Problem::new(status, code, message)
            .with_data(json!({ "claviger": { "standing": standing.as_str(), "server": server } }))
            .answer(self.id())
    }
}

const LISTEN: &str = "subscriptions/listen";
