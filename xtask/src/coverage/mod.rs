//! `cargo xtask coverage`: which ids have a test that answers for them.
//!
//! The ids stand in `xtask/ids.txt`, those that have a test in `docs/coverage.txt`. The second list
//! only grows: an id that lost its test fails, and so does one that found a test and is not listed.

mod ids;
mod scan;

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::say;
use crate::repository::{self, entries};

use self::ids::{Id, Ids};

pub(crate) fn main(words: &[&str]) -> Result<bool> {
    let root = repository::root()?;
    let ids = Ids::load(&root)?;
    let found = scan::tests(&repository::text_files(&root)?, &ids);
    match words {
        [] => say(&table(&ids, &found)),
        ["--found"] => {
            for (id, path) in &found {
                say(&format!("{id:<7} {path}"));
            }
        }
        ["--missing"] => say(&missing(&ids, &found)),
        ["--write"] => {
            let listed = listed(&root)?;
            let lost: Vec<&str> = lost(&listed, &found);
            anyhow::ensure!(
                lost.is_empty(),
                "these ids lost their test, and the list only grows: {}",
                lost.join(" ")
            );
            fs::write(root.join(LIST), print_list(&ids, &found))
                .context("cannot write the list")?;
            say(&format!("{} ids in {LIST}", found.len()));
        }
        other => anyhow::bail!("unknown arguments {other:?}; try `cargo xtask help`"),
    }
    let faults = compare(&listed(&root)?, &found);
    for fault in &faults {
        say(fault);
    }
    Ok(faults.is_empty())
}

/// One sentence for each id on which the list and the tests disagree.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let ids = Ids::load(root)?;
    let found = scan::tests(&repository::text_files(root)?, &ids);
    Ok(compare(&listed(root)?, &found))
}

/// Where each id was found: the first test file that carries it.
pub(crate) type Found = BTreeMap<String, String>;

fn listed(root: &Path) -> Result<BTreeSet<String>> {
    let text =
        fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    let words = entries(&text);
    Ok(words
        .iter()
        .flat_map(|line| line.split_whitespace())
        .map(str::to_owned)
        .collect())
}

fn lost<'a>(listed: &'a BTreeSet<String>, found: &Found) -> Vec<&'a str> {
    let gone = listed.iter().filter(|id| !found.contains_key(*id));
    gone.map(String::as_str).collect()
}

fn compare(listed: &BTreeSet<String>, found: &Found) -> Vec<String> {
    let mut faults: Vec<String> = lost(listed, found)
        .iter()
        .map(|id| format!("coverage: {id} is listed in {LIST}, but no test carries it"))
        .collect();
    for (id, path) in found.iter().filter(|(id, _)| !listed.contains(*id)) {
        faults.push(format!(
            "coverage: {id} has a test in {path}, but is not in {LIST}; run `cargo xtask coverage --write`"
        ));
    }
    faults
}

fn table(ids: &Ids, found: &Found) -> String {
    let mut text =
        String::from("rows                                                 ids  tested  to come\n");
    let (mut all, mut tested) = (0, 0);
    for (family, rows) in ids.families() {
        let covered = rows
            .iter()
            .filter(|id| found.contains_key(&id.name))
            .count();
        all += rows.len();
        tested += covered;
        let count = rows.len();
        writeln!(
            text,
            "{family:<50} {count:>5} {covered:>7} {:>8}",
            count - covered
        )
        .ok();
    }
    write!(
        text,
        "{:<50} {all:>5} {tested:>7} {:>8}",
        "together",
        all - tested
    )
    .ok();
    text
}

fn missing(ids: &Ids, found: &Found) -> String {
    let mut text = String::from("listed, without a test yet:\n");
    for (family, rows) in ids.families() {
        writeln!(text, "\n{family}").ok();
        for Id { name, title } in rows.iter().filter(|id| !found.contains_key(&id.name)) {
            writeln!(text, "  {name:<7} {title}").ok();
        }
    }
    text
}

fn print_list(ids: &Ids, found: &Found) -> String {
    let mut text = String::from(HEAD);
    for (family, rows) in ids.families() {
        let covered: Vec<&str> = rows
            .iter()
            .map(|id| id.name.as_str())
            .filter(|name| found.contains_key(*name))
            .collect();
        if covered.is_empty() {
            continue;
        }
        writeln!(text, "\n# {family}").ok();
        for line in covered.chunks(12) {
            writeln!(text, "{}", line.join(" ")).ok();
        }
    }
    text
}

const LIST: &str = "docs/coverage.txt";

const HEAD: &str = "\
# The ids that have a test, written by `cargo xtask coverage --write`.
# This list only grows; docs/coverage.md says how an id is written in a test.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(ids: &[&str]) -> Found {
        ids.iter()
            .map(|id| ((*id).to_owned(), "a.rs".to_owned()))
            .collect()
    }

    #[test]
    fn the_list_and_the_tests_must_agree() {
        let listed: BTreeSet<String> = ["C-01", "Q07"].map(str::to_owned).into();
        let faults = compare(&listed, &found(&["Q07", "M1"]));
        assert_eq!(faults.len(), 2);
        assert!(faults[0].contains("C-01 is listed"));
        assert!(faults[1].contains("M1 has a test in a.rs"));
        assert!(compare(&listed, &found(&["C-01", "Q07"])).is_empty());
    }

    #[test]
    fn no_id_of_this_repository_is_lost() {
        let faults = check(&repository::root().unwrap()).unwrap();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
