//! The binary `claviger`.

fn main() {}
