//! The faults, each in a file, in the order of the list.

use crate::process::Backend;
use crate::scenario::Scenario;

mod a120_callers;
mod f01_f02_kills;
mod f18_stopped;
mod f20_disconnects;
mod f21_answers;
mod f22_bursts;

const BOTH: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for backend in BOTH {
        all.extend(f01_f02_kills::scenarios(backend));
    }
    for backend in BOTH {
        all.extend(a120_callers::scenarios(backend));
    }
    for backend in BOTH {
        all.extend(f18_stopped::scenarios(backend));
    }
    all.extend(f20_disconnects::scenarios());
    all.extend(f21_answers::scenarios());
    all.extend(f22_bursts::scenarios());
    all
}
