//! `claviger login`: one sign-in, from the address to its one end.

use core::time::Duration;

use claviger_admin_api::{Line, Request, SignInEnded, SignInStarted, StepStatus, StepView};
use claviger_config::Surroundings;
use claviger_ports::Clock as _;
use claviger_ports::system::SystemClock;
use claviger_server::Gateway;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use crate::act::act;
use crate::args::LoginArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::person;
use crate::printer::Text;
use address::Address;

mod address;
#[cfg(test)]
mod tests;

/// Signs the user in.
pub(crate) async fn run(args: LoginArgs, ctx: &Context<'_>) -> Outcome {
    let slug = args.slug.as_str();
    let ended = ctx
        .with_gateway(async |gateway| Visit::new(&args, ctx, gateway).walk().await)
        .await
        .map_err(|error| {
            let hint = format!("`claviger doctor` with the URL of {slug} looks at it step by step");
            error.about(slug).or_hint(Some(hint))
        })?;
    if ctx.printer.is_json() {
        ctx.printer.json(&Line::SignInEnded(ended.clone()));
    }
    conclude(&ended, ctx)
}

/// One sign-in while it lasts.
struct Visit<'a> {
    args: &'a LoginArgs,
    ctx: &'a Context<'a>,
    gateway: &'a dyn Gateway,
    ended: Option<SignInEnded>,
    /// Whether the wait came to its end here, and not at the gateway.
    given_up: Option<GivenUp>,
    pasted: Option<mpsc::Receiver<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GivenUp {
    Interrupted,
    TimedOut,
}

impl<'a> Visit<'a> {
    fn new(args: &'a LoginArgs, ctx: &'a Context<'a>, gateway: &'a dyn Gateway) -> Self {
        Self {
            args,
            ctx,
            gateway,
            ended: None,
            given_up: None,
            pasted: None,
        }
    }

    /// Waits for the end, and meanwhile for whatever the person does here.
    async fn walk(mut self) -> Result<SignInEnded, CommandError> {
        let (sender, mut lines) = mpsc::unbounded_channel();
        let slug = self.args.slug.to_string();
        let request = Request::Login {
            slug: slug.clone(),
            force: self.args.force,
        };
        // The channel outlives the act, so that a line that cannot be sent was not waited for.
        let signing_in = act(self.gateway, request, move |line| drop(sender.send(line)));
        let mut signing_in = core::pin::pin!(signing_in);
        let mut asides: FuturesUnordered<BoxFuture<'_, Result<(), CommandError>>> =
            FuturesUnordered::new();
        let mut deadline = SystemClock.sleep(self.patience());
        let walked = loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => self.take(line).await,
                done = &mut signing_in => break done,
                Some(text) = next(&mut self.pasted) => {
                    let url = text.trim().to_owned();
                    if !url.is_empty() {
                        let request = Request::Callback { url };
                        asides.push(Box::pin(act(self.gateway, request, drop::<Line>)));
                    }
                }
                Some(done) = asides.next() => if let Err(error) = done {
                    self.ctx.printer.error(&error);
                },
                () = &mut deadline => match self.give_up(GivenUp::TimedOut) {
                    Some(cancelling) => {
                        asides.push(Box::pin(cancelling));
                        deadline = SystemClock.sleep(LAST_WORDS);
                    }
                    None => break Err(self.stuck()),
                },
                interrupted = tokio::signal::ctrl_c() => match self.give_up(GivenUp::Interrupted) {
                    Some(cancelling) if interrupted.is_ok() => asides.push(Box::pin(cancelling)),
                    _ => break Err(self.stuck()),
                },
            }
        };
        while let Ok(line) = lines.try_recv() {
            self.take(line).await;
        }
        walked?;
        self.end()
    }

    /// Cancels the sign-in, the first time; the gateway then says how it ended.
    fn give_up(
        &mut self,
        why: GivenUp,
    ) -> Option<impl Future<Output = Result<(), CommandError>> + use<'a>> {
        if self.given_up.is_some() {
            return None;
        }
        self.given_up = Some(why);
        let request = Request::CancelLogin {
            slug: self.args.slug.to_string(),
        };
        Some(act(self.gateway, request, drop::<Line>))
    }

    /// The gateway was told to stop and did not.
    fn stuck(&self) -> CommandError {
        let message = format!(
            "the sign-in to {} was left while it was open",
            self.args.slug
        );
        CommandError::new(Exit::UNREACHABLE, "no_answer", message)
            .with_hint("look at the log of `claviger serve`")
    }

    fn patience(&self) -> Duration {
        let configured = self.ctx.config.sign_in.timeout_s;
        // Without a flag the gateway's own limit comes first; this one is for a gateway that hangs.
        let slack = if self.args.timeout_s.is_some() { 0 } else { 15 };
        Duration::from_secs(u64::from(self.args.timeout_s.unwrap_or(configured) + slack))
    }

    async fn take(&mut self, line: Line) {
        match line {
            Line::SignInStarted(started) => self.begin(&started).await,
            Line::SignInEnded(ended) => self.ended = Some(ended),
            // A program waits for two lines: the address and the end.
            _ if self.ctx.printer.is_json() => {}
            // A person who signs in wants to hear of trouble only.
            Line::Step(StepView {
                status: StepStatus::Ok | StepStatus::Nothing,
                ..
            }) if !self.ctx.is_verbose => {}
            other => self.ctx.say(&other),
        }
    }

    /// Brings the person to the address, or the address to the person.
    async fn begin(&mut self, started: &SignInStarted) {
        let printer = self.ctx.printer;
        if printer.is_json() {
            printer.json(&Line::SignInStarted(started.clone()));
        }
        let Some(address) = Address::read(started, printer) else {
            return;
        };
        address.show(printer);
        let opens_here = !self.args.no_browser
            && match self.ctx.surroundings {
                Surroundings::Remote => {
                    let why = "You are on another machine over SSH, so no browser is opened here.";
                    printer.talk(&Text::line(why));
                    false
                }
                Surroundings::NoDisplay => {
                    printer.talk(&Text::line("There is no display, so no browser is opened."));
                    false
                }
                _ => true,
            };
        if opens_here && address.open(&self.ctx.open_url, printer).await {
            printer.talk(&Text::line(format!(
                "Waiting up to {} s for you.",
                started.timeout_s
            )));
            return;
        }
        address.print(printer);
        self.pasted = Some(person::lines(&self.ctx.person));
    }

    fn end(self) -> Result<SignInEnded, CommandError> {
        let outcome = match self.given_up {
            Some(GivenUp::TimedOut) => Some("timed_out"),
            Some(GivenUp::Interrupted) => Some("cancelled"),
            None => None,
        };
        let ended = self.ended.map(|ended| match outcome {
            Some(outcome) if ended.outcome != "success" => SignInEnded {
                outcome: outcome.to_owned(),
                message: None,
                hint: None,
                ..ended
            },
            _ => ended,
        });
        ended.ok_or_else(|| {
            let message = "the gateway ended the sign-in without saying how";
            CommandError::new(Exit::UNREACHABLE, "no_answer", message)
        })
    }
}

