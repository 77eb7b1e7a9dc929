//! Whether asking for more helps: C-63 to C-66, Q33, Q34.

use claviger_model::Fault;
use claviger_wire::{BearerChallenge, ErrorCode, ScopeSet};

/// A refusal of the server's, and what is known about the credential it refused.
#[derive(Debug, Clone)]
pub struct StepUpQuestion<'a> {
    /// The status: 401 or 403.
    pub status: u16,
    /// The `Bearer` challenge of the answer.
    pub challenge: Option<&'a BearerChallenge>,
    /// Everything that was asked for so far.
    pub requested: &'a ScopeSet,
    /// What was granted.
    pub granted: &'a ScopeSet,
    /// Exactly these, by the operator's setting.
    pub configured: Option<&'a ScopeSet>,
    /// How many step-ups were tried for this since it last worked.
    pub attempts: u32,
}

/// What to do about a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepUp {
    /// Ask a person for these.
    Ask {
        /// What was asked for before, and what the challenge wants (C-65).
        scopes: ScopeSet,
    },
    /// Asking again would not help.
    GiveUp {
        /// What the challenge wants and the credential lacks.
        missing: ScopeSet,
        /// Why.
        why: GiveUp,
    },
    /// It is not about the credential.
    NotOurs,
    /// The token was refused: refresh or sign in (Q33).
    Token,
}

/// Why asking again would not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GiveUp {
    /// The server wants what the credential has.
    #[error("the server asks for scopes that were already granted")]
    AlreadyGranted,
    /// The operator's setting does not hold it.
    #[error("the setting for this server does not include the scopes it asks for")]
    NotConfigured,
    /// The challenge names no scope.
    #[error("the server asks for more scopes without naming them")]
    NotNamed,
    /// It was tried often enough (C-66).
    #[error("asking for more scopes did not help")]
    TooOften,
}

// === impl GiveUp ===

impl GiveUp {
    /// Who has to act: the operator where a setting is too narrow, else the server.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NotConfigured => Fault::Operator,
            Self::AlreadyGranted | Self::NotNamed | Self::TooOften => Fault::Peer,
        }
    }
}

/// C-66: with the first sign-in, three authorization requests at most.
pub const MAX_STEP_UPS: u32 = 2;

/// Judges a refusal.
pub fn judge(question: &StepUpQuestion<'_>) -> StepUp {
    let error = question.challenge.and_then(|one| one.error.as_ref());
    match (question.status, error) {
        (401, _) | (403, Some(ErrorCode::InvalidToken)) => StepUp::Token,
        (403, Some(ErrorCode::InsufficientScope)) => judge_scopes(question),
        _ => StepUp::NotOurs,
    }
}

fn judge_scopes(question: &StepUpQuestion<'_>) -> StepUp {
    let wanted = question
        .challenge
        .and_then(|one| one.scope.clone())
        .unwrap_or_default();
    let missing = wanted.minus(question.granted);
    let why = if wanted.is_empty() {
        Some(GiveUp::NotNamed)
    } else if missing.is_empty() {
        Some(GiveUp::AlreadyGranted)
    } else if question.attempts >= MAX_STEP_UPS {
        Some(GiveUp::TooOften)
    } else if question
        .configured
        .is_some_and(|configured| !wanted.is_subset(configured))
    {
        Some(GiveUp::NotConfigured)
    } else {
        None
    };
    match why {
        Some(why) => StepUp::GiveUp { missing, why },
        // SEP-2350: losing a scope on the way would break another tool.
        None => StepUp::Ask {
            scopes: question.requested.union(question.granted).union(&wanted),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, header: &str, granted: &str, attempts: u32, expected: &StepUp) {
        let challenge = BearerChallenge::parse([header]).value;
        let configured = ScopeSet::parse_lossy("a b");
        let question = StepUpQuestion {
            status,
            challenge: challenge.as_ref(),
            requested: &ScopeSet::parse_lossy("a"),
            granted: &ScopeSet::parse_lossy(granted),
            configured: header.contains("outside").then_some(&configured),
            attempts,
        };
        assert_eq!(&judge(&question), expected, "{header}");
    }

    fn give_up(missing: &str, why: GiveUp) -> StepUp {
        StepUp::GiveUp {
            missing: ScopeSet::parse_lossy(missing),
            why,
        }
    }

    const WANTS_B: &str = r#"Bearer error="insufficient_scope", scope="b""#;

    #[test]
    fn c63_c64_c65_q34_asks_for_the_union() {
        let scopes = ScopeSet::parse_lossy("a b c");
        check(403, WANTS_B, "a c", 0, &StepUp::Ask { scopes });
    }

    #[test]
    fn c66_q34_stops_where_asking_does_not_help() {
        check(
            403,
            WANTS_B,
            "a",
            MAX_STEP_UPS,
            &give_up("b", GiveUp::TooOften),
        );
        check(403, WANTS_B, "a b", 1, &give_up("", GiveUp::AlreadyGranted));
        let unnamed = r#"Bearer error="insufficient_scope""#;
        check(403, unnamed, "a", 0, &give_up("", GiveUp::NotNamed));
        let outside = r#"Bearer error="insufficient_scope", scope="outside""#;
        check(
            403,
            outside,
            "a",
            0,
            &give_up("outside", GiveUp::NotConfigured),
        );
    }

    #[test]
    fn q33_tells_a_refused_token_from_a_refusal() {
        check(401, "Bearer", "a", 0, &StepUp::Token);
        check(
            403,
            r#"Bearer error="invalid_token""#,
            "a",
            0,
            &StepUp::Token,
        );
        check(403, "Basic", "a", 0, &StepUp::NotOurs);
        check(404, WANTS_B, "a", 0, &StepUp::NotOurs);
    }

    #[test]
    fn only_a_setting_that_is_too_narrow_is_the_operators() {
        assert_eq!(GiveUp::NotConfigured.fault(), Fault::Operator);
        for why in [GiveUp::AlreadyGranted, GiveUp::NotNamed, GiveUp::TooOften] {
            assert_eq!(why.fault(), Fault::Peer, "{why:?}");
        }
    }
}
