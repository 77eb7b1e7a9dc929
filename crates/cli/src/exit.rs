//! Exit codes of the binary. Scripts rely on them; they never change their meaning.

use std::process::ExitCode;

use claviger_admin_api::ProblemKind;
use claviger_model::Fault;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// It was done.
    pub(crate) const DONE: Self = Self(0);
    /// The words on the command line make no sense.
    pub(crate) const USAGE: Self = Self(2);
    /// It was refused, or a person has to sign in first.
    pub(crate) const REFUSED: Self = Self(3);
    /// The other side cannot be reached, or does not answer as it must.
    pub(crate) const UNREACHABLE: Self = Self(4);
    /// The configuration is wrong.
    pub(crate) const CONFIGURATION: Self = Self(5);
    /// Our bug, disk or database.
    pub(crate) const BUG: Self = Self(70);
    /// Somebody else holds the database: nothing was done, and the same may work later. The code
    /// is the `EX_TEMPFAIL` of `sysexits.h`.
    pub(crate) const BUSY: Self = Self(75);

    /// Every code with its meaning, for `docs/cli.md` and the help.
    pub(crate) const MEANINGS: [(Self, &str); 7] = [
        (Self::DONE, "done"),
        (Self::USAGE, "wrong words on the command line"),
        (Self::REFUSED, "refused, or a sign-in is needed"),
        (Self::UNREACHABLE, "the other side cannot be reached"),
        (Self::CONFIGURATION, "the configuration is wrong"),
        (Self::BUG, "a bug of ours, the disk or the database"),
        (
            Self::BUSY,
            "the database is held by somebody else; try again",
        ),
    ];

    /// What follows from whose fault it is; the one place that says so.
    pub(crate) const fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::Caller => Self::REFUSED,
            Fault::Operator => Self::CONFIGURATION,
            Fault::Peer => Self::UNREACHABLE,
            Fault::Us => Self::BUG,
        }
    }

    /// The number.
    pub(crate) const fn code(self) -> u8 {
        self.0
    }
}

impl From<ProblemKind> for Exit {
    fn from(kind: ProblemKind) -> Self {
        Self(kind.exit_code())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_admin_api() {
        for (kind, expected) in [
            (ProblemKind::Usage, Exit::USAGE),
            (ProblemKind::Refused, Exit::REFUSED),
            (ProblemKind::Unreachable, Exit::UNREACHABLE),
            (ProblemKind::Configuration, Exit::CONFIGURATION),
            (ProblemKind::Bug, Exit::BUG),
            (ProblemKind::Busy, Exit::BUSY),
        ] {
            assert_eq!(Exit::from(kind), expected);
        }
    }
}
