//! MCP on the wire: the JSON-RPC envelope read once and strictly, mirrored headers, the two eras,
//! SSE framing, and the messages we write ourselves.
//!
//! Start with [`Message::read`] for what a caller sent, with [`Era::of_post`] for which rules hold,
//! with [`answer`] for what we say ourselves, and with [`Dialogue`] for a minimal caller of our own.
//! Nothing here forwards, and no body is ever re-written: what was read is what goes on.

pub use dialogue::{Dialogue, Outgoing};
pub use envelope::{Envelope, EnvelopeError, InputAction, Kind, Message};
pub use era::Era;
pub use mirror::{Mismatch, check_mirrored};
pub use param::{InvalidAnnotation, ParamHeaders};
pub use reader::{AnswerError, AnswerReader, Response};
pub use sse::{SseEvent, SseParser, SseTooLarge};

pub mod answer;
pub mod code;
pub mod header;
pub mod version;

mod dialogue;
mod envelope;
mod era;
mod mirror;
mod param;
mod reader;
mod sse;
