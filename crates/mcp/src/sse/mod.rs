//! Server-sent events, read as they arrive: any split of the bytes gives the same events.

#[cfg(test)]
mod tests;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its name; empty means `message`.
    pub event: String,
    /// Its data; lines are joined by line feeds.
    pub data: String,
    /// The last event id seen, this event's own included.
    pub id: Option<String>,
}

/// A line or an event exceeds the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {limit} bytes")]
pub struct SseTooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

/// Reads events from pieces of a stream, holding at most one event.
#[derive(Debug)]
pub struct SseParser {
    limit: usize,
    line: Vec<u8>,
    after_cr: bool,
    is_first_line: bool,
    event: String,
    data: Option<String>,
    id: Option<String>,
    retry_ms: Option<u64>,
}

impl SseParser {
    /// A parser that refuses events larger than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_cr: false,
            is_first_line: true,
            event: String::new(),
            data: None,
            id: None,
            retry_ms: None,
        }
    }

    /// Reads the next piece and appends the events that it completes.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseTooLarge> {
        let mut rest = bytes;
        while let Some((first, tail)) = rest.split_first() {
            // A line feed after a carriage return ends nothing: the line has ended.
            if core::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = tail;
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (part, ending) = rest.split_at(end.unwrap_or(rest.len()));
            self.line.extend_from_slice(part);
            let held = self.data.as_ref().map_or(0, String::len);
            if self.line.len().saturating_add(held) > self.limit {
                return Err(SseTooLarge { limit: self.limit });
            }
            let Some((ending, tail)) = ending.split_first() else {
                return Ok(());
            };
            self.after_cr = *ending == b'\r';
            self.end_line(events);
            rest = tail;
        }
        Ok(())
    }

    /// What the stream last said about how long to wait before coming back.
    pub const fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// The last event id seen.
    pub fn last_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) {
        let mut line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if core::mem::take(&mut self.is_first_line) && line.starts_with('\u{feff}') {
            line.remove(0);
        }
        if line.is_empty() {
            self.end_event(events);
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            _ => {}
        }
    }

    fn end_event(&mut self, events: &mut Vec<SseEvent>) {
        let event = core::mem::take(&mut self.event);
        if let Some(data) = self.data.take() {
            let id = self.id.clone();
            events.push(SseEvent { event, data, id });
        }
    }
}
