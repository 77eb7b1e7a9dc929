//! One thing that was tried, as people may see it.

/// A step of discovery, registration or sign-in, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `probe`, `resource_metadata`, `issuer_metadata`, `register`, …
    pub stage: String,
    /// How it went.
    pub kind: StepKind,
    /// What was asked, without query.
    pub what: String,
    /// What came of it.
    pub outcome: String,
    /// The rule it follows or breaks.
    pub rule: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Deviations met, by id.
    pub deviations: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// It failed, and that ends the walk.
    Failed,
    /// Nothing there; the next place is tried.
    Nothing,
    /// As it should be.
    Ok,
    /// Works, but deviates from a rule.
    Warned,
}

/// Who is told of steps as they happen.
pub type StepSink<'a> = &'a mut (dyn FnMut(Step) + Send);
