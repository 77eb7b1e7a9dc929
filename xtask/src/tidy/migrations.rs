//! Migrations: numbered without gaps, and the same in every backend.

use std::collections::BTreeMap;

use super::House;

/// Every backend has the same numbers with the same names, one change each.
pub(super) fn are_paired_and_numbered(house: &House) -> Vec<String> {
    let paths = house.files.iter().map(|file| file.path.as_str());
    check(paths)
}

fn check<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut backends: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths {
        if let Some((backend, name)) = path.split_once("/migrations/")
            && backend.starts_with("crates/store-")
        {
            backends.entry(backend).or_default().push(name);
        }
    }
    let mut faults = Vec::new();
    for (backend, names) in &mut backends {
        names.sort_unstable();
        for (at, name) in names.iter().enumerate() {
            let expected = format!("{:04}_", at + 1);
            let is_sql = name.strip_suffix(".sql").is_some_and(is_snake);
            if !name.starts_with(&expected) || !is_sql {
                faults.push(format!(
                    "{backend}/migrations/{name} should be {expected}….sql"
                ));
            }
        }
    }
    let mut pairs = backends.iter();
    if let Some((first, names)) = pairs.next() {
        for (other, theirs) in pairs.filter(|(_, theirs)| *theirs != names) {
            faults.push(format!(
                "{first} and {other} differ: {names:?} and {theirs:?}"
            ));
        }
    }
    faults
}

fn is_snake(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gaps_and_names_are_snakes() {
        assert!(check(["crates/store-a/migrations/0001_first.sql"].into_iter()).is_empty());
        assert_eq!(
            check(["crates/store-a/migrations/0002_first.sql"].into_iter()).len(),
            1
        );
        assert_eq!(
            check(["crates/store-a/migrations/0001_First.sql"].into_iter()).len(),
            1
        );
        assert!(check(["crates/other/migrations/x"].into_iter()).is_empty());
    }

    #[test]
    fn backends_are_paired() {
        let one = "crates/store-a/migrations/0001_first.sql";
        let faults = check([one, "crates/store-b/migrations/0001_second.sql"].into_iter());
        assert_eq!(faults.len(), 1);
        assert!(check([one, "crates/store-b/migrations/0001_first.sql"].into_iter()).is_empty());
    }
}
