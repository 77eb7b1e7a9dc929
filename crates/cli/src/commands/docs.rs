//! `claviger docs`: the reference of the command line as Markdown.

use crate::docs;
use crate::exit::Exit;
use crate::printer::{Printer, Text};

/// Prints what `docs/cli.md` holds.
pub(crate) fn run(printer: &Printer) -> Exit {
    printer.out(&Text::new().block(docs::markdown().trim_end()));
    Exit::DONE
}
