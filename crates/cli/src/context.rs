//! What a command may use.

use core::fmt;
use std::sync::Arc;

use claviger_admin_api::Line;
use claviger_config::{Config, Surroundings};
use claviger_server::Gateway;
use url::Url;

use crate::browser::OpenError;
use crate::engine::Engine;
use crate::error::CommandError;
use crate::person::Person;
use crate::printer::{Printer, Text};
use crate::show;

/// Opens an address in the person's browser.
pub(crate) type OpenUrl = dyn Fn(&Url) -> Result<(), OpenError> + Send + Sync;

/// What a command may use: settings, the terminal, and a way to the gateway.
pub(crate) struct Context<'a> {
    pub(crate) config: Config,
    pub(crate) printer: &'a Printer,
    /// Whether the person wants to see more than they need.
    pub(crate) is_verbose: bool,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) person: Arc<dyn Person>,
    pub(crate) surroundings: Surroundings,
    pub(crate) open_url: Arc<OpenUrl>,
}

impl Context<'_> {
    /// Opens the gateway, works with it, and closes it whatever came of the work.
    pub(crate) async fn with_gateway<T>(
        &self,
        work: impl AsyncFnOnce(&dyn Gateway) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let gateway = self.engine.open(&self.config).await?;
        let done = work(&*gateway).await;
        gateway.close().await;
        done
    }

    /// Prints a line of an answer: to a program as it came, to a person in words. Steps are talk.
    pub(crate) fn say(&self, line: &Line) {
        if self.printer.is_json() {
            self.printer.json(line);
            return;
        }
        match line {
            Line::Step(step) => show::step(step)
                .iter()
                .for_each(|text| self.printer.talk(text)),
            Line::Server(view) => show::server(view)
                .iter()
                .for_each(|text| self.printer.out(text)),
            Line::Connection(view) => {
                show::connections(self.printer, core::slice::from_ref(view));
            }
            // The rest belongs to one command each, which prints it itself.
            _ => {}
        }
    }

    /// Says what to do next.
    pub(crate) fn next(&self, command: &str) {
        self.printer
            .talk(&Text::new().bold("next:").plain(" ").plain(command));
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("printer", self.printer)
            .finish_non_exhaustive()
    }
}
