//! `keys`: what there is, new generations, another key file, and the proof that all opens.

use claviger_admin_api::{KeyProgress, KeyStep, KeySummary, KeyView, Line, ProblemKind};
use claviger_broker::{Broker, HoldError, Turn, TurnEvent, VaultError};
use claviger_model::TenantId;

use super::{Done, Refused, Sink, hold_problem, problem, store_problem};
use crate::app::App;

/// Lists every key.
pub(super) async fn list(app: &App, sink: Sink<'_>) -> Done {
    let first = app.broker.kek_ids().into_iter().next();
    let keys = app.broker.list_keys().await;
    for found in keys.map_err(|error| not_done(&error))? {
        let key = found.key;
        sink(Line::Key(KeyView {
            tenant: key.id.tenant.as_ref().map(TenantId::to_string),
            purpose: key.id.purpose,
            generation: key.id.generation,
            is_first_kek: first.as_ref() == Some(&key.kek_id),
            kek_id: key.kek_id,
            is_newest: key.is_newest,
            rows: found.rows,
            created_at: key.created_at.to_string(),
        }));
    }
    Ok(())
}

/// Turns the keys.
pub(super) async fn rotate(
    app: &App,
    broker: &Broker,
    kek: bool,
    turn: Turn,
    sink: Sink<'_>,
) -> Done {
    let mut teller = Teller::new(app, sink, turn.dry_run);
    let mut on = |event| teller.tell(event);
    let done = if kek {
        broker.rewrap_keys(turn.dry_run, &mut on).await
    } else {
        broker.turn_keys(&turn, &mut on).await
    };
    done.map_err(|error| not_done(&error))?;
    teller.end()
}

/// Opens the keys, and some or all of what is sealed.
pub(super) async fn verify(app: &App, all: bool, sink: Sink<'_>) -> Done {
    let mut teller = Teller::new(app, sink, false);
    let mut on = |event| teller.tell(event);
    let done = app.broker.verify_keys(all, &mut on).await;
    done.map_err(|error| not_done(&error))?;
    teller.end()
}

/// Turns events into lines, and counts them.
struct Teller<'a> {
    app: &'a App,
    sink: Sink<'a>,
    summary: KeySummary,
    began_ms: u64,
    before: u64,
}

// === impl Teller ===

impl<'a> Teller<'a> {
    fn new(app: &'a App, sink: Sink<'a>, dry_run: bool) -> Self {
        Self {
            app,
            sink,
            summary: KeySummary {
                dry_run,
                ..KeySummary::default()
            },
            began_ms: app.clock.monotonic_ms(),
            before: 0,
        }
    }

    fn tell(&mut self, event: TurnEvent) {
        let summary = &mut self.summary;
        let line = match event {
            TurnEvent::Broken { what, why } => {
                summary.broken += 1;
                step("broken", what, Some(why))
            }
            TurnEvent::Dropped(key) => {
                summary.dropped += 1;
                step("dropped", key.to_string(), None)
            }
            TurnEvent::Renewed(key) => {
                summary.renewed += 1;
                step("renewed", key.to_string(), None)
            }
            TurnEvent::Rewrapped(key) => {
                summary.rewrapped += 1;
                step("rewrapped", key.to_string(), None)
            }
            TurnEvent::Resealed {
                tenant,
                done,
                total,
            } => {
                // A dry run tells only how many there are.
                let counted = if summary.dry_run { total } else { done };
                self.count_resealed(counted, total);
                self.progress(&tenant, counted, Some(total))
            }
            TurnEvent::Verified {
                tenant,
                opened,
                done,
                total,
            } => {
                summary.opened += opened;
                self.progress(&tenant, done, total)
            }
            _ => return,
        };
        (self.sink)(line);
    }

    /// `done` counts from the start of a tenant.
    fn count_resealed(&mut self, done: u64, total: u64) {
        let step = if done >= self.before {
            done - self.before
        } else {
            done
        };
        self.summary.resealed += step;
        self.before = if done == total { 0 } else { done };
    }

    fn progress(&self, tenant: &TenantId, done: u64, total: Option<u64>) -> Line {
        let took_ms = self.app.clock.monotonic_ms().saturating_sub(self.began_ms);
        let all = self.summary.resealed + self.summary.opened;
        Line::KeyProgress(KeyProgress {
            tenant: tenant.to_string(),
            done,
            total,
            per_second: all.saturating_mul(1000) / took_ms.max(1),
        })
    }

    fn end(self) -> Done {
        let broken = self.summary.broken;
        (self.sink)(Line::KeySummary(self.summary));
        if broken == 0 {
            return Ok(());
        }
        let hint = "the lines above say what; put back a backup of it, or sign in anew";
        Err(problem(
            ProblemKind::Bug,
            "does_not_open",
            format!("{broken} things that are stored do not open"),
            Some(hint.to_owned()),
        ))
    }
}

fn step(step: &str, what: String, why: Option<String>) -> Line {
    Line::KeyStep(KeyStep {
        step: step.to_owned(),
        what,
        why,
    })
}

fn not_done(error: &HoldError) -> Refused {
    match error {
        HoldError::Store { source }
        | HoldError::Vault {
            source: VaultError::Store { source },
        } => store_problem(source),
        HoldError::Vault {
            source: source @ (VaultError::Unavailable { .. } | VaultError::WrongKey { .. }),
        } => {
            let hint = "nothing is lost; make the keys reachable and run it again: it goes on \
                        where it was";
            problem(
                ProblemKind::Configuration,
                "keys",
                source.to_string(),
                Some(hint.to_owned()),
            )
        }
        _ => hold_problem(error),
    }
}
