//! What is owed to issuers: tokens that ended here, until their issuer confirms their end (RFC 7009).
//!
//! Whoever ends a credential on purpose prepares a row (`prepare`), which the store writes in the
//! transaction that ends the credential. From then on nothing here uses the tokens, and the row is
//! the only copy of them. It is tried at once (`first_try`), and again by whichever process claims
//! it (`drive`), more and more rarely (`backoff`) but for ever: a revocation is never dropped
//! because an issuer is away (A139, I22). What was never stored is given back the same way
//! (`give_back`), and what a tenant owed that ended is owed by the default one (`inherit`).

pub(crate) use prepare::Owing;
pub(crate) use record::context as revocation_context;
pub(crate) use told::queued;

mod attempt;
mod backoff;
mod drive;
mod first_try;
mod give_back;
mod inherit;
mod prepare;
mod record;
mod told;

/// For how long whoever tries a revocation has it for itself, in seconds. It is longer than any
/// try, so that no other process tries at the same time, and short enough for F06: what a dead
/// process left is taken up after it.
const HOLD_S: i64 = 30;
