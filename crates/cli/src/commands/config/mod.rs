//! `claviger config`, and what every command says about a configuration that is refused.

use claviger_config::ConfigError;

use crate::args::{Command, ConfigCommand};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) mod check;
pub(crate) mod show;

/// A configuration that is refused: everything that is wrong with it, at once (A228).
pub(crate) fn refused(error: ConfigError, command: &Command, printer: &Printer) -> Exit {
    if printer.is_json() && matches!(command, Command::Config(ConfigCommand::Check(_))) {
        error
            .problems
            .iter()
            .for_each(|problem| printer.json(problem));
        return Exit::CONFIGURATION;
    }
    let mut failed = CommandError::from(error);
    if !matches!(command, Command::Config(_)) {
        failed = failed.with_hint("`claviger config check` checks it without doing anything");
    }
    printer.error(&failed);
    failed.exit
}
