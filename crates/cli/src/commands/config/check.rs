//! `claviger config check`: the configuration was read, and nothing is wrong with it.

use serde_json::json;

use crate::args::CheckArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Says that it is well; a refused configuration never comes this far.
pub(crate) fn run(_args: CheckArgs, ctx: &Context<'_>) -> Exit {
    let file = ctx
        .config
        .file
        .as_ref()
        .map(|file| file.display().to_string());
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({ "ok": true, "file": file }));
        return Exit::DONE;
    }
    let source = file.unwrap_or_else(|| "no config file, defaults and environment".to_owned());
    ctx.printer
        .out(&Text::new().good("ok").plain(": ").plain(source));
    Exit::DONE
}
