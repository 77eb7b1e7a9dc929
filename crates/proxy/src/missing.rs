//! What a caller is told when a credential is missing: never our 401, always a way on.

use claviger_broker::Missing;
use claviger_mcp::{Envelope, Era, Kind, Message, answer, code, version};
use claviger_model::{Reason, Standing};
use claviger_ports::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::reply::{Problem, json as json_reply};

/// To whom it is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Audience<'a> {
    pub(crate) era: Era,
    /// What was asked; `None` for a request without a body.
    pub(crate) message: Option<&'a Message<'a>>,
    /// The version header.
    pub(crate) version: Option<&'a str>,
    /// What the client said about URLs in `initialize`, as far as it is known.
    pub(crate) elicits_url: Option<bool>,
    /// This call answers our request for input already: asking again would go on for ever.
    pub(crate) was_asked: bool,
}

/// One missing thing in our words.
struct Words {
    server: String,
    standing: Standing,
    reason: Option<Reason>,
    code: i64,
    text: String,
    link: Option<String>,
    retry_after_s: Option<u32>,
}

/// The answer, by era, by method and by what the client can show (G-07).
///
/// `elicitation_id` is opaque and fresh.
pub(crate) fn answer_missing(
    missing: &Missing,
    audience: &Audience<'_>,
    elicitation_id: &str,
) -> Response<Body> {
    let words = Words::of(missing);
    let requests = audience.message.map_or(&[][..], Message::envelopes);
    let mut requests = requests.iter().filter(|one| one.kind == Kind::Request);
    let is_batch = audience.message.is_some_and(|one| one.single().is_none());
    let Some(first) = requests.next() else {
        // Nothing waits for a JSON-RPC answer: a stream, an end of session, a notification.
        return words.problem(StatusCode::BAD_GATEWAY).answer(None);
    };
    if words.standing == Standing::Unreachable {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return words.problem(status).answer(first.id);
    }
    let mut answers = vec![words.answer(first, audience, elicitation_id)];
    if !is_batch {
        return json_reply(StatusCode::OK, answers.remove(0));
    }
    answers.extend(requests.map(|one| words.answer(one, audience, elicitation_id)));
    json_reply(StatusCode::OK, answer::batch(&answers))
}

impl Words {
    fn of(missing: &Missing) -> Self {
        let text = missing.to_string();
        match missing {
            Missing::Misconfigured { server, .. } => {
                Self::new(server, Standing::Misconfigured, code::MISCONFIGURED, text)
            }
            Missing::NeedsScopes { server, link, .. } => Self {
                link: link.clone(),
                ..Self::new(server, Standing::NeedsScopes, code::NEEDS_SCOPES, text)
            },
            Missing::NeedsSignIn {
                server,
                reason,
                link,
            } => Self {
                reason: *reason,
                link: Some(link.clone()),
                ..Self::new(server, Standing::NeedsSignIn, code::NEEDS_SIGN_IN, text)
            },
            Missing::Unreachable {
                server,
                retry_after_s,
            }
            | Missing::Unrecorded {
                server,
                retry_after_s,
            } => Self {
                retry_after_s: Some(*retry_after_s),
                ..Self::new(server, Standing::Unreachable, code::UNREACHABLE, text)
            },
            _ => Self::new("", Standing::Unreachable, code::UNREACHABLE, text),
        }
    }

    fn new(server: &str, standing: Standing, code: i64, text: String) -> Self {
        Self {
            server: server.to_owned(),
            standing,
            reason: None,
            code,
            text,
            link: None,
            retry_after_s: None,
        }
    }

    fn answer(&self, one: &Envelope<'_>, audience: &Audience<'_>, elicitation_id: &str) -> String {
        let declared = one.elicits_url.or(audience.elicits_url);
        if let Some(link) = &self.link {
            match audience.era {
                // T-14: only what the client declared may be asked for.
                Era::Modern
                    if Era::may_require_input(one)
                        && declared == Some(true)
                        && !audience.was_asked =>
                {
                    return answer::input_required(
                        one.id,
                        INPUT_KEY,
                        &self.text,
                        link,
                        &self.data(),
                    );
                }
                Era::Legacy if may_elicit(one, declared, audience.version) => {
                    let text = self.text_for(declared);
                    let ours = self.data();
                    return answer::url_elicitation_required(
                        one.id,
                        &text,
                        link,
                        elicitation_id,
                        &ours,
                    );
                }
                Era::Legacy | Era::Modern => {}
            }
        }
        let text = self.text_for(None);
        if one.method.as_deref() == Some("tools/call") {
            return answer::tool_error(one.id, &text, audience.era, &self.data());
        }
        answer::error(one.id, self.code, &text, Some(self.data()))
    }

    /// A client that shows URLs shows the link itself; to others the text has to say it.
    fn text_for(&self, declared: Option<bool>) -> String {
        match &self.link {
            Some(link) if declared != Some(true) => {
                format!("{}. Open {link} in a browser, then try again.", self.text)
            }
            _ => self.text.clone(),
        }
    }

    fn problem(&self, status: StatusCode) -> Problem {
        let mut problem =
            Problem::new(status, self.code, self.text_for(None)).with_data(self.data());
        if self.standing == Standing::Unreachable {
            problem.status = StatusCode::SERVICE_UNAVAILABLE;
        }
        problem.retry_after_s = self.retry_after_s;
        problem
    }

    fn data(&self) -> Value {
        json!({ "claviger": {
            "standing": self.standing.as_str(),
            "reason": self.reason.map(Reason::as_str),
            "url": self.link,
            "server": self.server,
        }})
    }
}

/// -32042 exists in 2025-11-25 alone, and a client that said what it can do is taken at its word.
fn may_elicit(one: &Envelope<'_>, declared: Option<bool>, version: Option<&str>) -> bool {
    let version = one.initialize_version.as_deref().or(version);
    match declared {
        Some(declared) => declared,
        None => version == Some(version::V2025_11_25),
    }
}

/// The key of our only input request.
pub(crate) const INPUT_KEY: &str = "claviger_sign_in";
