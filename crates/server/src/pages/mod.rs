//! The pages people see during a sign-in: no script, strict policy, every text escaped.

pub(crate) use document::{ICON, Page, Tone};

mod document;
mod style;
