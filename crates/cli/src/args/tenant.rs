//! Words of `claviger tenant`.

use clap::{Args, Subcommand};

use super::Output;

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// List tenants and how much they have
    List(TenantListArgs),
    /// Remove a tenant with all it has, and destroy its keys
    ///
    /// Its servers, connections, sign-ins under way and API tokens end at once, on every node, and
    /// its keys are destroyed with them: no copy of its rows opens with the keys that are left.
    /// Its issuers are told, and asked until they confirm; what is owed to them is the default
    /// tenant's from then on.
    ///
    /// A backup holds the wrapped keys as well. To make those useless too, rotate the key
    /// encryption key with `claviger keys rotate --kek` and destroy the old key file.
    Remove(TenantRemoveArgs),
}

/// How to list them.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct TenantListArgs {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub(crate) struct TenantRemoveArgs {
    /// The tenant's name
    #[arg(value_name = "TENANT")]
    pub(crate) tenant: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}
