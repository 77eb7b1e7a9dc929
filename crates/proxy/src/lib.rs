//! The data path: admit a request, attach the credential, forward it and stream the answer back.
//!
//! Start at [`Proxy::handle`] for one request of one verified caller, or at [`router`] for the
//! routes with everything in front of it: hosts, origins and the guard. What is forwarded is the
//! very body that came in, byte for byte. Deliberately absent: a database, a lock that is held
//! while something is awaited, and any way for a caller to choose where a request goes.

pub use catalogue::Catalogue;
pub use handle::{Parts, Proxy};
pub use route::{RouteSettings, router};
pub use session::{Place, SealSession, SessionKey, SessionNote};
pub use settings::Settings;

mod answer_headers;
mod catalogue;
mod echo;
mod exchange;
mod handle;
mod intake;
mod missing;
mod relay;
mod reply;
mod request_headers;
mod route;
mod session;
mod settings;
mod survive;
mod upstream;
