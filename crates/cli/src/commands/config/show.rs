//! `claviger config show`: every setting as it stands.

use claviger_config::Entry;

use crate::args::ShowArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Prints a config file that says what is in force. A secret is shown as `[redacted]`.
pub(crate) fn run(args: ShowArgs, ctx: &Context<'_>) -> Exit {
    let entries = ctx.config.entries();
    if ctx.printer.is_json() {
        for entry in entries {
            ctx.printer.json(entry);
        }
        return Exit::DONE;
    }
    let mut last = None;
    for entry in entries {
        let section = entry.key.split_once('.').map(|(section, _)| section);
        if section != last {
            ctx.printer.out(&Text::new());
            ctx.printer
                .out(&Text::new().bold(format!("[{}]", section.unwrap_or_default())));
            last = section;
        }
        ctx.printer.out(&line(entry, args.origin));
    }
    Exit::DONE
}

fn line(entry: &Entry, with_origin: bool) -> Text {
    let key = entry
        .key
        .split_once('.')
        .map_or(entry.key.as_str(), |(_, key)| key);
    // The data directory is no key of the file, and TOML has no word for "not set".
    let text = match &entry.value {
        Some(value) if key == entry.key => format!("# {key} = {value}"),
        Some(value) => format!("{key} = {value}"),
        None => format!("# {key} is not set"),
    };
    let text = Text::line(text);
    if with_origin {
        text.dim(format!("  # {}", entry.origin))
    } else {
        text
    }
}
