//! The table of crates in ARCHITECTURE.md, written from the manifests so that it cannot drift.

use core::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use crate::repository::Metadata;

use super::House;

/// The table says what the manifests say.
pub(super) fn is_up_to_date(house: &House) -> Vec<String> {
    let text = house.text(FILE);
    match replace(text, &table(&house.metadata)) {
        Ok(renewed) if renewed == text => Vec::new(),
        Ok(_) => vec![format!(
            "{FILE} differs from the manifests; run `cargo xtask tidy --write`"
        )],
        Err(error) => vec![error.to_string()],
    }
}

/// Renews the table.
pub(super) fn write(house: &House) -> Result<()> {
    let renewed = replace(house.text(FILE), &table(&house.metadata))?;
    fs::write(house.root.join(FILE), renewed).with_context(|| format!("cannot write {FILE}"))
}

fn table(metadata: &Metadata) -> String {
    let mut rows: Vec<(i64, &str, &str)> = metadata
        .packages
        .iter()
        .filter_map(|package| {
            let name = package.name.trim_start_matches("claviger-");
            Some((
                package.floor()?,
                name,
                package.description.as_deref().unwrap_or_default(),
            ))
        })
        .collect();
    rows.sort_unstable();
    let mut text = String::from("| floor | crate | what it is |\n|---|---|---|\n");
    for (floor, name, description) in rows {
        let description = description.trim_end_matches('.');
        writeln!(
            text,
            "| {floor} | [`{name}`](crates/{name}/src) | {description} |"
        )
        .ok();
    }
    text
}

fn replace(text: &str, table: &str) -> Result<String> {
    let (head, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("no `{BEGIN}` in {FILE}"))?;
    let (_, tail) = rest
        .split_once(END)
        .with_context(|| format!("no `{END}` in {FILE}"))?;
    Ok(format!("{head}{BEGIN}\n{table}{END}{tail}"))
}

const FILE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- crates:begin -->";
const END: &str = "<!-- crates:end -->";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_table_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(
            replace(&text, "new\n").unwrap(),
            format!("a\n{BEGIN}\nnew\n{END}\nb\n")
        );
        assert!(replace("no marks", "new").is_err());
    }
}
