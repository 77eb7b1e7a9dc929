//! Words of `claviger user`.

use clap::{Args, Subcommand};

use super::Output;

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// End everything a user has
    ///
    /// Their API tokens and sign-ins under way end first, then their connections to every server:
    /// here at once, and then at their issuers, which are asked until they confirm.
    Remove(UserArgs),
}

/// One user, by id.
#[derive(Debug, Clone, Args)]
pub(crate) struct UserArgs {
    /// The user's id
    #[arg(value_name = "USER")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) output: Output,
}
