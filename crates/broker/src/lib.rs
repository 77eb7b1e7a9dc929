//! The credentials we hold, from sign-in to revocation: flights, leases and states.
//!
//! Start at [`Broker`]. `serve` says what to attach, `refuse` what to do when that was refused,
//! `refresh` renews, `herd` says how much of that an issuer sees, `sign_in` begins and ends sign-ins, `engine` runs the errands of the client
//! engine for all of them, `rescue` and `keep` store what they bring, and `vault` seals it.
//!
//! The data path sees the broker as [`Attach`] only. What it never does: hand out a
//! token to a caller, send a credential anywhere but to the issuer and resource it belongs to, or
//! end one for any other reason than a refusal of the very token it still holds or a person's act.

pub use attach::{Asker, Attach, Attachment, Missing, Refusal, TokenMark};
pub use audit::{
    Act, Actor, AuditMode, AuditParts, AuditSettings, Auditor, Came, Changed, Draft, Exported,
    LONGEST_LINE, Note, Problem, ProblemKind, Unreadable, Verdict, Verifier, generation_of,
    is_key_of_log, line_of_entry, line_of_key, read_line,
};
pub use broker::{Broker, BrokerParts, BrokerSettings, HoldError, reach_of};
pub use disconnect::{AtIssuer, Disconnected};
pub use engine::{Found, Look, LookError};
pub use link::Link;
pub use purge::{ChangeError, Ended as EndedCredential, Ending, MayEnd, ServerChange};
pub use remove_tenant::{RemoveTenantError, TenantRemoved};
pub use remove_user::UserRemoved;
pub use restored::Recheck;
pub use serve::Setting;
pub use sign_in::{Begin, BeginError, Begun, Completed, Ended, Started};
pub use standing::Status;
pub use step::{Step, StepKind, StepSink};
pub use sweep::Swept;
pub use turn::{KeyUse, Turn, TurnEvent, TurnSink};
pub use vault::{
    AuditKey, KekProvider, KekProviderError, Keks, KeyId, KeyName, Vault, VaultError, VaultKey,
};

mod answered;
mod attach;
mod audit;
mod behalf;
mod broker;
mod cache;
mod check;
mod disconnect;
mod doubt;
mod engine;
mod flight;
mod herd;
mod keep;
mod link;
mod narrow;
mod owed;
mod pause;
mod purge;
mod record;
mod refresh;
mod refuse;
mod remove_tenant;
mod remove_user;
mod replayed;
mod rescue;
mod restored;
mod serve;
mod sign_in;
mod standing;
mod step;
mod sweep;
mod tampered;
mod terms;
mod ticket;
mod turn;
mod vault;
