//! `cargo xtask bench`: figures that mean something only beside each other.
//!
//! A benchmark runs its candidates in one run, in turns, on one machine, and prints ratios. A figure
//! by itself says more about the machine than about the product.

mod gateway;
mod load;
mod process;
mod upstream;
mod vault;
mod wire;

use anyhow::{Result, bail};

use crate::machine::say;

pub(crate) fn main(words: &[&str]) -> Result<bool> {
    match words {
        [] => {
            say("gateway   a call through `claviger serve`, beside a direct call and nginx");
            say("vault     a credential from memory, sealed, and kept durably, beside bare probes");
            say("          --quick: whether it works; --write: renew docs/benchmarks.md");
            Ok(true)
        }
        ["gateway"] => gateway::run(),
        ["vault", rest @ ..] => vault::run(rest),
        other => bail!("there is no benchmark {other:?}; `cargo xtask bench` lists them"),
    }
}
