//! `claviger tenant`.

pub(super) mod list;
pub(super) mod remove;

#[cfg(test)]
mod tests;
