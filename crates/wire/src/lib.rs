//! OAuth messages as types: parsed leniently, printed strictly.

pub use scope::{InvalidScope, Scope, ScopeSet};

mod scope;
