//! Why a command was not done: one line, its causes, at most one hint.

use core::fmt;
use core::ops::Deref;
use std::error::Error;

use claviger_admin_api::Problem;
use claviger_config::ConfigError;
use claviger_server::GatewayError;

use crate::exit::Exit;
use crate::mcp::elicitation::Elicitation;

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandError(Box<Details>);

/// What is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// A stable word for scripts.
    pub(crate) code: String,
    /// One line, or a list of lines for a configuration.
    pub(crate) message: String,
    /// What led to it, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// The server it was about.
    pub(crate) server: Option<String>,
    /// What that server asks a person to open.
    pub(crate) asked: Vec<Elicitation>,
}

impl CommandError {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            exit,
            code: code.to_owned(),
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            server: None,
            asked: Vec::new(),
        }))
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn about(mut self, server: &str) -> Self {
        self.0.server = Some(server.to_owned());
        self
    }

    pub(crate) fn asking(mut self, asked: Vec<Elicitation>) -> Self {
        self.0.asked = asked;
        self
    }

    /// Says what to do, if nothing says so yet.
    pub(crate) fn or_hint(mut self, hint: Option<String>) -> Self {
        self.0.hint = self.0.hint.or(hint);
        self
    }

    /// Takes over what led to it. An error of ours never prints its own source.
    pub(crate) fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Those of others often repeat theirs.
            let is_said = self
                .0
                .causes
                .last()
                .is_some_and(|said| said.ends_with(&text));
            if !is_said {
                self.0.causes.push(text);
            }
            next = error.source();
        }
        self
    }
}

impl Deref for CommandError {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for CommandError {}

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> Self {
        Self::new(problem.kind.into(), &problem.code, problem.message).or_hint(problem.hint)
    }
}

impl From<GatewayError> for CommandError {
    fn from(error: GatewayError) -> Self {
        let hint = "look at the log of `claviger serve`, or stop it and try again";
        Self::new(Exit::UNREACHABLE, "no_answer", error.to_string())
            .caused_by(&error.source)
            .with_hint(hint)
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::CONFIGURATION, "configuration", error.to_string())
    }
}
