//! `claviger keys new`: a key file, and nothing else.

use serde_json::json;

use crate::args::KeysNewArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::engine;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::printer::Text;

/// Makes a key file that nothing uses yet.
pub(crate) fn run(args: &KeysNewArgs, ctx: &Context<'_>) -> Outcome {
    let path = args.path.display().to_string();
    if !engine::make_key_file(&args.path)? {
        let failed = CommandError::new(Exit::REFUSED, "exists", format!("{path} is there already"));
        return Err(failed.with_hint("name another file; a key that is overwritten is lost"));
    }
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({ "key_file": path }));
        return Ok(Exit::DONE);
    }
    ctx.printer.out(&Text::new().good("✓ made ").plain(path));
    ctx.printer.talk(&Text::new().dim(
        "  it is used once keys.file names it, and keys.old_files the one before, on every node",
    ));
    Ok(Exit::DONE)
}
