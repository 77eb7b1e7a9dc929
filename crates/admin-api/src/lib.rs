//! Requests and answers of administration, shared by the server and the command line.
//!
//! One [`Request`] is answered by a stream of [`Line`]s: steps as they happen, then results, then
//! exactly one of [`Line::Done`] and [`Line::Problem`]. On the admin socket each is one line of
//! JSON. Secrets go in and never come out.

pub use keys::{KeyProgress, KeyStep, KeySummary, KeyView};
pub use line::{
    ConnectionView, Line, LogoutView, Problem, ProblemKind, RevocationView, ServerView,
    SignInEnded, SignInStarted, StepStatus, StepView, TenantView,
};
pub use request::{AddServer, Request, SetServer};

mod keys;
mod line;
mod request;
