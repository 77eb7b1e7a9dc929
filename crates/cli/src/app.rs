//! From the words to the exit code.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use claviger_config::{Config, Flag, Sources, Surroundings};
use tokio::runtime::Builder;

use crate::args::{Cli, Command};
use crate::browser;
use crate::commands;
use crate::context::Context;
use crate::engine::{self, Installed};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::person::Terminal;
use crate::printer::{Printer, Text};

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let printer = Printer::of_process().with_json(cli.command.is_json());
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failed = CommandError::new(Exit::BUG, "runtime", "could not start the runtime");
            printer.error(&failed.caused_by(&error));
            return Exit::BUG.into();
        }
    };
    let exit = runtime.block_on(execute(cli, &printer));
    // Not dropped: a thread that waits for a line of standing input would never let go.
    runtime.shutdown_background();
    match printer.finish() {
        Ok(()) => exit.into(),
        Err(error) => {
            let failed = CommandError::new(Exit::BUG, "output", "could not write the output");
            printer.talk(
                &Text::new()
                    .bad("error:")
                    .plain(format!(" {failed}: {error}")),
            );
            failed.exit.into()
        }
    }
}

/// Words that make no sense, and `--help` and `--version`.
fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::USAGE.code())),
        Err(_) => Exit::BUG.into(),
    }
}

async fn execute(cli: Cli, printer: &Printer) -> Exit {
    if matches!(cli.command, Command::Docs) {
        return commands::docs::run(printer);
    }
    let sources = sources(&cli);
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(error) => return commands::config::refused(error, &cli.command, printer),
    };
    engine::start_logging(&config, &cli.command, cli.global.verbose);
    let context = Context {
        config,
        printer,
        is_verbose: cli.global.verbose > 0,
        engine: Box::new(Installed),
        person: Arc::new(Terminal),
        surroundings: Surroundings::read(&sources),
        open_url: Arc::new(browser::open),
    };
    perform(cli.command, &context).await
}

/// Runs a command and says why if it was not done.
pub(crate) async fn perform(command: Command, ctx: &Context<'_>) -> Exit {
    match commands::run(command, ctx).await {
        Ok(exit) => exit,
        Err(error) => {
            ctx.printer.error(&error);
            error.exit
        }
    }
}

/// The sources of the configuration, with the flags that stand for a setting.
fn sources(cli: &Cli) -> Sources {
    let mut sources = Sources::from_process();
    sources.data_dir.clone_from(&cli.global.data_dir);
    sources.config.clone_from(&cli.global.config);
    match &cli.command {
        Command::Serve(args) => {
            sources
                .flags
                .extend(args.listen.as_deref().map(Flag::listen));
        }
        Command::Login(args) => {
            // A shorter wait is only ours: the gateway may be another process.
            let seconds = args.timeout_s.filter(|seconds| *seconds >= 10);
            sources.flags.extend(seconds.map(Flag::sign_in_timeout_s));
        }
        _ => {}
    }
    sources
}
