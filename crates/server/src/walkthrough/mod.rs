//! `claviger demo`: everything end to end on loopback, told step by step.
//!
//! The protected server, its issuer and the gateway are the real ones; only the browser is played,
//! and the story says so.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use claviger_admin_api::{Line, Request, SignInEnded, StepView};
use claviger_config::{Config, ConfigError, Flag, Sources};
use claviger_ports::Clock;
use claviger_ports::system::SystemClock;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::demo::{DemoError, DemoSettings, ProtectedDemo, RunningDemo, play_browser};
use crate::serve::{Ready, ServeError, serve};
use crate::tasks::TrackedTasks;
use crate::{Gateway, OpenError};

pub use caller::CallerError;

use caller::Caller;

mod caller;
mod chapters;

/// How the demo runs.
#[derive(Debug, Clone)]
pub struct WalkthroughSettings {
    /// Open the real browser instead of playing it.
    pub real_browser: bool,
    /// Leave everything running at the end.
    pub keep: bool,
    /// Where the installation of the demo is made: an empty directory of its own.
    pub data_dir: PathBuf,
}

/// One thing the story says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Told {
    /// A chapter begins.
    Chapter {
        /// Counts from 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// What it is about.
        title: &'static str,
    },
    /// A value that is really in use; secrets are shortened before they get here.
    Fact {
        /// Its name.
        name: &'static str,
        /// It.
        value: String,
    },
    /// A step the engine took.
    Step(Box<StepView>),
    /// Something was done.
    Did {
        /// What.
        what: String,
        /// In how many milliseconds.
        took_ms: u64,
    },
    /// A sentence.
    Note(String),
    /// The person has to open this now (only with a real browser).
    Open(String),
    /// It is over.
    End {
        /// In how many milliseconds.
        took_ms: u64,
    },
    /// Everything stays up; how to point a client at it.
    Kept(Box<Kept>),
}

/// What is left running.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The address for MCP clients.
    pub mcp_url: String,
    /// The gateway's own address.
    pub gateway: String,
    /// The protected server behind it.
    pub server_url: String,
    /// The file that holds the API token.
    pub token_file: PathBuf,
    /// The data directory, for `--data-dir`.
    pub data_dir: PathBuf,
}

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkthroughError {
    /// The protected server.
    #[error("the protected demo server failed")]
    Demo {
        /// The cause.
        #[source]
        source: DemoError,
    },
    /// The configuration of the demo's gateway.
    #[error("the demo's configuration was refused")]
    Config {
        /// The cause.
        #[source]
        source: ConfigError,
    },
    /// The gateway.
    #[error("the gateway failed")]
    Serve {
        /// The cause.
        #[source]
        source: ServeError,
    },
    /// The installation.
    #[error("the demo's installation did not open")]
    Open {
        /// The cause.
        #[source]
        source: OpenError,
    },
    /// The gateway stopped before it served.
    #[error("the gateway stopped before it served")]
    NotReady,
    /// An act was refused.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
    },
    /// The caller in front of the gateway.
    #[error("the call through the gateway failed")]
    Call {
        /// The cause.
        #[source]
        source: CallerError,
    },
    /// Something did not come out as it should.
    #[error("{what}")]
    Unexpected {
        /// What.
        what: String,
    },
}

/// Where the story goes.
pub type Teller<'a> = &'a mut (dyn FnMut(Told) + Send);

/// Life of the demo's access tokens, in seconds: short, so that a refresh can be watched.
const ACCESS_TTL_S: u32 = 3;

/// Everything the chapters share.
struct Stage<'a> {
    settings: WalkthroughSettings,
    clock: SystemClock,
    tell: Teller<'a>,
    upstream: RunningDemo,
    ready: Ready,
    gateway: Box<dyn Gateway>,
    caller: Caller,
    chapter: usize,
}

/// Tells the whole story. With `keep` it ends when `stop` resolves.
pub async fn walk(
    settings: WalkthroughSettings,
    stop: impl Future<Output = ()> + Send,
    tell: Teller<'_>,
) -> Result<(), WalkthroughError> {
    let clock = SystemClock;
    let began = clock.monotonic_ms();
    let config = config(&settings)?;
    let tasks = Arc::new(TrackedTasks::default());
    let upstream = ProtectedDemo::start(
        DemoSettings {
            access_ttl_s: ACCESS_TTL_S,
            ..DemoSettings::default()
        },
        Arc::clone(&tasks) as _,
    )
    .await
    .map_err(|source| WalkthroughError::Demo { source })?;

    let closing = CancellationToken::new();
    let (send, receive) = oneshot::channel();
    let served = config.clone();
    let serving = serve(served, closing.clone().cancelled_owned(), move |ready| {
        drop(send.send(ready.clone()));
    });
    let telling = async {
        let _close = closing.drop_guard();
        let ready = receive.await.map_err(|_gone| WalkthroughError::NotReady)?;
        let gateway = crate::open(&config)
            .await
            .map_err(|source| WalkthroughError::Open { source })?;
        let caller = Caller::new(&ready).map_err(|source| WalkthroughError::Call { source })?;
        let mut stage = Stage {
            settings,
            clock,
            tell,
            upstream,
            ready,
            gateway,
            caller,
            chapter: 0,
        };
        stage.play().await?;
        stage.tell(Told::End {
            took_ms: clock.monotonic_ms().saturating_sub(began),
        });
        if stage.settings.keep {
            stage.tell(Told::Kept(Box::new(stage.kept())));
            stop.await;
        }
        stage.upstream.stop();
        Ok(())
    };
    // Whichever ends first counts; the gateway ends by itself only if it fails.
    let (served, told) = futures_util::future::join(serving, telling).await;
    tasks.drain(Duration::from_secs(5)).await;
    told?;
    served.map_err(|source| WalkthroughError::Serve { source })
}

