//! `claviger serve`: says where things are, then serves until it is told to stop.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::args::ServeArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::engine::{self, Ready};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::printer::Text;

/// Serves. The first signal ends it in order, a second one at once.
pub(crate) async fn run(args: ServeArgs, ctx: &Context<'_>) -> Outcome {
    let ready_file = args.ready_file.as_deref();
    if let Some(path) = ready_file {
        // What an earlier run left behind must not look like this one.
        remove(path).map_err(|error| unwritable(path, &error))?;
    }
    let mut signals = Signals::listen()?;
    let stop = Notify::new();
    let mut failed = None;
    let on_ready = |ready: &Ready| {
        report(ready, ctx);
        if let Some(path) = ready_file
            && let Err(error) = announce(path, ready)
        {
            // Whoever waits for the file would wait for ever.
            failed = Some(unwritable(path, &error));
            stop.notify_one();
        }
    };
    let serving = engine::serve(ctx.config.clone(), stop.notified(), on_ready);
    let mut serving = Box::pin(serving);
    let mut signalled = 0_u8;
    let served = loop {
        tokio::select! {
            served = &mut serving => break served,
            () = signals.recv() => {
                signalled = signalled.saturating_add(1);
                if signalled > 1 {
                    ctx.printer.talk(&Text::line("stopped at once"));
                    break Ok(());
                }
                ctx.printer.talk(&Text::line("stopping; a second signal stops at once"));
                stop.notify_one();
            }
        }
    };
    drop(serving);
    if let Some(path) = ready_file
        && let Err(error) = remove(path)
    {
        ctx.printer.talk_error(&unwritable(path, &error));
    }
    match failed {
        Some(error) => Err(error),
        None => served.map(|()| Exit::DONE),
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens; from here on a signal no longer ends the process by itself.
    fn listen() -> Result<Self, CommandError> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                CommandError::new(Exit::BUG, "signals", "could not listen for signals")
                    .caused_by(&error)
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next one.
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Writes the ready file, whole or not at all: whoever waits for it reads it at once.
fn announce(path: &Path, ready: &Ready) -> io::Result<()> {
    let line = ready_line(ready);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", ready.pid));
    let draft = Path::new(&draft);
    remove(draft)?;
    // In a directory of everybody's, somebody else's link must not be followed.
    let mut file = fs::File::create_new(draft)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    drop(file);
    fs::rename(draft, path)
}

fn ready_line(ready: &Ready) -> Value {
    json!({
        "address": ready.address.to_string(),
        "url": ready.base_url,
        "admin_socket": ready.admin_socket,
        "pid": ready.pid,
        "data_dir": ready.data_dir,
        "token_file": ready.token_file,
        "held": ready.is_held,
    })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CommandError {
    let message = format!("could not write the ready file {}", path.display());
    CommandError::new(Exit::CONFIGURATION, "ready_file", message).caused_by(error)
}

/// Says where things are and what to do next; never the token itself.
fn report(ready: &Ready, ctx: &Context<'_>) {
    let printer = ctx.printer;
    if printer.is_json() {
        printer.json(&ready_line(ready));
        return;
    }
    let url = &ready.base_url;
    if ready.is_first_start {
        printer.talk(&Text::line(
            "First start: database, key and API token were made.",
        ));
    }
    printer.talk(&Text::new().good("✓ serving").plain(" on ").bold(url));
    for (name, path) in [
        ("data", ready.data_dir.display().to_string()),
        ("database", ready.database.clone()),
        ("key file", ready.key_file.display().to_string()),
        ("token file", ready.token_file.display().to_string()),
        ("admin socket", ready.admin_socket.display().to_string()),
    ] {
        printer.talk(&Text::new().dim(format!("  {name:<13} ")).plain(path));
    }
    if ready.is_held {
        let held =
            "HELD: a restored copy. It serves what is valid, and sends nothing to an issuer.";
        printer.talk(&Text::new().bad("! ").plain(held));
        ctx.next("claviger restore --confirm-live, once the original is gone for good");
    }
    if ready.is_first_start {
        let advice =
            "Back up the key file apart from the database: neither opens without the other.";
        printer.talk(&Text::line(advice));
    }
    if ready.servers == 0 {
        ctx.next("claviger server add NAME URL (in another terminal)");
    } else {
        let client = format!("point a client at {url}/NAME/mcp, with the token in the token file");
        ctx.next(&client);
    }
}

#[cfg(test)]
mod tests;
