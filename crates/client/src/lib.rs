//! The OAuth client engine: a step function that discovers, registers, signs in, refreshes and steps up.
//!
//! Nothing here opens a connection, reads a clock or draws randomness. Each errand is a
//! [`Machine`]: `step(now)` says what it needs, `answer(…)` gives it, until it is done. Every step
//! leaves an [`Event`] without secrets; the console, the log of a server and `doctor` print them.
//!
//! ```text
//! let mut errand = discover(Discover::new("https://mcp.example/mcp", quirks));
//! let found = driver::run(&mut errand, &fetch, &reach, &clock).await?;
//! let client = driver::run(&mut register(Register { .. }), ..).await?;
//! let begun = authorize(&Authorize { .. }, &quirks)?;      // open begun.url, keep begun.pending
//! let tokens = driver::run(&mut redeem(Redeem { pending, callback, .. }), ..).await?;
//! ```
//!
//! The machines are written as `async` functions that only ever wait for their own [`Need`], which
//! keeps the order of the steps readable; whoever drives them needs no runtime.

pub use authorize::{Authorization, Authorize, AuthorizeError, authorize};
pub use client_credentials::{ClientCredentials, ClientCredentialsError, client_credentials};
pub use client_information::{AuthenticateError, ClientInformation};
pub use diagnose::{Finding, diagnose};
pub use discover::{
    Discover, DiscoverError, Discovered, Discovery, Legacy, Start, UnreachableCause, discover,
};
pub use event::{Event, EventOutcome, Stage};
pub use known::{ClientKnown, client_known};
pub use machine::{Machine, Need, Step};
pub use pending::{InvalidPending, PendingAuthorization};
pub use quirks::{AudienceMode, InvalidQuirks, Quirk, Quirks, RefreshScope, ResourceMode};
pub use redeem::{Redeem, RedeemError, redeem};
pub use refresh::{Refresh, RefreshError, TransientCause, refresh};
pub use register::{
    Managed, Preset, Register, RegisterError, delete_registration, read_registration, register,
    update_registration,
};
pub use revoke::{Revocation, Revoke, RevokeError, Revoked, revoke};
pub use scopes::{ScopeWish, choose_scopes, choose_scopes_for, without_unlisted};
pub use step_up::{GiveUp, MAX_STEP_UPS, StepUp, StepUpQuestion, judge};
pub use token::Tokens;

pub mod driver;

mod authorize;
mod client_credentials;
mod client_information;
mod diagnose;
mod discover;
mod event;
mod known;
mod machine;
mod pending;
mod quirks;
mod redeem;
mod refresh;
mod register;
mod revoke;
mod scopes;
mod step_up;
mod token;
