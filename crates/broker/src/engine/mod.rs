//! The engine's errands, run through this installation's doors, with their events told as steps.

use claviger_client::{Event, EventOutcome, Machine, Need, Step as EngineStep};
use claviger_ports::Reach;

use crate::broker::Inner;
use crate::step::{Step, StepKind, StepSink};

pub use look::{Found, Look, LookError};
pub(crate) use prepare::{Prepared, SoFar};
pub(crate) use probe::Probed;
pub(crate) use registrations::registration_context;
pub(crate) use renew::Refreshed;

mod look;
mod manage;
mod obtain;
mod prepare;
mod probe;
mod registrations;
mod renew;

impl Inner {
    /// Runs an errand to its end; every event is told when it happened.
    pub(crate) async fn run<T: Clone>(
        &self,
        machine: &mut Machine<T>,
        reach: &Reach,
        steps: StepSink<'_>,
    ) -> T {
        self.run_until(machine, reach, steps, None).await
    }

    /// The same; after `send_by_ms`, by the monotonic clock, nothing more is sent.
    pub(crate) async fn run_until<T: Clone>(
        &self,
        machine: &mut Machine<T>,
        reach: &Reach,
        steps: StepSink<'_>,
        send_by_ms: Option<u64>,
    ) -> T {
        let clock = &self.parts.clock;
        let mut took_ms = None;
        loop {
            let step = machine.step(clock.now());
            for event in machine.drain_events() {
                log(&event);
                steps(step_of(event, took_ms.take()));
            }
            match step {
                EngineStep::Done(end) => return end,
                EngineStep::Need(Need::Http(_))
                    if send_by_ms.is_some_and(|by| clock.monotonic_ms() > by) =>
                {
                    // Surely unsent, and no fault of the issuer.
                    machine.answer(Err(claviger_ports::FetchError::Blocked {
                        reason: "the time to send it in had passed",
                    }));
                }
                EngineStep::Need(Need::Http(request)) => {
                    let sent = clock.monotonic_ms();
                    let answer = self.parts.fetch.fetch(request, reach).await;
                    took_ms = Some(clock.monotonic_ms().saturating_sub(sent));
                    machine.answer(answer);
                }
                // A need of a later engine: nobody here can meet it, so it has no answer.
                EngineStep::Need(_) => {
                    machine.answer(Err(claviger_ports::FetchError::Broken));
                }
            }
        }
    }
}

fn log(event: &Event) {
    tracing::debug!(
        stage = %event.stage,
        place = event.place.as_deref().unwrap_or(""),
        status = event.status,
        outcome = %event.outcome,
        rule = %event.rule,
        "{}",
        event.note
    );
}

fn step_of(event: Event, took_ms: Option<u64>) -> Step {
    let kind = match event.outcome {
        EventOutcome::Absent => StepKind::Nothing,
        EventOutcome::Ok | EventOutcome::Noted if event.deviations.is_empty() => StepKind::Ok,
        _ => StepKind::Warned,
    };
    let status = event.status.map(|status| format!("HTTP {status}"));
    let outcome = match (status, event.note) {
        (Some(status), note) if note.is_empty() => status,
        (Some(status), note) => format!("{status}: {note}"),
        (None, note) if note.is_empty() => event.outcome.to_string(),
        (None, note) => note,
    };
    Step {
        stage: event.stage.to_string(),
        kind,
        what: event.place.unwrap_or_default(),
        outcome,
        rule: (!event.rule.is_empty()).then(|| event.rule.into_owned()),
        hint: None,
        deviations: event.deviations.iter().map(ToString::to_string).collect(),
        took_ms,
    }
}
