//! The guard on axum: a layer in front of a resource, and the route of its metadata.

pub use layer::{GuardLayer, Guarded};
pub use routes::metadata_router;

mod layer;
mod routes;
