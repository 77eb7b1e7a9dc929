//! Every call that `clippy.toml` forbids has one owner in the product, and no more.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::repository::entries;
use crate::source::Source;

use super::House;

/// The list `xtask/owners.txt` and the code agree on who makes which forbidden call.
///
/// Clippy refuses the call; `#[expect]` is how an owner is let through. This rule counts the owners.
pub(super) fn each_forbidden_call_has_one(house: &House) -> Vec<String> {
    let lines = entries(house.text(LIST));
    let listed: BTreeSet<String> = lines.iter().map(|line| squeeze(line)).collect();
    let mut used = BTreeSet::new();
    let calls = forbidden(house.text("clippy.toml"));
    for file in house.rust_files().filter(|file| !file.is_test()) {
        let production = Source::read(&file.text).production();
        for call in &calls {
            if makes(&production, call) {
                used.insert(format!("{call} {}", file.path));
            }
        }
    }
    let mut faults: Vec<String> = used
        .difference(&listed)
        .map(|line| format!("{line} is not in {LIST}; call its owner instead"))
        .collect();
    faults.extend(
        listed
            .difference(&used)
            .map(|line| format!("{line} is in {LIST}, but not in the code")),
    );
    faults
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn forbidden(lints: &str) -> Vec<String> {
    // Clippy has read the file before us; one that cannot be parsed does not come this far.
    let table: Table = lints.parse().unwrap_or_default();
    let methods = table.get("disallowed-methods").and_then(Value::as_array);
    methods
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("path").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}

/// Whether code makes a call by its whole path, or by its last two words after an import.
fn makes(code: &str, call: &str) -> bool {
    if mentions(code, call) {
        return true;
    }
    let Some((parent, last)) = call.rsplit_once("::") else {
        return false;
    };
    let Some((module, name)) = parent.rsplit_once("::") else {
        return false;
    };
    let open = format!("use {module}::");
    let is_imported = code
        .split(';')
        .filter_map(|statement| statement.trim_start().strip_prefix(open.as_str()))
        .any(|names| mentions(names, name));
    is_imported && mentions(code, &format!("{name}::{last}"))
}

/// Whether a path stands in code by itself and not as a part of a longer word.
fn mentions(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let before = at.checked_sub(1).and_then(|at| code.as_bytes().get(at));
        let after = code.as_bytes().get(at + path.len());
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

const LIST: &str = "xtask/owners.txt";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_by_its_path_or_its_import() {
        let call = "std::time::Instant::now";
        assert!(makes(
            "use std::time::{Instant, B};\nlet a = Instant::now();",
            call
        ));
        assert!(makes("let a = std::time::Instant::now();", call));
        assert!(!makes(
            "use tokio::time::Instant;\nlet a = Instant::now();",
            call
        ));
        assert!(!makes(
            "use std::time::Instant;\nlet a = MyInstant::now();",
            call
        ));
        assert!(makes("use std::env;\nenv::var(x)", "std::env::var"));
        assert!(!makes("use std::env;\nenv::var_os(x)", "std::env::var"));
        assert!(makes("tokio::spawn(x)", "tokio::spawn"));
    }
}
