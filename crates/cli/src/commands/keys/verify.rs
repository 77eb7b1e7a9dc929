//! `claviger keys verify`.

use claviger_admin_api::Request;

use super::report;
use crate::args::KeysVerifyArgs;
use crate::commands::Outcome;
use crate::context::Context;

/// Opens the keys and what they seal.
pub(crate) async fn run(args: KeysVerifyArgs, ctx: &Context<'_>) -> Outcome {
    report::run(Request::VerifyKeys { all: args.all }, ctx).await
}
