//! `cargo xtask tidy`: the rules of the house that a machine can keep.
//!
//! Each rule is a function from the repository to a list of sentences, one for each place that
//! breaks it; no sentence, no fault. `cargo test -p xtask` runs them as well, one test a rule.

mod arrows;
mod documents;
mod files;
mod manifests;
mod map;
mod migrations;
mod owners;
mod words;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::machine::say;
use crate::repository::{self, Metadata, TextFile, entries};

/// What every rule reads.
pub(crate) struct House {
    root: PathBuf,
    metadata: Metadata,
    files: Vec<TextFile>,
}

type Rule = fn(&House) -> Vec<String>;

/// Each rule under the name that `xtask/exemptions.txt` knows it by.
const RULES: &[(&str, Rule)] = &[
    ("arrows", arrows::point_down),
    ("adapters", arrows::adapters_are_named_by_programs),
    ("wrappers", arrows::third_parties_stay_behind_their_owner),
    ("manifests", manifests::inherit_from_the_root),
    ("headers", files::open_with_their_purpose),
    ("budgets", files::keep_their_budget),
    ("marks", files::carry_no_unfinished_marks),
    ("owners", owners::each_forbidden_call_has_one),
    ("migrations", migrations::are_paired_and_numbered),
    ("words", words::are_ours),
    ("documents", documents::speak_of_the_product_alone),
    ("locks", documents::locks_name_no_host),
    ("map", map::is_up_to_date),
];

pub(crate) fn main(arguments: &[&str]) -> Result<bool> {
    let root = repository::root()?;
    match arguments {
        [] => {}
        ["--write"] => map::write(&House::open(&root)?)?,
        other => anyhow::bail!("unknown arguments {other:?}; try `cargo xtask help`"),
    }
    Ok(tell(&check(&root)?))
}

/// `cargo xtask words`: the one rule that is worth asking for while naming things.
pub(crate) fn words_only() -> Result<bool> {
    let house = House::open(&repository::root()?)?;
    Ok(tell(&words::are_ours(&house)))
}

/// Every rule, less what is exempt; an exemption nobody needs is a fault of its own.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let house = House::open(root)?;
    let mut found = Vec::new();
    for (name, rule) in RULES {
        let faults = rule(&house);
        found.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    Ok(without_exempt(found, &entries(house.text(EXEMPTIONS))))
}

// === impl House ===

impl House {
    fn open(root: &Path) -> Result<Self> {
        let house = Self {
            root: root.to_path_buf(),
            metadata: repository::metadata(root)?,
            files: repository::text_files(root)?,
        };
        for path in READ {
            anyhow::ensure!(!house.text(path).is_empty(), "{path} is absent or empty");
        }
        Ok(house)
    }

    /// The text of a file, empty if there is no such file.
    fn text(&self, path: &str) -> &str {
        let file = self.files.iter().find(|file| file.path == path);
        file.map_or("", |file| file.text.as_str())
    }

    fn rust_files(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

/// An exemption is the beginning of the sentence it silences, such as `budgets: crates/a/src/b.rs`.
fn without_exempt(found: Vec<String>, exemptions: &[String]) -> Vec<String> {
    let is_exempt = |fault: &str| {
        exemptions.iter().any(|exemption| {
            fault
                .strip_prefix(exemption.as_str())
                .is_some_and(|rest| rest.starts_with([' ', ':', ',']))
        })
    };
    let idle: Vec<String> = exemptions
        .iter()
        .filter(|exemption| {
            !found
                .iter()
                .any(|fault| fault.starts_with(exemption.as_str()))
        })
        .map(|exemption| format!("exemptions: nobody needs `{exemption}` any more; remove it"))
        .collect();
    let mut kept: Vec<String> = found
        .into_iter()
        .filter(|fault| !is_exempt(fault))
        .collect();
    kept.extend(idle);
    kept
}

fn tell(faults: &[String]) -> bool {
    for fault in faults {
        say(fault);
    }
    say(&match faults.len() {
        0 => format!("tidy: {} rules hold", RULES.len()),
        count => format!("tidy: {count} places to mend"),
    });
    faults.is_empty()
}

const EXEMPTIONS: &str = "xtask/exemptions.txt";

/// What the rules read; without one of these a rule would hold by accident.
const READ: &[&str] = &[
    EXEMPTIONS,
    "AGENTS.md",
    "ARCHITECTURE.md",
    "clippy.toml",
    "xtask/owners.txt",
    "xtask/phrases.txt",
    "xtask/words.txt",
    "xtask/wrappers.txt",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn an_exemption_silences_its_own_sentence() {
        let found = strings(&[
            "budgets: a.rs has 500 lines",
            "budgets: a.rsx has 600 lines",
        ]);
        let kept = without_exempt(found, &strings(&["budgets: a.rs"]));
        assert_eq!(kept, ["budgets: a.rsx has 600 lines"]);
    }

    #[test]
    fn an_exemption_nobody_needs_is_a_fault() {
        let kept = without_exempt(Vec::new(), &strings(&["budgets: a.rs"]));
        assert_eq!(
            kept,
            ["exemptions: nobody needs `budgets: a.rs` any more; remove it"]
        );
    }

    #[test]
    fn the_house_is_tidy() {
        let faults = check(&repository::root().unwrap()).unwrap();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
