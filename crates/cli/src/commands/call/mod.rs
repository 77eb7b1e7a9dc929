//! `claviger call`: one tool, once.

use serde_json::{Map, Value};

use crate::args::CallArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::mcp::converse;
use crate::printer::Text;

/// Calls a tool and prints what it answers.
pub(crate) async fn run(args: CallArgs, ctx: &Context<'_>) -> Outcome {
    let arguments = arguments(&args)?;
    let slug = args.slug.as_str();
    let version = args.protocol_version.as_deref();
    let result = converse(ctx, slug, version, async |conversation| {
        conversation.call(&args.tool, &arguments).await
    })
    .await?;
    let has_failed = result
        .get("isError")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if ctx.printer.is_json() {
        ctx.printer.json(&result);
    } else {
        show(&result, ctx);
        if has_failed {
            let line = Text::new()
                .bad("error:")
                .plain(format!(" {} reports an error", args.tool));
            ctx.printer.talk(&line);
        }
    }
    Ok(if has_failed {
        Exit::REFUSED
    } else {
        Exit::DONE
    })
}

/// The arguments from `--json` and `--arg`; the latter are added.
fn arguments(args: &CallArgs) -> Result<Value, CommandError> {
    let mut arguments = match args.json.as_deref().map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(Value::Object(arguments))) => arguments,
        Some(_) => {
            let error = usage("the value of --json is not a JSON object");
            return Err(error.with_hint("quote it for the shell: --json '{\"limit\": 5}'"));
        }
    };
    for pair in &args.args {
        let (name, value) = pair
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| {
                usage("an --arg has no name").with_hint("--arg NAME=VALUE, such as --arg limit=5")
            })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        arguments.insert(name.to_owned(), value);
    }
    Ok(Value::Object(arguments))
}

fn usage(message: &str) -> CommandError {
    CommandError::new(Exit::USAGE, "arguments", message)
}

/// Prints a result for a person: text as text, everything else as a note of what it is.
fn show(result: &Value, ctx: &Context<'_>) {
    let content: &[Value] = result
        .get("content")
        .and_then(Value::as_array)
        .map_or(&[], |all| all);
    for item in content {
        ctx.printer.out(&item_text(item));
    }
    // A server repeats structured content as text for older clients; only alone it is shown.
    if let Some(structured) = result
        .get("structuredContent")
        .filter(|_| content.is_empty())
    {
        ctx.printer
            .out(&Text::new().block(format!("{structured:#}")));
    }
}

fn item_text(item: &Value) -> Text {
    let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
    let note = |what: &str, of: &Value| {
        let kind = of
            .get("mimeType")
            .and_then(Value::as_str)
            .unwrap_or("unknown type");
        Text::new().dim(format!("[{what}, {kind}]"))
    };
    match text("type") {
        "text" => Text::new().block(text("text").trim_end_matches('\n')),
        kind @ ("image" | "audio") => note(kind, item),
        "resource_link" => Text::new().dim("[link] ").plain(text("uri")),
        "resource" => {
            let resource = item.get("resource").unwrap_or(&Value::Null);
            match resource.get("text").and_then(Value::as_str) {
                Some(text) => Text::new().block(text.trim_end_matches('\n')),
                None => note("resource", resource),
            }
        }
        other => Text::new().dim(format!("[{other}]")),
    }
}

#[cfg(test)]
mod tests;
