//! The address a person goes to.

use std::sync::Arc;

use claviger_admin_api::SignInStarted;
use url::{Host, Url};

use crate::browser;
use crate::context::OpenUrl;
use crate::printer::{Printer, Text};

/// An address that may be shown and opened.
pub(super) struct Address {
    server: String,
    url: Url,
}

impl Address {
    /// Reads it. A016: what is neither http nor https is neither shown as a link nor opened.
    pub(super) fn read(started: &SignInStarted, printer: &Printer) -> Option<Self> {
        match browser::parse(&started.authorization_url) {
            Ok(url) => Some(Self {
                server: started.server.clone(),
                url,
            }),
            Err(error) => {
                printer.talk(
                    &Text::new()
                        .bad("error:")
                        .plain(format!(" sign-in: {error}")),
                );
                None
            }
        }
    }

    /// C-73: shows where it leads, its host above all, and warns of names that only look alike.
    pub(super) fn show(&self, printer: &Printer) {
        let host = self.url.host().map(|host: Host<&str>| host.to_string());
        let port = self.url.port().map(|port| format!(":{port}"));
        let host = host.unwrap_or_default() + &port.unwrap_or_default();
        let line = Text::line("You will sign in to ")
            .bold(&self.server)
            .plain(" at ")
            .bold(host);
        printer.talk(&line);
        if browser::is_punycode(&self.url) {
            let warning = " the host's name has letters that may only look like those you know; \
                           make sure that it is the one you expect";
            printer.talk(&Text::new().warn("! warning").plain(warning));
        }
        if self.url.scheme() == "http" && !self.is_loopback() {
            let warning = " the address is not encrypted; anybody on the way can read the sign-in";
            printer.talk(&Text::new().warn("! warning").plain(warning));
        }
    }

    /// Opens it. On a thread that may wait: a text browser runs until it is left.
    pub(super) async fn open(&self, open: &Arc<OpenUrl>, printer: &Printer) -> bool {
        printer.talk(&Text::line("Your browser opens: ").dim(self.url.as_str()));
        let (url, open) = (self.url.clone(), Arc::clone(open));
        match tokio::task::spawn_blocking(move || open(&url)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                printer.talk(&Text::new().warn("!").plain(format!(" {error}")));
                false
            }
            Err(_) => false,
        }
    }

    /// Prints it, and what to do with it.
    pub(super) fn print(&self, printer: &Printer) {
        printer.talk(&Text::line("Open this address in a browser:"));
        printer.talk(&Text::new());
        let line = Text::line("  ").bold(self.url.as_str());
        // A script may want it; a program has it already.
        if printer.is_json() {
            printer.talk(&line);
        } else {
            printer.out(&line);
        }
        printer.talk(&Text::new());
        printer.talk(&Text::line(
            "If the browser is on another machine, it ends at an address it cannot open: paste \
             that address here.",
        ));
    }

    fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }
}
