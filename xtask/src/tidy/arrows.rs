//! Who may depend on whom: floors, adapters, and the owners of third-party crates.

use std::collections::BTreeMap;

use crate::repository::{Dependency, Metadata, Package, entries};

use super::House;

/// An arrow between our crates goes to a strictly lower floor.
pub(super) fn point_down(house: &House) -> Vec<String> {
    upward(&house.metadata)
}

/// `store-*` and `egress` are named by programs, by `config` for their settings, and by tests.
pub(super) fn adapters_are_named_by_programs(house: &House) -> Vec<String> {
    arrows(&house.metadata)
        .filter(|(_, arrow)| !arrow.is_dev() && is_adapter(&arrow.name))
        .filter(|(package, _)| !PROGRAMS.contains(&package.name.as_str()))
        .map(|(package, arrow)| {
            let (from, to) = (&package.name, &arrow.name);
            format!("{from} -> {to}: an adapter is named by programs only")
        })
        .collect()
}

/// A third-party crate with an owner in `xtask/wrappers.txt` is used by its owners alone.
pub(super) fn third_parties_stay_behind_their_owner(house: &House) -> Vec<String> {
    let owners = wrappers(house.text("xtask/wrappers.txt"));
    arrows(&house.metadata)
        .filter(|(_, arrow)| !arrow.is_dev())
        .filter(|(package, arrow)| {
            let allowed = owners.get(&arrow.name);
            allowed.is_some_and(|allowed| !allowed.contains(&package.name))
        })
        .map(|(package, arrow)| {
            let (from, to) = (&package.name, &arrow.name);
            format!("{from} -> {to}: see xtask/wrappers.txt for who may use it")
        })
        .collect()
}

fn upward(metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    let mut floors = BTreeMap::new();
    for package in &metadata.packages {
        match package.floor() {
            Some(floor) => {
                floors.insert(package.name.as_str(), floor);
            }
            None if package.name == "xtask" => {}
            None => faults.push(format!("{}: no floor in its manifest", package.name)),
        }
    }
    for (package, arrow) in arrows(metadata) {
        let (from, to) = (package.name.as_str(), arrow.name.as_str());
        let (Some(floor), Some(below)) = (floors.get(from), floors.get(to)) else {
            continue;
        };
        let is_test_help = arrow.is_dev() && to == "claviger-testkit";
        if below >= floor && !is_test_help {
            faults.push(format!(
                "{from} -> {to}: from floor {floor} to floor {below}"
            ));
        }
    }
    faults
}

fn arrows(metadata: &Metadata) -> impl Iterator<Item = (&Package, &Dependency)> {
    metadata.packages.iter().flat_map(|package| {
        package
            .dependencies
            .iter()
            .map(move |arrow| (package, arrow))
    })
}

fn is_adapter(name: &str) -> bool {
    name.starts_with("claviger-store-") || name == "claviger-egress"
}

/// Each owned crate and who may use it; a line without a colon owns a crate nobody may use.
fn wrappers(text: &str) -> BTreeMap<String, Vec<String>> {
    let lines = entries(text);
    lines
        .iter()
        .map(|line| {
            let (name, allowed) = line.split_once(':').unwrap_or((line, ""));
            let allowed = allowed.split_whitespace().map(str::to_owned).collect();
            (name.to_owned(), allowed)
        })
        .collect()
}

const PROGRAMS: &[&str] = &[
    "claviger-cli",
    "claviger-config",
    "claviger-e2e",
    "claviger-embed",
    "claviger-server",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn house(text: &str) -> Vec<String> {
        upward(&serde_json::from_str(text).unwrap())
    }

    fn package(name: &str, floor: i64, to: &str, kind: &str) -> String {
        format!(
            r#"{{"name":"{name}","description":"",
                "metadata":{{"claviger":{{"floor":{floor}}}}},
                "dependencies":[{{"name":"{to}","kind":{kind}}}]}}"#
        )
    }

    #[test]
    fn an_arrow_up_is_refused() {
        let low = package("low", 1, "high", "null");
        let high = package("high", 2, "serde", "null");
        let faults = house(&format!(r#"{{"packages":[{low},{high}]}}"#));
        assert_eq!(faults, ["low -> high: from floor 1 to floor 2"]);
    }

    #[test]
    fn an_arrow_along_a_floor_is_refused_even_for_tests() {
        let one = package("one", 2, "two", r#""dev""#);
        let two = package("two", 2, "claviger-testkit", r#""dev""#);
        let kit = package("claviger-testkit", 4, "two", "null");
        let faults = house(&format!(r#"{{"packages":[{one},{two},{kit}]}}"#));
        assert_eq!(faults, ["one -> two: from floor 2 to floor 2"]);
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        let text = r#"{"packages":[{"name":"a","description":"",
            "metadata":null,"dependencies":[]}]}"#;
        assert_eq!(house(text), ["a: no floor in its manifest"]);
    }
}