/// The next pasted line; never, once there are none.
async fn next(pasted: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    let Some(lines) = pasted else {
        return core::future::pending().await;
    };
    let line = lines.recv().await;
    if line.is_none() {
        *pasted = None;
    }
    line
}

/// Says how it ended, to a person and by the exit code.
fn conclude(ended: &SignInEnded, ctx: &Context<'_>) -> Outcome {
    let server = &ended.server;
    if ended.outcome == "success" {
        if !ctx.printer.is_json() {
            let line = Text::new().good("✓ signed in").plain(" to ").bold(server);
            let line = match &ended.message {
                Some(message) => line.plain(": ").plain(message),
                None => line,
            };
            ctx.printer.talk(&line);
            ctx.next(&format!("claviger tools {server}"));
        }
        return Ok(Exit::DONE);
    }
    let sentence = match ended.outcome.as_str() {
        "denied" => "was refused at the issuer",
        "cancelled" => "was cancelled",
        "timed_out" => "timed out before you were done",
        _ => "failed",
    };
    let mut message = format!("the sign-in to {server} {sentence}");
    if let Some(detail) = &ended.message {
        message = format!("{message}: {detail}");
    }
    let again = match ended.outcome.as_str() {
        "timed_out" => format!("`claviger login {server}` starts again; --timeout-s waits longer"),
        _ => format!("`claviger login {server}` tries again"),
    };
    let code = format!("sign_in_{}", ended.outcome);
    let failed = CommandError::new(Exit::REFUSED, &code, message)
        .with_hint(ended.hint.clone().unwrap_or(again))
        .about(server);
    if ctx.printer.is_json() {
        // The end was printed already; a second object would be a second end.
        ctx.printer.talk_error(&failed);
        return Ok(failed.exit);
    }
    Err(failed)
}

/// How long the gateway may take to say how a cancelled sign-in ended.
const LAST_WORDS: Duration = Duration::from_secs(10);
