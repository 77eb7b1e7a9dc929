//! Versions, lints and licences stand at the root, and members inherit them.

use toml::{Table, Value};

use super::House;

/// A member names what it uses and nothing else: no version, no path, no lint of its own.
pub(super) fn inherit_from_the_root(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for file in &house.files {
        // The fuzz targets are a workspace of their own.
        let is_outside = ["tests/", "fuzz/"]
            .iter()
            .any(|folder| file.path.starts_with(folder));
        let is_member = file.path.ends_with("/Cargo.toml") && !is_outside;
        // What cargo cannot parse never comes this far.
        if let Some(manifest) = file.text.parse().ok().filter(|_| is_member) {
            let found = check(&manifest);
            faults.extend(
                found
                    .into_iter()
                    .map(|fault| format!("{} {fault}", file.path)),
            );
        }
    }
    faults
}

fn check(manifest: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    if !manifest.get("lints").is_some_and(inherits) {
        faults.push("does not inherit the lints of the workspace".to_owned());
    }
    let package = manifest.get("package").and_then(Value::as_table);
    for key in INHERITED {
        if !package
            .and_then(|package| package.get(*key))
            .is_some_and(inherits)
        {
            faults.push(format!("does not inherit `{key}` from the workspace"));
        }
    }
    if !package.is_some_and(|package| package.contains_key("description")) {
        faults.push("has no description".to_owned());
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(section).and_then(Value::as_table) else {
            continue;
        };
        for (name, value) in dependencies {
            let chooses = CHOOSERS.contains(&(package_name(package), name));
            if !inherits(value) {
                faults.push(format!(
                    "names a version or a path of {name}; the root does that"
                ));
            }
            // A feature added here would make cargo build the world twice.
            if value.get("features").is_some() && !name.starts_with("claviger-") && !chooses {
                faults.push(format!("adds features to {name}; the root chooses them"));
            }
        }
    }
    faults
}

fn package_name(package: Option<&Table>) -> &str {
    let name = package.and_then(|package| package.get("name"));
    name.and_then(Value::as_str).unwrap_or_default()
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// Each backend brings its own database, so that nobody builds one that is not asked for.
const CHOOSERS: &[(&str, &str)] = &[
    ("claviger-store-postgres", "sqlx"),
    ("claviger-faults", "sqlx"),
    ("claviger-store-sqlite", "sqlx"),
];

const INHERITED: &[&str] = &[
    "version",
    "edition",
    "rust-version",
    "license",
    "repository",
    "publish",
];

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname='a'\ndescription='b'\nversion.workspace=true\nedition.workspace=true\nrust-version.workspace=true\nlicense.workspace=true\nrepository.workspace=true\npublish.workspace=true\n[lints]\nworkspace=true\n[dependencies]\n";

    fn faults(more: &str) -> Vec<String> {
        check(&format!("{GOOD}{more}").parse().unwrap())
    }

    #[test]
    fn a_member_that_inherits_everything_passes() {
        assert!(
            faults("serde.workspace = true\nb = { workspace = true, optional = true }").is_empty()
        );
    }

    #[test]
    fn versions_paths_and_features_belong_to_the_root() {
        assert_eq!(faults("serde = '1'").len(), 1);
        assert_eq!(faults("b = { path = '../b' }").len(), 1);
        assert_eq!(
            faults("b = { workspace = true, features = ['x'] }").len(),
            1
        );
        assert!(faults("claviger-b = { workspace = true, features = ['x'] }").is_empty());
        let sqlx = format!("{GOOD}sqlx = {{ workspace = true, features = ['x'] }}");
        assert_eq!(check(&sqlx.parse().unwrap()).len(), 1);
        let backend = sqlx.replace("name='a'", "name='claviger-store-sqlite'");
        assert!(check(&backend.parse().unwrap()).is_empty());
    }

    #[test]
    fn a_manifest_without_lints_is_refused() {
        let manifest = GOOD
            .replace("[lints]\nworkspace=true\n", "")
            .parse()
            .unwrap();
        assert_eq!(
            check(&manifest),
            ["does not inherit the lints of the workspace"]
        );
    }
}
