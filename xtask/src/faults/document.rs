//! `docs/faults.md`: the last figures, between two marks.

use core::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::machine::ask;

const FILE: &str = "docs/faults.md";
const BEGIN: &str = "<!-- figures:begin -->\n";
const END: &str = "<!-- figures:end -->";

/// Replaces the figures by those of a run; what did not run keeps its row.
pub(crate) fn write(root: &Path, lines: &[String]) -> Result<()> {
    let path = root.join(FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    let (head, rest) = text
        .split_once(BEGIN)
        .context("the figures have no beginning")?;
    let (old, tail) = rest.split_once(END).context("the figures have no end")?;
    let mut rows = kept(old);
    for row in lines.iter().filter_map(|line| row(line)) {
        rows.retain(|known| name(known) != name(&row));
        rows.push(row);
    }
    rows.sort_by_key(|row| name(row).to_owned());
    let renewed = format!("{head}{BEGIN}{}{END}{tail}", table(&rows, &machine()));
    fs::write(&path, renewed).with_context(|| format!("cannot write {FILE}"))
}

fn kept(old: &str) -> Vec<String> {
    let rows = old
        .lines()
        .filter(|line| line.starts_with("| F") || line.starts_with("| A"));
    rows.map(ToOwned::to_owned).collect()
}

fn name(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or_default().trim()
}

fn row(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let mut figures = String::new();
    for (name, value) in line["figures"].as_object()? {
        let comma = if figures.is_empty() { "" } else { ", " };
        write!(figures, "{comma}{name} {value}").ok();
    }
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    Some(format!(
        "| {} | {} | {} | {} | {figures} |",
        text("name"),
        text("title"),
        text("result"),
        line["rounds"]
    ))
}

fn machine() -> String {
    let day = ask("date", &["-u", "+%F"]).unwrap_or_default();
    let cores = ask("nproc", &[]).unwrap_or_default();
    format!("Last run: {day}, {cores} cores, debug profile.")
}

fn table(rows: &[String], machine: &str) -> String {
    let head = "| scenario | what is done | result | rounds | figures |\n|---|---|---|---|---|";
    format!("{machine}\n\n{head}\n{}\n", rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_row_and_replaces_its_elder() {
        let line = r#"{"name":"F01/sqlite","title":"kill","result":"holds","rounds":25,"figures":{"kills":25,"lost":0}}"#;
        let row = row(line).unwrap();
        assert_eq!(row, "| F01/sqlite | kill | holds | 25 | kills 25, lost 0 |");
        let table = table(std::slice::from_ref(&row), "today");
        assert_eq!(kept(&table), [row]);
        assert!(super::row("F01 holds").is_none());
    }
}
