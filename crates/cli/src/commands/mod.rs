//! One file per command.

use crate::args::{
    AuditCommand, Command, ConfigCommand, KeysCommand, ServerCommand, StoreCommand, TenantCommand,
    UserCommand,
};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod docs;

mod backup;
mod call;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod keys;
mod login;
mod logout;
mod restore;
mod serve;
mod server;
mod status;
mod store;
mod tenant;
mod tools;
mod user;

/// What a command comes to.
pub(crate) type Outcome = Result<Exit, CommandError>;

/// Runs one command.
pub(crate) async fn run(command: Command, ctx: &Context<'_>) -> Outcome {
    match command {
        Command::Audit(AuditCommand::Export(args)) => Box::pin(audit::export::run(args, ctx)).await,
        Command::Audit(AuditCommand::List(args)) => Box::pin(audit::list::run(args, ctx)).await,
        Command::Audit(AuditCommand::Verify(args)) => Box::pin(audit::verify::run(args, ctx)).await,
        Command::Backup(args) => Box::pin(backup::run(args, ctx)).await,
        Command::Call(args) => call::run(args, ctx).await,
        Command::Config(ConfigCommand::Check(args)) => Ok(config::check::run(args, ctx)),
        Command::Config(ConfigCommand::Show(args)) => Ok(config::show::run(args, ctx)),
        #[cfg(feature = "demo")]
        Command::Demo(args) => Box::pin(demo::run(&args, ctx)).await,
        Command::Docs => Ok(docs::run(ctx.printer)),
        Command::Doctor(args) => doctor::run(args, ctx).await,
        Command::Keys(KeysCommand::List(args)) => keys::list::run(args, ctx).await,
        Command::Keys(KeysCommand::New(args)) => keys::new::run(&args, ctx),
        Command::Keys(KeysCommand::Rotate(args)) => keys::rotate::run(args, ctx).await,
        Command::Keys(KeysCommand::Verify(args)) => keys::verify::run(args, ctx).await,
        Command::Login(args) => login::run(args, ctx).await,
        Command::Logout(args) => logout::run(args, ctx).await,
        Command::Restore(args) => Box::pin(restore::run(args, ctx)).await,
        Command::Serve(args) => serve::run(args, ctx).await,
        Command::Server(ServerCommand::Add(args)) => server::add::run(*args, ctx).await,
        Command::Server(ServerCommand::List(args)) => server::list::run(args, ctx).await,
        Command::Server(ServerCommand::Remove(args)) => server::remove::run(args, ctx).await,
        Command::Server(ServerCommand::Set(args)) => server::set::run(*args, ctx).await,
        Command::Server(ServerCommand::Show(args)) => server::show::run(args, ctx).await,
        Command::Status(args) => status::run(args, ctx).await,
        Command::Store(StoreCommand::Check(args)) => Box::pin(store::check::run(args, ctx)).await,
        Command::Store(StoreCommand::Copy(args)) => Box::pin(store::copy::run(args, ctx)).await,
        Command::Store(StoreCommand::Migrate(args)) => {
            Box::pin(store::migrate::run(args, ctx)).await
        }
        Command::Tenant(TenantCommand::List(args)) => tenant::list::run(args, ctx).await,
        Command::Tenant(TenantCommand::Remove(args)) => tenant::remove::run(args, ctx).await,
        Command::Tools(args) => tools::run(args, ctx).await,
        Command::User(UserCommand::Remove(args)) => user::remove(args, ctx).await,
    }
}

impl Command {
    /// Whether a program reads stdout.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Audit(AuditCommand::Export(_)) => true,
            Self::Audit(AuditCommand::List(args)) => args.output.json,
            Self::Audit(AuditCommand::Verify(args)) => args.output.json,
            Self::Backup(args) => args.output.json,
            Self::Call(args) => args.json.is_some(),
            Self::Config(ConfigCommand::Check(args)) => args.output.json,
            Self::Config(ConfigCommand::Show(args)) => args.output.json,
            #[cfg(feature = "demo")]
            Self::Demo(args) => args.output.json,
            Self::Docs => false,
            Self::Doctor(args) => args.output.json,
            Self::Keys(KeysCommand::List(args)) => args.output.json,
            Self::Keys(KeysCommand::New(args)) => args.output.json,
            Self::Keys(KeysCommand::Rotate(args)) => args.output.json,
            Self::Keys(KeysCommand::Verify(args)) => args.output.json,
            Self::Login(args) => args.output.json,
            Self::Logout(args) => args.output.json,
            Self::Restore(args) => args.output.json,
            Self::Serve(args) => args.output.json,
            Self::Server(ServerCommand::Add(args)) => args.output.json,
            Self::Server(ServerCommand::List(args)) => args.output.json,
            Self::Server(ServerCommand::Remove(args)) => args.output.json,
            Self::Server(ServerCommand::Set(args)) => args.output.json,
            Self::Server(ServerCommand::Show(args)) => args.output.json,
            Self::Status(args) => args.output.json,
            Self::Store(StoreCommand::Check(args)) => args.output.json,
            Self::Store(StoreCommand::Copy(args)) => args.output.json,
            Self::Store(StoreCommand::Migrate(args)) => args.output.json,
            Self::Tenant(TenantCommand::List(args)) => args.output.json,
            Self::Tenant(TenantCommand::Remove(args)) => args.output.json,
            Self::Tools(args) => args.output.json,
            Self::User(UserCommand::Remove(args)) => args.output.json,
        }
    }
}

#[cfg(test)]
mod tests;
