//! The command line.

use std::path::PathBuf;

/// What was asked for.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one word of the command line"
)]
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) binary: PathBuf,
    pub(crate) seed: u64,
    pub(crate) only: Vec<String>,
    pub(crate) rounds: Option<u64>,
    pub(crate) is_json: bool,
    pub(crate) is_list: bool,
    pub(crate) is_long: bool,
    pub(crate) has_failpoints: bool,
    /// A skip is a failure.
    pub(crate) is_strict: bool,
}

pub(crate) const USAGE: &str = "\
usage: claviger-faults --binary PATH [--only F01,F02/sqlite,…] [--long] [--rounds N] [--seed N]
                       [--failpoints] [--no-skip] [--json] [--list]";

/// Reads it; an error is a sentence.
pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        seed: 20_261,
        ..Arguments::default()
    };
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value\n{USAGE}"));
        let number = |text: String| {
            let parsed = text.parse::<u64>();
            parsed.map_err(|error| format!("{text} is no number: {error}"))
        };
        match word.as_str() {
            "--binary" => arguments.binary = PathBuf::from(value()?),
            "--only" => arguments.only = value()?.split(',').map(ToOwned::to_owned).collect(),
            "--seed" => arguments.seed = number(value()?)?,
            "--rounds" => arguments.rounds = Some(number(value()?)?),
            "--failpoints" => arguments.has_failpoints = true,
            "--no-skip" => arguments.is_strict = true,
            "--json" => arguments.is_json = true,
            "--list" => arguments.is_list = true,
            "--long" => arguments.is_long = true,
            other => return Err(format!("unknown argument {other}\n{USAGE}")),
        }
    }
    Ok(arguments)
}
