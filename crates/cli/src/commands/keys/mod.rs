//! `claviger keys`: what seals everything.

pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod rotate;
pub(crate) mod verify;

mod report;

#[cfg(test)]
mod tests;
