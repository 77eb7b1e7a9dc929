//! `claviger keys list`.

use claviger_admin_api::{KeyView, Line, Request};

use crate::act::act;
use crate::args::KeysListArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::show;

/// Lists the keys, one row each.
pub(crate) async fn run(_args: KeysListArgs, ctx: &Context<'_>) -> Outcome {
    let mut keys = Vec::new();
    ctx.with_gateway(async |gateway| {
        act(gateway, Request::ListKeys, |line| match line {
            Line::Key(view) => keys.push(view),
            other => ctx.say(&other),
        })
        .await
    })
    .await?;
    if ctx.printer.is_json() {
        for view in keys {
            ctx.printer.json(&Line::Key(view));
        }
        return Ok(Exit::DONE);
    }
    let head = ["KEY", "GENERATION", "SEALS", "WRAPPED BY", "MADE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let is_behind = keys
        .iter()
        .any(|key| !key.is_first_kek && key.purpose != "sentinel");
    rows.extend(keys.into_iter().map(row));
    show::table(ctx.printer, &rows);
    if is_behind {
        ctx.next("claviger keys rotate --kek");
    }
    Ok(Exit::DONE)
}

fn row(key: KeyView) -> Vec<String> {
    let name = match key.tenant {
        Some(tenant) => format!("{} {tenant}", key.purpose),
        None => key.purpose,
    };
    let generation = if key.is_newest {
        format!("{} (in use)", key.generation)
    } else {
        key.generation.to_string()
    };
    let rows = key
        .rows
        .map_or_else(|| "-".to_owned(), |rows| format!("{rows} rows"));
    let kek = if key.is_first_kek {
        key.kek_id
    } else {
        format!("{} (old)", key.kek_id)
    };
    vec![name, generation, rows, kek, key.created_at]
}
