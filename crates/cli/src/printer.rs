//! The one place that writes to the terminal: data on stdout, talk on stderr.

use core::fmt;
use core::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use crate::clean::{clean, clean_line, escape_json};
use crate::error::CommandError;

/// A line of ours, or several: every piece in it has been made harmless.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text(String);

/// Writes for a person, or one JSON object per line for a program.
pub(crate) struct Printer {
    is_json: bool,
    out: Mutex<Sink>,
    err: Mutex<Sink>,
}

struct Sink {
    stream: Box<dyn Write + Send>,
    /// The first thing that went wrong; nothing is written after it.
    failed: Option<io::Error>,
}

// === impl Text ===

impl Text {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A line without style.
    pub(crate) fn line(text: impl AsRef<str>) -> Self {
        Self::new().plain(text)
    }

    /// Appends a piece without style.
    pub(crate) fn plain(self, text: impl AsRef<str>) -> Self {
        self.styled(Style::new(), text.as_ref())
    }

    /// Appends a piece that matters.
    pub(crate) fn bold(self, text: impl AsRef<str>) -> Self {
        self.styled(Style::new().bold(), text.as_ref())
    }

    /// Appends a piece that matters less.
    pub(crate) fn dim(self, text: impl AsRef<str>) -> Self {
        self.styled(Style::new().dimmed(), text.as_ref())
    }

    /// Appends a piece that is well. Colour never says anything that the words don't.
    pub(crate) fn good(self, text: impl AsRef<str>) -> Self {
        self.styled(AnsiColor::Green.on_default(), text.as_ref())
    }

    /// Appends a piece that wants a look.
    pub(crate) fn warn(self, text: impl AsRef<str>) -> Self {
        self.styled(AnsiColor::Yellow.on_default(), text.as_ref())
    }

    /// Appends a piece that is wrong.
    pub(crate) fn bad(self, text: impl AsRef<str>) -> Self {
        self.styled(AnsiColor::Red.on_default().bold(), text.as_ref())
    }

    /// Appends another text.
    #[cfg(feature = "demo")]
    pub(crate) fn then(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }

    /// Appends text of several lines as it is, but harmless.
    pub(crate) fn block(mut self, text: impl AsRef<str>) -> Self {
        self.0.push_str(&clean(text.as_ref()));
        self
    }

    fn styled(mut self, style: Style, text: &str) -> Self {
        // Writing to a string cannot fail.
        if write!(self.0, "{style}{}{style:#}", clean_line(text)).is_err() {
            self.0.clear();
        }
        self
    }
}

// === impl Printer ===

impl Printer {
    /// Writes to this process's streams, with colour where they want it: a terminal, unless
    /// `NO_COLOR`, `CLICOLOR` or `TERM` say otherwise.
    pub(crate) fn of_process() -> Self {
        Self::new(
            AutoStream::auto(io::stdout()),
            AutoStream::auto(io::stderr()),
        )
    }

    pub(crate) fn new(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        let sink = |stream: Box<dyn Write + Send>| {
            Mutex::new(Sink {
                stream,
                failed: None,
            })
        };
        Self {
            is_json: false,
            out: sink(Box::new(out)),
            err: sink(Box::new(err)),
        }
    }

    /// The same streams, for a program.
    pub(crate) fn with_json(self, is_json: bool) -> Self {
        Self { is_json, ..self }
    }

    /// Whether a program reads stdout.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Data for a person.
    pub(crate) fn out(&self, text: &Text) {
        lock(&self.out).write_line(&text.0);
    }

    /// Data for a program.
    pub(crate) fn json(&self, value: &impl Serialize) {
        let mut out = lock(&self.out);
        match serde_json::to_string(value) {
            Ok(line) => out.write_line(&escape_json(&line)),
            Err(error) => out.failed = Some(error.into()),
        }
    }

    /// Data for a program, printed as JSON already.
    pub(crate) fn json_line(&self, line: &str) {
        lock(&self.out).write_line(&escape_json(line));
    }

    /// Talk: never data.
    pub(crate) fn talk(&self, text: &Text) {
        lock(&self.err).write_line(&text.0);
    }

    /// A question; the answer follows on the same line.
    pub(crate) fn ask(&self, question: &Text) {
        lock(&self.err).write(&question.0);
    }

    /// Why it was not done.
    pub(crate) fn error(&self, error: &CommandError) {
        if self.is_json {
            let mut line = json!({
                "error": error.code,
                "server": error.server,
                "message": error.message,
                "hint": error.hint,
            });
            let asked = error.asked.iter().map(
                |one| json!({ "message": one.message, "url": one.url.as_ref().map(Url::as_str) }),
            );
            let asked: Vec<Value> = asked.collect();
            if let (false, Some(members)) = (asked.is_empty(), line.as_object_mut()) {
                members.insert("elicitations".to_owned(), asked.into());
            }
            self.json(&line);
        }
        self.talk_error(error);
    }

    /// The same, to the person only.
    pub(crate) fn talk_error(&self, error: &CommandError) {
        let mut lines = error.message.lines();
        let first = lines.next().unwrap_or_default();
        self.talk(&Text::new().bad("error:").plain(" ").plain(first));
        lines.for_each(|line| self.talk(&Text::line(line)));
        for asked in &error.asked {
            asked.lines().iter().for_each(|line| self.talk(line));
        }
        for cause in &error.causes {
            self.talk(&Text::new().dim("  because: ").plain(cause));
        }
        if let Some(hint) = &error.hint {
            self.hint(hint);
        }
    }

    /// What to do.
    pub(crate) fn hint(&self, hint: &str) {
        self.talk(&Text::new().bold("hint:").plain(" ").plain(hint));
    }

    /// Flushes. A reader that went away early, as `head` does, is no failure.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let mut out = lock(&self.out);
        let flushed = out.stream.flush();
        match out.failed.take().map_or(flushed, Err) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printer")
            .field("is_json", &self.is_json)
            .finish_non_exhaustive()
    }
}

// === impl Sink ===

impl Sink {
    fn write_line(&mut self, text: &str) {
        self.write(text);
        self.write("\n");
    }

    fn write(&mut self, text: &str) {
        if self.failed.is_none() {
            // Flushed at once: a person or a driver waits for this very line.
            let written = self
                .stream
                .write_all(text.as_bytes())
                .and_then(|()| self.stream.flush());
            self.failed = written.err();
        }
    }
}

fn lock(sink: &Mutex<Sink>) -> MutexGuard<'_, Sink> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that fails from the start.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn finish(kind: io::ErrorKind) -> io::Result<()> {
        let printer = Printer::new(Broken(kind), io::sink());
        printer.out(&Text::line("data"));
        printer.json(&json!({}));
        printer.finish()
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
        finish(io::ErrorKind::BrokenPipe).unwrap();
        assert_eq!(
            finish(io::ErrorKind::StorageFull).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }

    #[test]
    fn styles_surround_clean_pieces_only() {
        let text = Text::new().bad("a\u{1b}[2J\nb").plain("c");
        assert_eq!(text.0, "\u{1b}[1m\u{1b}[31ma b\u{1b}[0mc");
    }
}
