//! The binary `claviger`.
//!
//! `args` holds the words, `commands` one file for each of them, `engine` the way to the gateway,
//! `printer` the only way to the terminal. Deliberately absent: anything that decides.

use std::process::ExitCode;

mod act;
mod app;
mod args;
mod browser;
mod clean;
mod commands;
mod context;
mod docs;
mod engine;
mod error;
mod exit;
mod harden;
mod instant;
mod mcp;
mod person;
mod printer;
mod secret_file;
mod show;
#[cfg(test)]
mod testing;

fn main() -> ExitCode {
    harden::harden();
    app::run()
}
