//! The faults, each in a file, in the order of the list.

use crate::process::Backend;
use crate::scenario::Scenario;

mod a120_callers;
mod f01_f02_kills;
mod f03_failpoints;
mod f04_sign_ins;
mod f06_revocations;
mod f07_keys;
mod f08_migrations;
mod f11_disk;
mod f13_database;
mod f17_split;
mod f18_stopped;
mod f20_disconnects;
mod f21_answers;
mod f22_bursts;
mod f24_names;
mod f26_clocks;
mod f30_boot;
mod f31_restores;
mod f36_busy;

const BOTH: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for of in [
        f01_f02_kills::scenarios,
        f03_failpoints::scenarios,
        f04_sign_ins::scenarios,
        f06_revocations::scenarios,
        f07_keys::scenarios,
        f08_migrations::scenarios,
        f18_stopped::scenarios,
        f26_clocks::scenarios,
        a120_callers::scenarios,
    ] {
        all.extend(BOTH.into_iter().flat_map(of));
    }
    for of in [
        f11_disk::scenarios,
        f13_database::scenarios,
        f17_split::scenarios,
        f20_disconnects::scenarios,
        f21_answers::scenarios,
        f22_bursts::scenarios,
        f24_names::scenarios,
        f30_boot::scenarios,
        f31_restores::scenarios,
        f36_busy::scenarios,
    ] {
        all.extend(of());
    }
    all
}
