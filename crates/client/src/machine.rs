//! The step function: what an errand needs next, and how it is told.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use claviger_model::Timestamp;
use claviger_ports::{FetchError, FetchRequest, FetchResponse};

use crate::Event;

/// What an errand needs before it can go on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Need {
    /// Send this and give back the answer.
    Http(FetchRequest),
}

/// What a step came to.
#[derive(Debug, Clone)]
pub enum Step<T> {
    /// The errand is over.
    Done(T),
    /// It needs something.
    Need(Need),
}

/// An errand that runs in steps.
pub struct Machine<T> {
    io: Io,
    work: Work<T>,
}

enum Work<T> {
    Done(T),
    Running(Pin<Box<dyn Future<Output = T> + Send>>),
}

/// The errand's side of the table.
#[derive(Clone)]
pub(crate) struct Io(Arc<Mutex<Table>>);

struct Table {
    now: Timestamp,
    asked: Option<FetchRequest>,
    answered: Option<Result<FetchResponse, FetchError>>,
    events: Vec<Event>,
}

/// Waits until the other side has put an answer on the table.
struct Answered<'a>(&'a Io);

// === impl Machine ===

impl<T: Clone> Machine<T> {
    pub(crate) fn new<F>(errand: impl FnOnce(Io) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let io = Io(Arc::new(Mutex::new(Table {
            now: Timestamp::from_secs(0),
            asked: None,
            answered: None,
            events: Vec::new(),
        })));
        let work = Work::Running(Box::pin(errand(io.clone())));
        Self { io, work }
    }

    /// Goes on as far as possible. Repeats the same need until it is answered, and the same end
    /// ever after.
    pub fn step(&mut self, now: Timestamp) -> Step<T> {
        self.io.table().now = now;
        if let Work::Running(future) = &mut self.work {
            // The errand only ever waits for the table, so nobody has to wake it.
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(end) = future.as_mut().poll(&mut context) {
                self.work = Work::Done(end);
            }
        }
        match &self.work {
            Work::Done(end) => Step::Done(end.clone()),
            Work::Running(_) => Step::Need(self.io.outstanding()),
        }
    }

    /// Answers the last need.
    pub fn answer(&mut self, answer: Result<FetchResponse, FetchError>) {
        let mut table = self.io.table();
        if table.asked.take().is_some() {
            table.answered = Some(answer);
        }
    }

    /// What happened since this was last asked.
    pub fn drain_events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.io.table().events)
    }
}

impl<T> fmt::Debug for Machine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

// === impl Io ===

impl Io {
    /// The time of the current step.
    pub(crate) fn now(&self) -> Timestamp {
        self.table().now
    }

    /// Asks for one request to be sent.
    pub(crate) async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        self.table().asked = Some(request);
        Answered(self).await
    }

    /// Leaves an event.
    pub(crate) fn tell(&self, event: Event) {
        let mut table = self.table();
        let event = Event {
            at: table.now,
            ..event
        };
        table.events.push(event);
    }

    fn outstanding(&self) -> Need {
        let asked = self.table().asked.clone();
        // An errand waits only in `fetch`, which asks first.
        Need::Http(asked.unwrap_or_else(|| FetchRequest::get(claviger_ports::Sink::Probe, "")))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Answered ===

impl Future for Answered<'_> {
    type Output = Result<FetchResponse, FetchError>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0
            .table()
            .answered
            .take()
            .map_or(Poll::Pending, Poll::Ready)
    }
}

#[cfg(test)]
mod tests {
    use claviger_ports::Sink;

    use super::*;

    fn machine() -> Machine<Option<FetchError>> {
        Machine::new(|io| async move {
            let request = FetchRequest::get(Sink::Probe, "https://h.example");
            io.fetch(request).await.err()
        })
    }

    #[test]
    fn repeats_its_need_and_its_end() {
        let now = Timestamp::from_secs(1);
        let mut machine = machine();
        machine.answer(Err(FetchError::Broken)); // nobody asked yet
        for _ in 0..3 {
            let Step::Need(Need::Http(request)) = machine.step(now) else {
                panic!("a need");
            };
            assert_eq!(request.url, "https://h.example");
        }
        machine.answer(Err(FetchError::Timeout));
        for _ in 0..3 {
            assert!(matches!(
                machine.step(now),
                Step::Done(Some(FetchError::Timeout))
            ));
        }
    }
}
