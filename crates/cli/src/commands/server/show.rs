//! `claviger server show`.

use claviger_admin_api::Request;

use crate::act::act;
use crate::args::SlugArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;

/// Shows one server and everything that is known about it.
pub(crate) async fn run(args: SlugArgs, ctx: &Context<'_>) -> Outcome {
    let request = Request::ShowServer {
        slug: args.slug.to_string(),
    };
    ctx.with_gateway(async |gateway| act(gateway, request, |line| ctx.say(&line)).await)
        .await
        .map_err(|error| error.about(args.slug.as_str()))?;
    Ok(Exit::DONE)
}
