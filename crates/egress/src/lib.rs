//! Every outbound connection: address rules, pinning, limits and TLS.
//!
//! Start with [`Egress`], which opens the doors `Fetch` and `Forward` of `claviger-ports`. A request
//! passes, in this order: the text of its URL (`target`), the name (`name`), every address the name
//! has (`classify`), our own sockets, a dial to exactly those addresses (`dial`), TLS (`tls`), the
//! limits of its sink (`turns`, `limits`, `read`). Deliberately absent: redirects, proxies from the
//! environment, cookies, and a second try of anything that may have been sent.

pub use egress::{Egress, EgressError};
pub use resolve::SystemResolve;
pub use settings::{EgressSettings, InvalidPem, TlsSettings};

mod classify;
mod connector;
mod dial;
mod egress;
mod fetch;
mod forward;
mod limits;
mod name;
mod pools;
mod read;
mod refusal;
mod resolve;
mod settings;
mod target;
mod tls;
mod turns;
#[cfg(feature = "failpoints")]
mod watched;
