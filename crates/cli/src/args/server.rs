//! Words of `claviger server`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use claviger_model::Slug;

use super::Output;

/// What to do with the catalogue of servers.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Add a server and say what was found
    ///
    /// Looks at the server, follows its metadata to its issuer, and stores what was found. Nothing
    /// is stored if that fails.
    // Boxed: it is many times as large as its siblings.
    Add(Box<AddArgs>),
    /// List the servers
    List(ListArgs),
    /// Show one server
    Show(SlugArgs),
    /// Change a server
    ///
    /// What is not named stays as it is. Changing the address, the way requests are authorized, the
    /// issuer, the grant or the client, or taking a scope away, ends the connections that were made
    /// under the old settings: here at once, with the sign-ins under way, and then at their
    /// issuers. A new name, a new secret or key, another scope, switching the server off or on, and
    /// naming the issuer or the scopes that every connection has already keep them.
    // Boxed: it is many times as large as its siblings.
    Set(Box<SetArgs>),
    /// Remove a server, and everything that hangs on it
    ///
    /// Everybody's connections end, here first and then at their issuers. What an issuer does not
    /// confirm is tried again until it does; `claviger status --revocations` lists it.
    Remove(RemoveArgs),
}

/// What `server add` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = ADD_HELP)]
pub(crate) struct AddArgs {
    /// Its name in addresses: 1 to 63 of a-z, 0-9 and -
    #[arg(value_parser = Slug::parse)]
    pub(crate) slug: Slug,
    /// Its MCP endpoint
    pub(crate) url: String,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Allow private and loopback addresses for this server's host
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Store it without looking at it
    #[arg(long)]
    pub(crate) no_discover: bool,
    /// How credentials are obtained
    #[arg(long, value_enum, value_name = "GRANT")]
    pub(crate) grant: Option<GrantArg>,
    /// The id of a client that is registered there already
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// The file with its secret (mode 600), or - for standard input
    #[arg(long, value_name = "FILE", requires = "client_id")]
    #[arg(conflicts_with = "private_key_file")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The file with its private key, PKCS#8 PEM (mode 600), or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) private_key_file: Option<PathBuf>,
    /// The https URL of a client id metadata document
    #[arg(long, value_name = "URL", conflicts_with = "client_id")]
    pub(crate) client_metadata_url: Option<String>,
    /// Accept only this issuer
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// Ask for exactly this scope; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// Send this header instead of signing in: `Name: value`, or @FILE (mode 600) with one a line
    #[arg(long = "header", value_name = "HEADER")]
    #[arg(conflicts_with_all = ["grant", "client_id", "client_metadata_url", "issuer", "scopes"])]
    pub(crate) headers: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `server set` takes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[derive(Debug, Clone, Args)]
#[command(after_help = SET_HELP)]
pub(crate) struct SetArgs {
    /// The server's name
    #[arg(value_name = "SERVER", value_parser = Slug::parse)]
    pub(crate) slug: Slug,
    /// Its MCP endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Forward requests to it, and let people sign in
    #[arg(long)]
    pub(crate) enable: bool,
    /// Forward nothing to it, and let nobody sign in
    #[arg(long, conflicts_with = "enable")]
    pub(crate) disable: bool,
    /// Allow private and loopback addresses for this server's host
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Allow them no longer
    #[arg(long, conflicts_with = "allow_private")]
    pub(crate) no_allow_private: bool,
    /// Store it without looking at it
    #[arg(long)]
    pub(crate) no_discover: bool,
    /// How requests are authorized; secrets of the other ways are forgotten
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) auth: Option<AuthArg>,
    /// How credentials are obtained
    #[arg(long, value_enum, value_name = "GRANT")]
    pub(crate) grant: Option<GrantArg>,
    /// The id of a client that is registered there already
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// The file with its secret (mode 600), or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "private_key_file")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The file with its private key, PKCS#8 PEM (mode 600), or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) private_key_file: Option<PathBuf>,
    /// The https URL of a client id metadata document
    #[arg(long, value_name = "URL", conflicts_with = "client_id")]
    pub(crate) client_metadata_url: Option<String>,
    /// Forget the client: its id, secret, key and document
    #[arg(long, conflicts_with_all = ["client_id", "client_metadata_url"])]
    #[arg(conflicts_with_all = ["client_secret_file", "private_key_file"])]
    pub(crate) no_client: bool,
    /// Accept only this issuer
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// Accept the issuer that the server names
    #[arg(long, conflicts_with = "issuer")]
    pub(crate) no_issuer: bool,
    /// Ask for exactly this scope; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// Ask for the scopes that the server names
    #[arg(long, conflicts_with = "scopes")]
    pub(crate) no_scope: bool,
    /// Send this header, in place of all there are: `Name: value`, or @FILE (mode 600) with one a
    /// line
    #[arg(long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// Change it even if that ends the connections of other users
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `server remove` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoveArgs {
    /// The server's name
    #[arg(value_name = "SERVER", value_parser = Slug::parse)]
    pub(crate) slug: Slug,
    /// Remove it even if that ends the connections of other users
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Ways to authorize requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthArg {
    /// Send fixed headers
    Headers,
    /// Send nothing
    None,
    /// Sign in
    Oauth,
}

/// Grants a server may be used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GrantArg {
    /// A person signs in
    #[value(name = "authorization_code", alias = "authorization-code")]
    AuthorizationCode,
    /// The client signs in by itself, with its secret or key
    #[value(name = "client_credentials", alias = "client-credentials")]
    ClientCredentials,
}

/// What `server list` takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// One server, by its name.
#[derive(Debug, Clone, Args)]
pub(crate) struct SlugArgs {
    /// The server's name
    #[arg(value_name = "SERVER", value_parser = Slug::parse)]
    pub(crate) slug: Slug,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl GrantArg {
    /// The word of RFC 6749.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

impl AuthArg {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::None => "none",
            Self::Oauth => "oauth",
        }
    }
}

const SET_HELP: &str = "\
A secret goes only to the host it was given for. When the address moves to another host, fixed
headers and the client's secret or key have to be given again in the same command.

Examples:
  claviger server set linear --name \"Linear (work)\"
  claviger server set linear --url https://mcp.linear.app/v2/mcp
  claviger server set robot --client-secret-file ./new-secret
  claviger server set weather --auth headers --header @./headers
  claviger server set linear --disable";

const ADD_HELP: &str = "\
Examples:
  claviger server add linear https://mcp.linear.app/mcp
  claviger server add mine http://127.0.0.1:3000/mcp --allow-private
  claviger server add robot https://mcp.example/mcp --grant client_credentials \\
      --client-id robot --client-secret-file ./secret
  pass show weather | claviger server add weather https://weather.example/mcp \\
      --client-id me --client-secret-file -";
