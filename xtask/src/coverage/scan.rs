//! Finds ids in tests: at the head of a test's name, and in what is written inside test code.
//!
//! An id in a comment of production code says where a rule is obeyed. Only a test says that it is.

use crate::repository::{TextFile, has_extension};
use crate::source::Source;

use super::Found;
use super::ids::{Ids, is_feature};

/// Every id some test carries, with the first file that does.
pub(crate) fn tests(files: &[TextFile], ids: &Ids) -> Found {
    let mut found = Found::new();
    for file in files {
        let carried = if file.is_rust() {
            in_rust(file, ids)
        } else if is_script(file) {
            in_script(file, ids)
        } else {
            Vec::new()
        };
        for id in carried {
            found.entry(id).or_insert_with(|| file.path.clone());
        }
    }
    found
}

fn is_script(file: &TextFile) -> bool {
    file.path.starts_with("tests/")
        && ["mjs", "js", "ts", "py"]
            .iter()
            .any(|kind| has_extension(&file.path, kind))
}

fn in_rust(file: &TextFile, ids: &Ids) -> Vec<String> {
    // The tests of the scanner itself speak of ids without answering for them.
    if file.path.starts_with("xtask/") {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let of = |layer: &str| {
        if file.is_test() {
            layer.to_owned()
        } else {
            source.tests_of(layer)
        }
    };
    let mut found = ids.in_prose(&of(&source.comments));
    // In a string `K1` may be a key id, so a feature counts only where a sentence speaks of it.
    let in_strings = ids.in_prose(&of(&source.strings));
    found.extend(in_strings.into_iter().filter(|id| !is_feature(id)));
    for name in function_names(&of(&source.code)) {
        found.extend(ids.in_name(name));
    }
    found
}

fn in_script(file: &TextFile, ids: &Ids) -> Vec<String> {
    let mut found = ids.in_prose(&file.text);
    for line in file.text.lines() {
        if let Some(rest) = line.trim_start().strip_prefix("def ") {
            found.extend(ids.in_name(rest.split('(').next().unwrap_or_default()));
        }
    }
    found
}

fn function_names(code: &str) -> impl Iterator<Item = &str> {
    let mut words = code.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    core::iter::from_fn(move || {
        words.find(|word| *word == "fn")?;
        words.find(|word| !word.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "# one\nC-42\tx\nA006\tx\nG1\tx\nK1\tx\nQ07\tx\nF01\tx\n";

    fn check(path: &str, text: &str, expected: &[&str]) {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let found = tests(&[file], &Ids::parse(ROWS).unwrap());
        assert_eq!(found.into_keys().collect::<Vec<_>>(), expected, "{path}");
    }

    #[test]
    fn only_tests_count() {
        let text = "// C-42: why\nfn a() {}\n#[cfg(test)]\nmod tests {\n// Q07: told\n#[test]\nfn a006_b() { f(\"F01\", \"K1\"); }\n}\n";
        check("crates/wire/src/a.rs", text, &["A006", "F01", "Q07"]);
    }

    #[test]
    fn whole_files_of_tests_count() {
        check(
            "crates/wire/tests/a.rs",
            "// C-42: why\nfn g1_a() {}\n",
            &["C-42", "G1"],
        );
        check(
            "crates/store/src/contract/a.rs",
            "async fn a006_b() {}\n",
            &["A006"],
        );
        check("tests/peers/a.mjs", "test('Q07: told')\n", &["Q07"]);
        check("tests/peers/a.py", "def test_f01_b():\n", &["F01"]);
        check("docs/a.md", "C-42\n", &[]);
    }
}
