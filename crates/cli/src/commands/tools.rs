//! `claviger tools`: what a server can do.

use serde_json::Value;

use crate::args::ToolsArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::mcp::converse;
use crate::printer::Text;

/// Lists the tools of a server.
pub(crate) async fn run(args: ToolsArgs, ctx: &Context<'_>) -> Outcome {
    let slug = args.slug.as_str();
    let version = args.protocol_version.as_deref();
    let (tools, left_out) = converse(ctx, slug, version, async |conversation| {
        let tools = conversation.tools().await?;
        Ok((tools, conversation.left_out().to_vec()))
    })
    .await?;
    for name in left_out {
        let why = " is left out: its x-mcp-header annotations cannot be followed";
        ctx.printer
            .talk(&Text::new().warn("! warning ").plain(name).plain(why));
    }
    if ctx.printer.is_json() {
        for tool in &tools {
            ctx.printer.json(tool);
        }
        return Ok(Exit::DONE);
    }
    if tools.is_empty() {
        ctx.printer
            .talk(&Text::line(format!("{slug} has no tools")));
    }
    for tool in &tools {
        let text = |key| tool.get(key).and_then(Value::as_str).unwrap_or_default();
        let first = text("description")
            .lines()
            .find(|line| !line.trim().is_empty());
        ctx.printer.out(&Text::new().bold(text("name")));
        if let Some(first) = first {
            ctx.printer.out(&Text::line("  ").plain(first.trim()));
        }
        let parameters = parameters(tool);
        if !parameters.is_empty() {
            ctx.printer.out(&Text::new().dim(format!("  {parameters}")));
        }
    }
    Ok(Exit::DONE)
}

/// The arguments with their types; those that may be left out in brackets.
fn parameters(tool: &Value) -> String {
    let properties = tool
        .pointer("/inputSchema/properties")
        .and_then(Value::as_object);
    let required = tool
        .pointer("/inputSchema/required")
        .and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
    let shown = properties.into_iter().flatten().map(|(name, schema)| {
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or("any");
        if is_required(name) {
            format!("{name}: {kind}")
        } else {
            format!("[{name}: {kind}]")
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}
