//! What every source file owes its reader: a purpose, a size to hold, nothing unfinished.

use crate::source::Source;

use super::House;

/// The first line of a Rust file says what it is for.
pub(super) fn open_with_their_purpose(house: &House) -> Vec<String> {
    house
        .rust_files()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{} does not open with `//!`", file.path))
        .collect()
}

/// A file is one idea, and one idea is at most 400 lines without its tests.
pub(super) fn keep_their_budget(house: &House) -> Vec<String> {
    house
        .rust_files()
        .filter(|file| !file.is_test())
        .filter_map(|file| {
            let lines = Source::read(&file.text).production_lines();
            let path = &file.path;
            (lines > BUDGET)
                .then(|| format!("{path} has {lines} lines, and the budget is {BUDGET}"))
        })
        .collect()
}

/// No test is switched off, and nothing says that it will be finished another day.
pub(super) fn carry_no_unfinished_marks(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for file in house.rust_files() {
        let source = Source::read(&file.text);
        let code = ["#[ignore", "#[should_panic", "todo!(", "unimplemented!("];
        let prose = ["FIXME", "XXX", "TODO", "HACK"];
        let in_code = code.iter().filter(|mark| source.code.contains(**mark));
        let in_prose = prose.iter().filter(|mark| has_word(&source.comments, mark));
        for mark in in_code.chain(in_prose) {
            faults.push(format!("{} carries `{mark}`", file.path));
        }
    }
    faults
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .any(|found| found == word)
}

const BUDGET: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_whole_word() {
        assert!(has_word("// TODO: later", "TODO"));
        assert!(!has_word("// METHODS and TODOS", "TODO"));
    }
}
