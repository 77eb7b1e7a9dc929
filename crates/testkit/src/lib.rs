//! Fakes for the doors, scripted peers that misbehave, and fixtures.
//!
//! Start with [`ScriptedFetch`] and [`FixedClock`]; every fake is scripted through `&self`, so it may
//! be put into an `Arc` first and told what to answer later. Deliberately absent: anything that
//! dials. A fake that meets a request nobody scripted panics and says which one.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "fakes fail loudly; this crate is for tests only"
)]

pub use canary::Canary;
pub use clock::FixedClock;
pub use entropy::SeededEntropy;
pub use fetch::{Recorded, ScriptedFetch, form_pairs, json_answer, text_answer};
pub use forward::{FakeForward, Forwarded, Streamed};
pub use gate::Gate;
pub use journal::MemoryJournal;
pub use peer::{Duplex, RawPeer, Step, Wrap};
pub use resolve::ScriptedResolve;
pub use tasks::TokioTasks;

mod canary;
mod clock;
mod entropy;
mod fetch;
mod forward;
mod gate;
mod journal;
mod peer;
pub mod postgres;
mod resolve;
mod tasks;
