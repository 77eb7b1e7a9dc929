//! What somebody else can make happen as often as they like, such as a connection to a forbidden
//! address: written down when it happens first, and only counted for a minute from then on. So
//! nobody fills the log with it, and nothing of it goes missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use claviger_model::{TenantId, Timestamp};
use serde_json::Value;

use super::{Act, Actor, Auditor, Came, Note};

/// For how long alike notices are counted, in seconds.
const WINDOW_S: i64 = 60;

/// So many kinds are told apart within that time; further ones are counted together.
const MOST: usize = 32;

/// What the notices beyond that are about.
const OTHERS: &str = "others";

/// Notices of the last minute.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<Window>);

/// What makes two notices alike: everything they say.
type Kind = (Act, Came, Option<TenantId>, Actor, String, String);

#[derive(Debug, Default)]
struct Window {
    /// When it is over; nothing is told before the first notice.
    until: Option<Timestamp>,
    /// What was told, and how often it happened again.
    told: BTreeMap<Kind, (Note, u64)>,
    /// What did not find a place any more.
    others: BTreeMap<Act, u64>,
}

// === impl Auditor ===

impl Auditor {
    /// Records, soon, what somebody else may make happen again and again; waits for nothing.
    pub fn notice(&self, note: Note) {
        let now = self.parts.clock.now();
        for note in self.notices.take(note, now) {
            self.uses.offer_note(note, now);
        }
    }

    /// Records how often it happened again, where the time for counting is over.
    pub(super) fn count_notices(&self) {
        let now = self.parts.clock.now();
        for note in self.notices.over(now) {
            self.uses.offer_note(note, now);
        }
    }

    /// The same, whether or not it is over: this process ends.
    pub(super) fn end_notices(&self) {
        let now = self.parts.clock.now();
        for note in self.notices.all() {
            self.uses.offer_note(note, now);
        }
    }
}

// === impl Notices ===

impl Notices {
    /// Takes note of one more; gives what is to be recorded now.
    fn take(&self, note: Note, now: Timestamp) -> Vec<Note> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = window.over(now);
        let is_full = window.told.len() >= MOST;
        let kind = kind_of(&note);
        if let Some((_, again)) = window.told.get_mut(&kind) {
            *again += 1;
        } else if is_full {
            *window.others.entry(note.act).or_default() += 1;
        } else {
            window.told.insert(kind, (note.clone(), 0));
            due.push(note);
        }
        window.until.get_or_insert(now.plus(WINDOW_S));
        due
    }

    fn over(&self, now: Timestamp) -> Vec<Note> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.over(now)
    }

    fn all(&self) -> Vec<Note> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.end()
    }
}

// === impl Window ===

impl Window {
    /// What was counted, if the time for it is over. A clock that was set back ends it as well.
    fn over(&mut self, now: Timestamp) -> Vec<Note> {
        match self.until {
            Some(until) if now >= until || now.plus(WINDOW_S) < until => self.end(),
            _ => Vec::new(),
        }
    }

    fn end(&mut self) -> Vec<Note> {
        self.until = None;
        let told = core::mem::take(&mut self.told).into_values();
        let again = told.filter(|(_, again)| *again > 0);
        let mut due: Vec<_> = again.map(|(note, again)| note.times(again)).collect();
        let others = core::mem::take(&mut self.others);
        due.extend(others.into_iter().map(|(act, count)| {
            let note = Note::new(act, OTHERS).came(Came::Refused);
            note.times(count)
        }));
        due
    }
}

fn kind_of(note: &Note) -> Kind {
    let detail = Value::Object(note.detail.clone()).to_string();
    let (tenant, actor) = (note.tenant.clone(), note.actor.clone());
    (
        note.act,
        note.came,
        tenant,
        actor,
        note.object.clone(),
        detail,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(host: &str) -> Note {
        Note::new(Act::EgressBlocked, host).came(Came::Refused)
    }

    fn told(notes: &[Note]) -> Vec<(&str, u64)> {
        let told = notes.iter().map(|note| (note.object.as_str(), note.count));
        told.collect()
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_is_counted() {
        let (notices, at) = (Notices::default(), Timestamp::from_secs);
        assert_eq!(told(&notices.take(blocked("a"), at(0))), [("a", 1)]);
        for _ in 0..1_000 {
            assert_eq!(told(&notices.take(blocked("a"), at(59))), []);
        }
        assert_eq!(told(&notices.take(blocked("b"), at(59))), [("b", 1)]);
        assert_eq!(told(&notices.over(at(59))), []);
        assert_eq!(told(&notices.over(at(60))), [("a", 1_000)]);
        assert_eq!(told(&notices.over(at(120))), []);
        assert_eq!(told(&notices.take(blocked("a"), at(61))), [("a", 1)]);
        assert_eq!(told(&notices.take(blocked("a"), at(62))), []);
        assert_eq!(told(&notices.all()), [("a", 1)]);
    }

    #[test]
    fn many_kinds_are_bounded_and_none_is_lost() {
        let notices = Notices::default();
        let mut now = 0;
        for number in 0..10_000 {
            let notes = notices.take(blocked(&format!("host-{number}")), Timestamp::from_secs(5));
            now += notes.len();
        }
        assert_eq!(now, MOST);
        let later = notices.over(Timestamp::from_secs(65));
        assert_eq!(told(&later), [(OTHERS, 10_000 - MOST as u64)]);
    }

    #[test]
    fn f31_a_clock_that_is_set_back_ends_the_counting() {
        let notices = Notices::default();
        drop(notices.take(blocked("a"), Timestamp::from_secs(10_000)));
        drop(notices.take(blocked("a"), Timestamp::from_secs(10_000)));
        assert_eq!(told(&notices.over(Timestamp::from_secs(100))), [("a", 1)]);
    }

    #[test]
    fn other_words_are_another_kind() {
        let notices = Notices::default();
        let with = |sink: &str| blocked("a").with("for", sink);
        assert_eq!(
            notices.take(with("token"), Timestamp::from_secs(0)).len(),
            1
        );
        assert_eq!(
            notices.take(with("probe"), Timestamp::from_secs(0)).len(),
            1
        );
    }
}
