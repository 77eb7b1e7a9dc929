//! A gateway, a person and a terminal made of plain values.

use core::fmt;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use anstream::StripStream;
use async_trait::async_trait;
use clap::Parser;
use claviger_admin_api::{Line, Problem, ProblemKind, Request, ServerView};
use claviger_config::{Config, Sources, Surroundings};
use claviger_ports::{Body, full_body};
use claviger_server::{Gateway, GatewayError, McpRequest};
use http::Response;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::app;
use crate::args::Cli;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::CommandError;
use crate::person::Person;
use crate::printer::Printer;

/// What a fake gateway does for one act.
#[derive(Debug, Clone)]
pub(crate) enum Beat {
    /// Lets a waiting act go on.
    Nudge,
    /// Says a line.
    Say(Box<Line>),
    /// Waits for a nudge of another act.
    Wait,
}

type Acts = dyn Fn(&Request) -> Vec<Beat> + Send + Sync;
type Messages = dyn Fn(&McpRequest) -> Response<Body> + Send + Sync;

/// A gateway that plays its part and remembers what it was asked.
pub(crate) struct Fake {
    acts: Box<Acts>,
    messages: Box<Messages>,
    nudge: Notify,
    pub(crate) asked: Mutex<Vec<Value>>,
    pub(crate) sent: Mutex<Vec<Value>>,
}

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A terminal with somebody or nobody at it.
pub(crate) struct Bench {
    pub(crate) gateway: Arc<Fake>,
    pub(crate) lines: Vec<&'static str>,
    pub(crate) is_there: bool,
    pub(crate) surroundings: Surroundings,
    pub(crate) opened: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

struct Scripted {
    lines: Mutex<VecDeque<&'static str>>,
    is_there: bool,
}

struct Handle(Arc<Fake>);

// === impl Fake ===

impl Fake {
    pub(crate) fn acting(acts: impl Fn(&Request) -> Vec<Beat> + Send + Sync + 'static) -> Self {
        Self {
            acts: Box::new(acts),
            messages: Box::new(|_| panic!("no message was expected")),
            nudge: Notify::new(),
            asked: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// A gateway that answers every act with these lines.
    pub(crate) fn saying(lines: Vec<Line>) -> Self {
        Self::acting(move |_| lines.iter().cloned().map(say).collect())
    }

    /// A gateway that forwards messages to a server that answers like this.
    pub(crate) fn forwarding(
        messages: impl Fn(&McpRequest) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self {
            messages: Box::new(messages),
            ..Self::saying(Vec::new())
        }
    }
}

#[async_trait]
impl Gateway for Handle {
    async fn act(
        &self,
        request: Request,
        sink: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), GatewayError> {
        self.0
            .asked
            .lock()
            .unwrap()
            .push(serde_json::to_value(&request).unwrap());
        for beat in (self.0.acts)(&request) {
            match beat {
                Beat::Nudge => self.0.nudge.notify_one(),
                Beat::Say(line) => sink(*line),
                Beat::Wait => self.0.nudge.notified().await,
            }
        }
        Ok(())
    }

    async fn mcp(&self, request: McpRequest) -> Result<Response<Body>, GatewayError> {
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        self.0.sent.lock().unwrap().push(body);
        Ok((self.0.messages)(&request))
    }

    async fn close(&self) {
        self.0.asked.lock().unwrap().push(json!("close"));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

#[async_trait]
impl Engine for Handle {
    async fn open(&self, _config: &Config) -> Result<Box<dyn Gateway>, CommandError> {
        Ok(Box::new(Self(Arc::clone(&self.0))))
    }
}

// === impl Bench ===

impl Bench {
    pub(crate) fn new(gateway: Fake) -> Self {
        Self {
            gateway: Arc::new(gateway),
            lines: Vec::new(),
            is_there: false,
            surroundings: Surroundings::Desktop,
            opened: Arc::default(),
        }
    }

    /// Runs a command as the process would.
    pub(crate) async fn run(&self, words: &[&str]) -> Ended {
        let home = tempfile::tempdir().unwrap();
        let mut sources = Sources::default();
        sources
            .environment
            .insert("HOME".into(), home.path().into());
        let cli = Cli::try_parse_from(["claviger"].iter().chain(words)).unwrap();
        let (out, err) = (Shared::default(), Shared::default());
        let streams = (StripStream::new(boxed(&out)), StripStream::new(boxed(&err)));
        let printer = Printer::new(streams.0, streams.1).with_json(cli.command.is_json());
        let opened = Arc::clone(&self.opened);
        let context = Context {
            config: Config::load(&sources).unwrap(),
            printer: &printer,
            is_verbose: cli.global.verbose > 0,
            engine: Box::new(Handle(Arc::clone(&self.gateway))),
            person: Arc::new(Scripted {
                lines: Mutex::new(self.lines.iter().copied().collect()),
                is_there: self.is_there,
            }),
            surroundings: self.surroundings,
            open_url: Arc::new(move |url| {
                opened.lock().unwrap().push(url.to_string());
                Ok(())
            }),
        };
        let exit = app::perform(cli.command, &context).await;
        Ended {
            code: exit.code(),
            out: out.text(),
            err: err.text(),
        }
    }

    /// What the gateway was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.gateway.asked.lock().unwrap().clone()
    }
}

impl Person for Scripted {
    fn is_there(&self) -> bool {
        self.is_there
    }

    fn read_line(&self) -> io::Result<Option<String>> {
        Ok(self
            .lines
            .lock()
            .unwrap()
            .pop_front()
            .map(|line| format!("{line}\n")))
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn boxed(shared: &Shared) -> Box<dyn Write + Send> {
    Box::new(shared.clone())
}

// === values ===

/// A beat that says a line.
pub(crate) fn say(line: Line) -> Beat {
    Beat::Say(Box::new(line))
}

/// A problem of a kind.
pub(crate) fn problem(kind: ProblemKind, code: &str) -> Line {
    Line::Problem(Problem {
        kind,
        code: code.to_owned(),
        message: "it was wrong".to_owned(),
        hint: Some("do it right".to_owned()),
    })
}

/// A server that needs a sign-in.
pub(crate) fn server_view(slug: &str) -> ServerView {
    ServerView {
        slug: slug.to_owned(),
        id: "s1".to_owned(),
        display_name: slug.to_owned(),
        url: format!("https://{slug}.example/mcp"),
        auth: "oauth".to_owned(),
        grant: Some("authorization_code".to_owned()),
        issuer: Some("https://issuer.example".to_owned()),
        registration: vec!["document".to_owned(), "dynamic".to_owned()],
        scopes: vec!["read".to_owned()],
        sign_in: "yes".to_owned(),
        allow_private: false,
        enabled: true,
        has_client_secret: false,
        gateway_url: None,
        created_at: "2026-11-21T10:00:00Z".to_owned(),
    }
}

/// A JSON answer of a server.
pub(crate) fn json_answer(status: u16, body: &Value) -> Response<Body> {
    answer(status, "application/json", &body.to_string())
}

/// Any answer of a server.
pub(crate) fn answer(status: u16, content_type: &str, body: &str) -> Response<Body> {
    let builder = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type);
    builder.body(full_body(body.to_owned())).unwrap()
}
