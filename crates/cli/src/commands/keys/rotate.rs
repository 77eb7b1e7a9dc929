//! `claviger keys rotate`.

use claviger_admin_api::Request;

use super::report;
use crate::args::KeysRotateArgs;
use crate::commands::Outcome;
use crate::context::Context;

/// Turns the keys, and says how far it has come.
pub(crate) async fn run(args: KeysRotateArgs, ctx: &Context<'_>) -> Outcome {
    let request = Request::RotateKeys {
        kek: args.kek,
        drop_old: args.drop_old,
        dry_run: args.dry_run,
    };
    report::run(request, ctx).await
}