// === impl Stage ===

impl Stage<'_> {
    fn tell(&mut self, told: Told) {
        (self.tell)(told);
    }

    fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        self.tell(Told::Fact {
            name,
            value: value.into(),
        });
    }

    fn kept(&self) -> Kept {
        Kept {
            mcp_url: format!("{}/{}/mcp", self.ready.base_url, chapters::SLUG),
            gateway: self.ready.base_url.clone(),
            server_url: self.upstream.url().to_owned(),
            token_file: self.ready.token_file.clone(),
            data_dir: self.ready.data_dir.clone(),
        }
    }

    /// Does one administrative act as the command line would, over the admin socket.
    async fn act(&mut self, request: Request) -> Result<Vec<Line>, WalkthroughError> {
        let mut lines = Vec::new();
        let tell = &mut self.tell;
        let mut sink = |line| match line {
            Line::Step(step) => tell(Told::Step(Box::new(step))),
            line => lines.push(line),
        };
        let asked = self.gateway.act(request, &mut sink).await;
        asked.map_err(|error| WalkthroughError::Refused {
            message: error.to_string(),
        })?;
        match lines.pop() {
            Some(Line::Done) => Ok(lines),
            Some(Line::Problem(problem)) => Err(WalkthroughError::Refused {
                message: problem.message,
            }),
            _ => Err(WalkthroughError::Unexpected {
                what: "an act came to no end".to_owned(),
            }),
        }
    }

    /// Signs in: the person's part is played, or left to a real browser.
    async fn sign_in(&mut self) -> Result<SignInEnded, WalkthroughError> {
        let (send, receive) = oneshot::channel();
        let (mut send, mut steps) = (Some(send), Vec::new());
        let mut ended = None;
        let mut sink = |line| match line {
            Line::SignInStarted(started) => {
                if let Some(send) = send.take() {
                    drop(send.send(started.authorization_url));
                }
            }
            Line::SignInEnded(end) => ended = Some(Ok(end)),
            Line::Problem(problem) => ended = Some(Err(problem.message)),
            Line::Step(step) => steps.push(step),
            _ => {}
        };
        let request = Request::Login {
            slug: chapters::SLUG.to_owned(),
            force: false,
        };
        let waiting = self.gateway.act(request, &mut sink);
        let person = play_person(
            receive,
            self.settings.real_browser,
            self.clock,
            &mut *self.tell,
        );
        let (asked, played) = futures_util::future::join(waiting, person).await;
        played?;
        asked.map_err(|error| WalkthroughError::Refused {
            message: error.to_string(),
        })?;
        for step in steps {
            self.tell(Told::Step(Box::new(step)));
        }
        match ended {
            Some(Ok(ended)) => Ok(ended),
            Some(Err(message)) => Err(WalkthroughError::Refused { message }),
            None => Err(WalkthroughError::Unexpected {
                what: "the sign-in came to no end".to_owned(),
            }),
        }
    }
}

/// The person's part: a real browser, or the played one.
async fn play_person(
    url: oneshot::Receiver<String>,
    real_browser: bool,
    clock: SystemClock,
    tell: Teller<'_>,
) -> Result<(), WalkthroughError> {
    let Ok(url) = url.await else {
        // No sign-in began; the act itself says why.
        return Ok(());
    };
    if real_browser {
        tell(Told::Open(url));
        return Ok(());
    }
    tell(Told::Fact {
        name: "authorization request",
        value: chapters::shorten_query(&url),
    });
    let began = clock.monotonic_ms();
    let played = play_browser(&url)
        .await
        .map_err(|source| WalkthroughError::Demo { source })?;
    let took_ms = clock.monotonic_ms().saturating_sub(began);
    let what = format!(
        "the demo played the browser: opened the page, pressed Approve, came back to “{}”",
        played.title
    );
    tell(Told::Did { what, took_ms });
    Ok(())
}

fn config(settings: &WalkthroughSettings) -> Result<Config, WalkthroughError> {
    // Nothing of the machine's own configuration takes part: the demo is the same everywhere.
    let listen = Flag {
        key: "server.listen",
        flag: "--listen",
        value: "127.0.0.1:0".into(),
    };
    let sources = Sources {
        data_dir: Some(settings.data_dir.clone()),
        flags: vec![listen],
        ..Sources::default()
    };
    Config::load(&sources).map_err(|source| WalkthroughError::Config { source })
}
