//! The person at the terminal.

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

/// Somebody who may be asked.
pub(crate) trait Person: Send + Sync {
    /// Whether somebody sits there and sees what is asked.
    fn is_there(&self) -> bool;

    /// The next line; `None` when nothing more will come.
    fn read_line(&self) -> io::Result<Option<String>>;
}

/// Standard input and error of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal;

impl Person for Terminal {
    fn is_there(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn read_line(&self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line)?;
        Ok((read > 0).then_some(line))
    }
}

/// Lines as they are entered, read on a thread of their own: a read of standard input cannot be
/// cancelled, and the process does not wait for it.
pub(crate) fn lines(person: &Arc<dyn Person>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    let person = Arc::clone(person);
    let reading = move || {
        while let Ok(Some(line)) = person.read_line() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    // Without a thread there is no input; whoever waits for it sees its end.
    drop(
        thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(reading),
    );
    receiver
}
