//! Protocol revisions by name.

/// HTTP with SSE; sessions.
pub const V2024_11_05: &str = "2024-11-05";
/// Streamable HTTP; sessions; the only revision with batches.
pub const V2025_03_26: &str = "2025-03-26";
/// Sessions; the version header appears.
pub const V2025_06_18: &str = "2025-06-18";
/// The last revision with sessions; URL elicitation appears.
pub const V2025_11_25: &str = "2025-11-25";
/// The first stateless revision.
pub const V2026_07_28: &str = "2026-07-28";

/// Revisions that begin with `initialize`, oldest first.
pub const LEGACY: [&str; 4] = [V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25];

/// Stateless revisions, oldest first.
pub const MODERN: [&str; 1] = [V2026_07_28];

/// Whether `text` looks like a revision's date.
pub fn is_dated(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether `text` names the first stateless revision or a later one.
pub fn is_modern(text: &str) -> bool {
    is_dated(text) && text >= V2026_07_28
}
