//! `claviger demo`: the whole of it end to end on loopback, told as it happens.

use std::sync::Arc;

use claviger_server::walkthrough::{Kept, Told, WalkthroughError, WalkthroughSettings, walk};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};
use url::Url;

use crate::args::DemoArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::printer::{Printer, Text};
use crate::show;

/// Runs the demo in a directory of its own, which is gone afterwards.
pub(crate) async fn run(args: &DemoArgs, ctx: &Context<'_>) -> Outcome {
    let directory = tempfile::Builder::new()
        .prefix("claviger-demo-")
        .tempdir()
        .map_err(|error| bug("no temporary directory could be made").caused_by(&error))?;
    let settings = WalkthroughSettings {
        real_browser: args.browser,
        keep: args.keep,
        data_dir: directory.path().join("data"),
    };
    let printer = ctx.printer;
    let mut opening = Vec::new();
    let mut tell = |told: Told| {
        if let Told::Open(url) = &told
            && let Ok(url) = Url::parse(url)
        {
            // On a thread that may wait: a text browser runs until it is left, and what it shows
            // is served here.
            let open = Arc::clone(&ctx.open_url);
            opening.push(spawn_blocking(move || open(&url)));
        }
        if printer.is_json() {
            printer.json(&to_json(&told));
        } else {
            print(&told, printer);
        }
    };
    let told = Box::pin(walk(settings, interrupted(), &mut tell)).await;
    for opened in opening.into_iter().filter(JoinHandle::is_finished) {
        if let Ok(Err(error)) = opened.await {
            let note = format!(" the browser was not opened: {error}");
            printer.talk(&Text::new().warn("note:").plain(note));
        }
    }
    told.map_err(|error| failed(&error))?;
    Ok(Exit::DONE)
}

/// Resolves when the person or the system wants an end.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn print(told: &Told, printer: &Printer) {
    match told {
        Told::Chapter { number, of, title } => {
            printer.out(&Text::line(""));
            printer.out(&Text::new().dim(format!("{number}/{of} ")).bold(*title));
        }
        Told::Fact { name, value } => {
            printer.out(&Text::new().dim(format!("  {name:<24} ")).plain(value));
        }
        Told::Step(step) => {
            for line in show::step(step) {
                printer.out(&Text::line("  ").then(&line));
            }
        }
        Told::Did { what, took_ms } => printer.out(
            &Text::new()
                .good("  ✓ ")
                .plain(what)
                .dim(format!(" ({took_ms} ms)")),
        ),
        Told::Note(note) => printer.out(&Text::new().plain("  ").dim(note)),
        Told::Open(url) => {
            printer.out(&Text::line(
                "  Your browser opens now; if it does not, open this:",
            ));
            printer.out(&Text::line(format!("  {url}")));
        }
        Told::End { took_ms } => {
            printer.out(&Text::line(""));
            let seconds = format!("{}.{} s", took_ms / 1_000, took_ms % 1_000 / 100);
            printer.out(&Text::new().good("Done").plain(format!(
                " in {seconds}: sign-in, two tools, one refresh, offline."
            )));
        }
        Told::Kept(kept) => keep(kept, printer),
        _ => {}
    }
}

fn keep(kept: &Kept, printer: &Printer) {
    let fact = |name: &str, value: &str| {
        printer.out(&Text::new().dim(format!("  {name:<24} ")).plain(value));
    };
    printer.out(&Text::line(""));
    printer.out(&Text::new().bold("Still running. Point any MCP client at"));
    fact("URL", &kept.mcp_url);
    fact(
        "header",
        &format!("Authorization: Bearer $(cat {})", kept.token_file.display()),
    );
    fact(
        "more commands",
        &format!("claviger --data-dir {} status", kept.data_dir.display()),
    );
    printer.out(&Text::line("  Ctrl-C ends it and removes everything."));
}

fn to_json(told: &Told) -> Value {
    match told {
        Told::Chapter { number, of, title } => {
            json!({"told": "chapter", "number": number, "of": of, "title": title})
        }
        Told::Fact { name, value } => json!({"told": "fact", "name": name, "value": value}),
        Told::Step(step) => json!({"told": "step", "step": step}),
        Told::Did { what, took_ms } => json!({"told": "did", "what": what, "took_ms": took_ms}),
        Told::Note(note) => json!({"told": "note", "note": note}),
        Told::Open(url) => json!({"told": "open", "url": url}),
        Told::End { took_ms } => json!({"told": "end", "took_ms": took_ms}),
        Told::Kept(kept) => json!({
            "told": "kept",
            "gateway": kept.gateway,
            "server_url": kept.mcp_url,
            "upstream_url": kept.server_url,
            "token_file": kept.token_file,
            "data_dir": kept.data_dir,
        }),
        _ => json!({"told": "unknown"}),
    }
}

fn failed(error: &WalkthroughError) -> CommandError {
    let failed = match core::error::Error::source(error) {
        Some(cause) => bug(&error.to_string()).caused_by(cause),
        None => bug(&error.to_string()),
    };
    failed.or_hint(Some(
        "run it again with -vv to see every request".to_owned(),
    ))
}

fn bug(message: &str) -> CommandError {
    CommandError::new(Exit::BUG, "demo_failed", message)
}
