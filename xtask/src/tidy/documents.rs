//! Documents, comments and lock files speak of the product, and of no machine it was built on.

use crate::repository::{TextFile, entries};

use super::House;

/// No file names a path of one machine or a phrase of `xtask/phrases.txt`.
pub(super) fn speak_of_the_product_alone(house: &House) -> Vec<String> {
    let phrases = entries(house.text(LIST));
    let mut faults = Vec::new();
    for file in house
        .files
        .iter()
        .filter(|file| file.path != LIST && !is_lock(file))
    {
        for phrase in phrases
            .iter()
            .filter(|phrase| file.text.contains(phrase.as_str()))
        {
            faults.push(format!("{} says `{phrase}`", file.path));
        }
    }
    let length = house.text("AGENTS.md").lines().count();
    if length > AGENTS_BUDGET {
        faults.push(format!(
            "AGENTS.md has {length} lines; it points, and {AGENTS_BUDGET} are enough"
        ));
    }
    faults
}

/// A lock file pins versions and digests; where they come from is the machine's affair.
pub(super) fn locks_name_no_host(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for file in &house.files {
        let path = &file.path;
        if path.ends_with("package-lock.json") && file.text.contains("\"resolved\": \"http") {
            faults.push(format!(
                "{path} records where packages came from; see tests/*/.npmrc"
            ));
        }
        if path.ends_with("requirements.txt") && file.text.contains("index-url") {
            faults.push(format!("{path} names an index"));
        }
    }
    faults
}

fn is_lock(file: &TextFile) -> bool {
    file.path.ends_with("package-lock.json") || file.path == "Cargo.lock"
}

const LIST: &str = "xtask/phrases.txt";
const AGENTS_BUDGET: usize = 60;
