//! What the gateway or a server says instead of a result, as a problem with an exit code.

use claviger_mcp::{Response, code};
use serde_json::Value;

use super::elicitation::Elicitation;
use crate::error::CommandError;
use crate::exit::Exit;

/// A link that a person has to open before the call can be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// `needs_sign_in`, `needs_scopes`, `never_connected`, …
    pub(crate) standing: Option<String>,
    /// Why, in a word.
    pub(crate) reason: Option<String>,
}

/// Whether a result is what was asked for: complete, and no tool error of the gateway's own.
pub(crate) fn is_final(result: &Value) -> bool {
    let is_complete = result
        .get("resultType")
        .is_none_or(|kind| kind == "complete");
    is_complete && result.pointer("/_meta/claviger").is_none()
}

/// The problem in an answer that is no result.
pub(crate) fn of(response: &Response, slug: &str) -> CommandError {
    let problem = match response {
        Response::Result(result) => {
            let kind = result.get("resultType").and_then(Value::as_str);
            match result.pointer("/_meta/claviger") {
                Some(ours) => needs(Some(Link::read(ours)), &text_of(result), slug),
                None if kind == Some("input_required") => asks(response, slug),
                // T-07: what is neither complete nor asks for input is nothing we know.
                None => {
                    let message = format!("{slug} answered with a result of an unknown type");
                    CommandError::new(Exit::UNREACHABLE, "bad_answer", message)
                }
            }
        }
        Response::Error {
            code,
            message,
            data,
        } => {
            let ours = data.as_ref().and_then(|data| data.get("claviger"));
            match (*code, ours) {
                (code::URL_ELICITATION_REQUIRED, None) => asks(response, slug),
                (code, ours) => from_error(code, message, ours, slug),
            }
        }
    };
    problem.about(slug)
}

fn from_error(code: i64, message: &str, ours: Option<&Value>, slug: &str) -> CommandError {
    let link = ours.map(Link::read);
    match code {
        code::NEEDS_SIGN_IN | code::URL_ELICITATION_REQUIRED => needs(link, message, slug),
        code::NEEDS_SCOPES => {
            let standing = Some(SCOPES.to_owned());
            needs(
                Some(Link {
                    standing,
                    ..link.unwrap_or_default()
                }),
                message,
                slug,
            )
        }
        code::UNREACHABLE => CommandError::new(Exit::UNREACHABLE, "unreachable", message)
            .with_hint(format!(
                "`claviger doctor` with the URL of {slug} looks at it step by step"
            )),
        code::BAD_ANSWER => CommandError::new(Exit::UNREACHABLE, "bad_answer", message),
        code::MISCONFIGURED => CommandError::new(Exit::CONFIGURATION, "misconfigured", message)
            .with_hint(format!("`claviger status {slug}` says what is wrong")),
        code::REFUSED => CommandError::new(Exit::REFUSED, "refused", message)
            .with_hint("`claviger server list` lists the servers"),
        _ => {
            let message = format!("{slug} answered with error {code}: {message}");
            CommandError::new(Exit::REFUSED, "server_error", message)
        }
    }
}

/// C-73: the server behind asks for something itself. Signing in to it again would not help, and
/// where its address leads is for the person to judge.
fn asks(response: &Response, slug: &str) -> CommandError {
    let asked = Elicitation::all(response);
    let (message, hint) = if asked.is_empty() {
        (
            format!("{slug} asks for input that this command cannot give"),
            "call the tool from a client that can ask you",
        )
    } else {
        (
            format!("{slug} asks you to open an address first"),
            "if you trust it, open the address in a browser and then call again",
        )
    };
    CommandError::new(Exit::REFUSED, "input_required", message)
        .with_hint(hint)
        .asking(asked)
}

/// A person has to do something first.
fn needs(link: Option<Link>, message: &str, slug: &str) -> CommandError {
    let link = link.unwrap_or_default();
    let (exit, code, sentence) = match link.standing.as_deref() {
        Some(SCOPES) => (Exit::REFUSED, SCOPES, "asks for more permissions"),
        Some("misconfigured") => (Exit::CONFIGURATION, "misconfigured", "has a wrong setting"),
        Some("unreachable") => (Exit::UNREACHABLE, "unreachable", "cannot be reached"),
        _ => (Exit::REFUSED, "needs_sign_in", "needs a sign-in"),
    };
    // The gateway's text is for a model and names a link; here the command does the same. A text
    // of somebody else's is all there is to show.
    let first = message.lines().find(|line| !line.trim().is_empty());
    let message = match (first, link.reason) {
        (_, Some(reason)) => format!("{slug} {sentence} ({reason})"),
        (Some(first), None) if link.standing.is_none() => first.to_owned(),
        _ => format!("{slug} {sentence}"),
    };
    let hint = match exit {
        Exit::REFUSED => format!("claviger login {slug}"),
        _ => format!("`claviger status {slug}` says what is wrong"),
    };
    CommandError::new(exit, code, message).with_hint(hint)
}

fn text_of(result: &Value) -> String {
    let content = result.get("content").and_then(Value::as_array);
    let mut texts = content
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("text")?.as_str());
    texts.next().unwrap_or_default().to_owned()
}

impl Link {
    fn read(ours: &Value) -> Self {
        let text = |key| ours.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            standing: text("standing"),
            reason: text("reason"),
        }
    }
}

const SCOPES: &str = "needs_scopes";
