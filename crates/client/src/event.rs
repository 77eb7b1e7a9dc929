//! What an errand did, step by step, without secrets and without foreign text.

use core::fmt;
use std::borrow::Cow;

use claviger_model::Timestamp;
use claviger_wire::{Deviation, without_query};
use serde::{Deserialize, Serialize};

/// One step as people and logs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// At which stage.
    pub stage: Stage,
    /// By which rule: a row of ours and the section of an RFC.
    pub rule: Cow<'static, str>,
    /// Where: a URL without its query.
    pub place: Option<String>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// How it went.
    pub outcome: EventOutcome,
    /// What else there is to say, in words of ours.
    pub note: String,
    /// In what the answer was not as its RFC wants it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
}

/// The stages of an errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// An unauthenticated request to the server.
    Probe,
    /// Resource metadata.
    ResourceMetadata,
    /// Issuer metadata.
    IssuerMetadata,
    /// Whether what the issuer publishes may be used.
    Endpoints,
    /// Client information.
    Registration,
    /// The authorization request.
    Authorization,
    /// The authorization response.
    Callback,
    /// A code or the client itself for tokens.
    Redeem,
    /// A refresh token for tokens.
    Refresh,
    /// Revocation.
    Revocation,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventOutcome {
    /// Nothing is there.
    Absent,
    /// A choice or an observation, neither good nor bad.
    Noted,
    /// Good.
    Ok,
    /// Refused, by them or by us; the note says which.
    Refused,
    /// No answer, or one that says that it will be better later.
    Unreachable,
    /// Something is there, but not what belongs there.
    Unusable,
}

// === impl Event ===

impl Event {
    pub(crate) fn new(stage: Stage, rule: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at: Timestamp::from_secs(0),
            stage,
            rule: rule.into(),
            place: None,
            status: None,
            outcome: EventOutcome::Ok,
            note: String::new(),
            deviations: Vec::new(),
        }
    }

    pub(crate) fn at_place(mut self, url: &str) -> Self {
        self.place = Some(without_query(url));
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) fn outcome(mut self, outcome: EventOutcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        // Lists of scopes are as long as their server likes.
        self.note = note.into().chars().take(NOTE_CHARS).collect();
        self
    }

    pub(crate) fn deviations(mut self, deviations: &[Deviation]) -> Self {
        self.deviations = deviations.to_vec();
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.outcome)?;
        if let Some(place) = &self.place {
            write!(f, " {place}")?;
        }
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        if !self.note.is_empty() {
            write!(f, ": {}", self.note)?;
        }
        write!(f, " [{}]", self.rule)?;
        for deviation in &self.deviations {
            write!(f, "; {deviation}")?;
        }
        Ok(())
    }
}

// === impl Stage ===

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Probe => "probe",
            Self::ResourceMetadata => "resource metadata",
            Self::IssuerMetadata => "issuer metadata",
            Self::Endpoints => "endpoints",
            Self::Registration => "registration",
            Self::Authorization => "authorization",
            Self::Callback => "callback",
            Self::Redeem => "redeem",
            Self::Refresh => "refresh",
            Self::Revocation => "revocation",
        })
    }
}

// === impl EventOutcome ===

impl fmt::Display for EventOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Noted => "noted",
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unusable => "unusable",
        })
    }
}

const NOTE_CHARS: usize = 400;
