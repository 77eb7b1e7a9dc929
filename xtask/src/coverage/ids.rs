//! The ids the product answers for, and how each may be spelled.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// One row: `C-42`, `Q07`, `A120`, `F01`, `M1`, `PROP3`, and a reminder of what it asks.
#[derive(Debug)]
pub(crate) struct Id {
    pub(crate) name: String,
    pub(crate) title: String,
}

/// All rows, by family and by the spelling they have inside a name.
#[derive(Debug)]
pub(crate) struct Ids {
    families: Vec<(String, Vec<Id>)>,
    by_spelling: BTreeMap<String, String>,
}

// === impl Ids ===

impl Ids {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(root.join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut families: Vec<(String, Vec<Id>)> = Vec::new();
        let mut by_spelling = BTreeMap::new();
        for line in text.lines() {
            if let Some(family) = line.strip_prefix("# ") {
                families.push((family.to_owned(), Vec::new()));
            } else if let Some((name, title)) = line.split_once('\t') {
                let family = families
                    .last_mut()
                    .context("a row stands before every heading")?;
                family.1.push(Id {
                    name: name.to_owned(),
                    title: title.to_owned(),
                });
                // `C-42` is `c_42` inside a name. Dashed ids have two digits where plain ones of
                // the same letter have one or three, so `c42` cannot mean anything else either.
                let spelling = name.to_lowercase().replace('-', "");
                let twin = by_spelling.insert(spelling, name.to_owned());
                anyhow::ensure!(twin.is_none(), "{name} is spelled like {twin:?}");
            }
        }
        families.retain(|(_, rows)| !rows.is_empty());
        Ok(Self {
            families,
            by_spelling,
        })
    }

    pub(crate) fn families(&self) -> &[(String, Vec<Id>)] {
        &self.families
    }

    /// The ids at the head of a snake-case name: `a006_c_11_refuses_…` carries A006 and C-11.
    pub(crate) fn in_name(&self, name: &str) -> Vec<String> {
        let mut words = name.split('_').peekable();
        words.next_if_eq(&"test");
        let mut found = Vec::new();
        while let Some(word) = words.next() {
            let is_letter = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
            let spelling = match words.peek() {
                Some(digits) if is_letter && digits.len() == 2 => format!("{word}{digits}"),
                _ => word.to_owned(),
            };
            let Some(id) = self.by_spelling.get(&spelling) else {
                break;
            };
            if spelling.len() > word.len() {
                words.next();
            }
            found.push(id.clone());
        }
        found
    }

    /// The ids written out in prose, exactly as `xtask/ids.txt` spells them.
    pub(crate) fn in_prose(&self, text: &str) -> Vec<String> {
        let is_edge =
            |letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'));
        text.split(is_edge)
            .map(|word| word.trim_matches('-'))
            .filter(|word| word.starts_with(|letter: char| letter.is_ascii_uppercase()))
            .filter(|word| {
                let spelling = word.to_lowercase().replace('-', "");
                self.by_spelling
                    .get(&spelling)
                    .is_some_and(|name| name == word)
            })
            .map(str::to_owned)
            .collect()
    }
}

/// A feature row is a letter and a small number, which other things are called as well.
pub(crate) fn is_feature(id: &str) -> bool {
    id.starts_with(['M', 'R', 'K', 'Z', 'G', 'N']) && !id.contains('-')
}

const FILE: &str = "xtask/ids.txt";

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "# one\nC-42\tx\nA006\tx\nA-10\tx\nG1\tx\nG-07\tx\nQ07\tx\nPROP3\tx\n";

    fn check_name(name: &str, expected: &[&str]) {
        assert_eq!(Ids::parse(ROWS).unwrap().in_name(name), expected, "{name}");
    }

    #[test]
    fn ids_stand_at_the_head_of_a_name() {
        check_name("c_42_sends_the_resource", &["C-42"]);
        check_name("c42_sends_the_resource", &["C-42"]);
        check_name("a006_c_42_refuses_a_foreign_issuer", &["A006", "C-42"]);
        check_name("test_q07_in_python", &["Q07"]);
        check_name("g1_is_a_feature", &["G1"]);
        check_name("g_07_is_a_rule", &["G-07"]);
        check_name("prop3_opens_only_what_was_sealed", &["PROP3"]);
        check_name("admits_a_10_byte_body", &[]);
        check_name("a_test_without_an_id", &[]);
    }

    #[test]
    fn ids_in_prose_are_spelled_as_in_the_list() {
        let ids = Ids::parse(ROWS).unwrap();
        assert_eq!(
            ids.in_prose("// C-42: see (A006, Q07)."),
            ["C-42", "A006", "Q07"]
        );
        assert!(ids.in_prose("c-42 C42 UTC-42 A0067 xA006").is_empty());
    }

    #[test]
    fn two_ids_may_not_share_a_spelling() {
        assert!(Ids::parse("# one\nC-42\tx\nC42\tx\n").is_err());
    }

    #[test]
    fn features_are_told_from_rules() {
        assert!(is_feature("G1"));
        assert!(!is_feature("G-07"));
        assert!(!is_feature("A006"));
    }
}
