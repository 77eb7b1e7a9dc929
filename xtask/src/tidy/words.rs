//! One word per concept: names of public items use the glossary's word and none of its rivals.

use std::collections::BTreeMap;

use crate::repository::entries;
use crate::source::Source;

use super::House;

/// No public item is named with a word of `xtask/words.txt`.
pub(super) fn are_ours(house: &House) -> Vec<String> {
    let list = List::parse(house.text(LIST));
    let mut faults = Vec::new();
    for file in house
        .rust_files()
        .filter(|file| file.path.starts_with("crates/") && !file.is_test())
    {
        let code = Source::read(&file.text).production();
        for (kind, name) in public_names(&code) {
            if let Some((word, instead)) = list.banned(kind, name) {
                faults.push(format!("{}: `{name}` says `{word}`; {instead}", file.path));
            }
        }
    }
    faults
}

/// The banned words, each with what to say instead, and the names that always pass.
#[derive(Debug, Default)]
struct List {
    anywhere: BTreeMap<Vec<String>, String>,
    openings: BTreeMap<Vec<String>, String>,
    type_endings: BTreeMap<Vec<String>, String>,
    passing: Vec<Vec<String>>,
}

// === impl List ===

impl List {
    /// A line is `word: what to say`, `…Word:` for the end of a type, `word…:` for the beginning of
    /// a longer name, or `pass word`.
    fn parse(text: &str) -> Self {
        let mut list = Self::default();
        for line in entries(text) {
            if let Some(name) = line.strip_prefix("pass ") {
                list.passing.push(words(name.trim()));
            } else if let Some((word, instead)) = line.split_once(':') {
                let instead = instead.trim().to_owned();
                let ending = word.strip_prefix('…');
                let opening = word.strip_suffix('…');
                match (ending, opening) {
                    (Some(word), _) => list.type_endings.insert(words(word), instead),
                    (_, Some(word)) => list.openings.insert(words(word), instead),
                    _ => list.anywhere.insert(words(word), instead),
                };
            }
        }
        list
    }

    fn banned(&self, kind: &str, name: &str) -> Option<(String, &str)> {
        let mut said = words(name);
        for passing in &self.passing {
            forget(&mut said, passing);
        }
        let is_type = matches!(kind, "struct" | "enum" | "trait" | "type");
        let ending = self
            .type_endings
            .iter()
            .find(|(word, _)| is_type && said.ends_with(word));
        let inside = || {
            let mut anywhere = self.anywhere.iter();
            anywhere.find(|(word, _)| said.windows(word.len()).any(|part| part == word.as_slice()))
        };
        let opening = || {
            let mut openings = self.openings.iter();
            openings.find(|(word, _)| said.len() > word.len() && said.starts_with(word))
        };
        let (word, instead) = ending.or_else(opening).or_else(inside)?;
        Some((word.join("_"), instead.as_str()))
    }
}

/// Takes a passing name out of what was said, so that `KekProvider` does not say `provider`.
fn forget(said: &mut Vec<String>, passing: &[String]) {
    while let Some(at) = said.windows(passing.len()).position(|part| part == passing) {
        said.splice(at..at + passing.len(), [String::new()]);
    }
}

/// The words of a name in snake or camel case, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        let is_new = letter == '_' || (letter.is_uppercase() && was_lower);
        if is_new {
            words.push(String::new());
        }
        if letter != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase() || letter.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Every `pub` item and field: its keyword (none for a field) and its name.
fn public_names(code: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for line in code.lines() {
        let Some(rest) = line.trim_start().strip_prefix("pub ") else {
            continue;
        };
        let mut kind = "";
        for word in rest.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')) {
            match word {
                "async" | "const" | "fn" | "static" | "struct" | "enum" | "trait" | "type"
                | "mod" => kind = word,
                "use" | "crate" => break,
                "" | "unsafe" | "mut" => {}
                name => {
                    found.push((kind, name));
                    break;
                }
            }
        }
    }
    found
}

const LIST: &str = "xtask/words.txt";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "provider: issuer\nauth_server: issuer\n…Manager: name the verb\nget…: name it\npass kek_provider\n";

    fn check(kind: &str, name: &str, expected: Option<&str>) {
        let list = List::parse(TEXT);
        assert_eq!(
            list.banned(kind, name).map(|(word, _)| word).as_deref(),
            expected,
            "{name}"
        );
    }

    #[test]
    fn rivals_are_refused_in_every_case() {
        check("struct", "ProviderMetadata", Some("provider"));
        check("fn", "find_auth_server", Some("auth_server"));
        check("struct", "TokenManager", Some("manager"));
        check("fn", "manager", None);
        check("trait", "KekProvider", None);
        check("fn", "provides", None);
        check("fn", "get_token", Some("get"));
        check("fn", "get", None);
    }

    #[test]
    fn names_are_found_wherever_they_are_public() {
        let code = "pub struct A {\n    pub b_c: u8,\n    d: u8,\n}\npub(crate) fn e() {}\npub async fn f() {}\npub use g::h;\npub const I: u8 = 1;";
        let names: Vec<&str> = public_names(code)
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(names, ["A", "b_c", "f", "I"]);
    }
}
