//! `cargo xtask bench`: figures that mean something only beside each other.

use anyhow::{Result, bail};

pub(crate) fn main(words: &[&str]) -> Result<bool> {
    bail!("there is no benchmark {words:?}")
}
