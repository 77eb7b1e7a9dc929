//! Composition root: listeners, lifecycle, background tasks and telemetry.

pub use gateway::{Gateway, GatewayError, McpRequest};

mod gateway;
