//! Whole-product tests; nothing depends on this crate.
