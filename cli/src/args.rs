//! What can be typed.

pub mod migrate;
pub mod storage;
mod time;

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use credlink_auth::jwt::settings::{Jwks, JwtSettings, TENANT_CLAIM};
use credlink_core::bounds::MAX_LIFETIME_SECONDS;
use credlink_core::manifest_id::ManifestId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use crate::exit;

/// The folder of a server or a check that was not told another.
const DATA_DIR: &str = "./credlink-data";

/// Keeps the proof of a picture or a video outside the file, and finds it again.
#[derive(Debug, Parser)]
#[command(name = "credlink", version, after_long_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// Print JSON: results on stdout, problems on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Which CredLink to work with.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Which CredLink a command works with, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub struct Connection {
    /// The server; serve, fsck, cleanup, rebuild, storage and migrate take none
    #[arg(long, global = true, env = "CREDLINK_URL", default_value = "http://127.0.0.1:8787")]
    pub url: String,
    /// A folder to work on directly, without a server
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The access token that the server knows you by
    #[arg(long, global = true, env = "CREDLINK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Whose proofs: proof ids are derived from the file and its owner
    #[arg(long, global = true, env = "CREDLINK_TENANT", default_value = "default", value_name = "NAME")]
    pub tenant: Tenant,
    /// Whether that was said, with the option or its variable.
    #[arg(skip)]
    pub tenant_is_named: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service over a folder of this machine
    Serve(Serve),
    /// Store the proof of a file
    Put(Put),
    /// Print the record of a proof, or write its manifest
    Get(Get),
    /// Find the proof of a file, and check everything that can be checked
    Verify(Verify),
    /// List proofs, oldest first
    List(List),
    /// Delete a proof
    Delete(Delete),
    /// Withdraw a manifest that was published by mistake, or publish it again; its proofs stay
    Withdraw(Withdraw),
    /// Print which tenant's manifest a plain address serves, or decide it
    Front(Front),
    /// Check every guarantee over a whole deployment; in a folder, over one that no server is running on
    Fsck(Fsck),
    /// Remove now what is due and what nothing names, as servers and functions do by themselves
    Cleanup(Cleanup),
    /// Make the index anew from the objects, or bring one up to date that is older than they are
    Rebuild(Rebuild),
    /// Print counts, bytes and the cache's hit rate
    Stats,
    /// Work with the objects of a provider: S3, R2 or a folder
    Storage(storage::Storage),
    /// Move everything that another store has, and show that nothing was lost
    Migrate(migrate::Migrate),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Read one media file, for another process of this program
    #[command(hide = true)]
    ReadMedia(ReadMedia),
}

/// Run the service over a folder of this machine.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "CREDLINK_LISTEN", default_value = "127.0.0.1:8787", value_name = "HOST:PORT")]
    pub listen: String,
    /// The folder that holds everything; made if there is none
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// What stands before the paths in links; by default the address it listens on
    #[arg(long, env = "CREDLINK_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// A file of access tokens; without tokens of any kind, only this machine may be served
    #[arg(long, env = "CREDLINK_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Which JSON Web Tokens are taken.
    #[command(flatten)]
    pub jwt: Jwt,
}

/// Which JSON Web Tokens the server takes, beside the tokens of a file or without any.
#[derive(Debug, Args)]
#[command(next_help_heading = "JSON Web Tokens")]
pub struct Jwt {
    /// The public keys of their issuer, as a JSON Web Key Set
    #[arg(
        long,
        env = "CREDLINK_JWKS",
        value_name = "FILE|URL",
        requires = "jwt_issuer",
        requires = "jwt_audience"
    )]
    pub jwks: Option<Jwks>,
    /// Their issuer: what `iss` has to be
    #[arg(long, env = "CREDLINK_JWT_ISSUER", value_name = "NAME", requires = "jwks")]
    pub jwt_issuer: Option<String>,
    /// Whom they are for: what `aud` has to name
    #[arg(long, env = "CREDLINK_JWT_AUDIENCE", value_name = "NAME", requires = "jwks")]
    pub jwt_audience: Option<String>,
    /// The claim that names the tenant
    #[arg(long, env = "CREDLINK_JWT_TENANT_CLAIM", value_name = "CLAIM", default_value = TENANT_CLAIM)]
    pub jwt_tenant_claim: String,
    /// The tenant of tokens without that claim; they are refused by default
    #[arg(long, env = "CREDLINK_JWT_DEFAULT_TENANT", value_name = "NAME", requires = "jwks")]
    pub jwt_default_tenant: Option<Tenant>,
}

impl Jwt {
    /// The settings, if there are any.
    pub fn settings(&self) -> Option<JwtSettings> {
        // Either all three are given or none: what was typed is checked for that.
        Some(JwtSettings {
            jwks: self.jwks.clone()?,
            issuer: self.jwt_issuer.clone()?,
            audience: self.jwt_audience.clone()?,
            tenant_claim: self.jwt_tenant_claim.clone(),
            default_tenant: self.jwt_default_tenant.clone(),
        })
    }
}

/// Store the proof of a file.
#[derive(Debug, Args)]
pub struct Put {
    /// The picture or video; - is standard input
    pub file: PathBuf,
    /// The manifest, C2PA or JSON; by default the one in the file, or beside it as FILE.c2pa, its stem .c2pa or FILE.json; - is standard
    /// input
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// A file that holds a detached signature of the manifest; one that is not text is sent in base64
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// The file's media type, which it is also read as; by default found from its content or name
    #[arg(long, value_name = "TYPE")]
    pub media_type: Option<String>,
    /// How long to keep the proof, in seconds, or with a unit such as 90m, 12h or 30d; a year by default
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub expires_in: Option<u64>,
    /// A tag; may be given up to ten times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
    /// Only the owner, and holders of signed links, may read it
    #[arg(long)]
    pub private: bool,
}

/// Print the record of a proof, or write its manifest.
#[derive(Debug, Args)]
pub struct Get {
    /// A file (- is standard input), its hash, a proof id, a manifest id, the URL of a record or manifest, or the id that a
    /// proof had in the store it was taken over from
    #[arg(value_name = "FILE|HASH|ID|URI")]
    pub subject: String,
    /// The manifest instead of the record: its exact bytes
    #[arg(long)]
    pub manifest: bool,
    /// A file to write, which is not there yet; - is standard output, as without it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file of --output
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// Find the proof of a file, and check everything that can be checked.
#[derive(Debug, Args)]
pub struct Verify {
    /// The picture or video; - is standard input
    pub file: PathBuf,
}

/// Read one media file, for another process of this program.
#[derive(Debug, Args)]
pub struct ReadMedia {
    /// The file
    pub file: PathBuf,
    /// What it is read as
    #[arg(long)]
    pub format: String,
    /// Bytes of memory that this may take
    #[arg(long)]
    pub memory: u64,
    /// Validate the manifest on standard input with it
    #[arg(long)]
    pub validate: bool,
}

/// List proofs, oldest first.
#[derive(Debug, Args)]
pub struct List {
    /// So many at most; all by default
    #[arg(long, value_name = "COUNT", value_parser = count, allow_negative_numbers = true)]
    pub limit: Option<usize>,
}

/// Delete a proof.
#[derive(Debug, Args)]
pub struct Delete {
    /// A file (- is standard input), its hash, or a proof id
    #[arg(value_name = "FILE|HASH|ID")]
    pub subject: String,
}

/// Withdraw a manifest that was published by mistake, or publish it again.
#[derive(Debug, Args)]
pub struct Withdraw {
    /// A manifest id; or a file (- is standard input), its hash or a proof id, for the manifest of that proof
    #[arg(value_name = "ID|FILE|HASH")]
    pub subject: String,
    /// Publish it again
    #[arg(long)]
    pub undo: bool,
}

/// Print which tenant's manifest a plain address serves, or decide it. Deciding is the operator's.
#[derive(Debug, Args)]
pub struct Front {
    /// The manifest id
    #[arg(value_name = "ID")]
    pub id: ManifestId,
    /// Let the plain address serve this tenant's manifest
    #[arg(long, value_name = "TENANT")]
    pub give: Option<Tenant>,
    /// Free the plain address, for the tenant that stores the next public manifest under the id
    #[arg(long, conflicts_with = "give")]
    pub free: bool,
}

/// Check every guarantee over a whole deployment.
#[derive(Debug, Args)]
pub struct Fsck {
    /// The folder, where anything of the deployment is in one
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Set right what can be, remove what a crash left over, then check again
    #[arg(long)]
    pub repair: bool,
    /// Bring back what cleanup has removed as left over in the last days, instead of checking
    #[arg(long, conflicts_with = "repair")]
    pub undo: bool,
    /// What was removed at or after this instant only, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "INSTANT", requires = "undo")]
    pub since: Option<Timestamp>,
}

/// Remove now what is due and what nothing names.
#[derive(Debug, Args)]
pub struct Cleanup {
    /// The folder, where anything of the deployment is in one
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Let the collector go on that has stopped itself: somebody has looked at what it would remove
    #[arg(long)]
    pub go_on: bool,
    /// Take the clock as right that jumped: proofs that expired more than 7 days ago by it are destroyed at once, and nothing
    /// brings them back
    #[arg(long)]
    pub confirm_clock: bool,
}

/// Make the index anew from the objects, or bring one up to date that is older than they are.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The folder, where anything of the deployment is in one
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Change rows of an index that has some, take as lost what only they know, and make a damaged mark of the store anew;
    /// without it, what would be changed is counted
    #[arg(long)]
    pub confirm: bool,
    /// Begin at the beginning, also where a rebuild was cut off
    #[arg(long)]
    pub anew: bool,
}

impl Cli {
    /// Reads what was typed; ends the program with the usage where that makes no sense.
    pub fn read() -> Self {
        Self::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// The commands and their options. Those of every command are hidden where one refuses them or has no use for them.
    pub fn definition() -> clap::Command {
        let unused: [(&str, &[&str]); 7] = [
            ("serve", &["url", "token", "tenant"]),
            ("fsck", &["url", "token", "tenant"]),
            ("cleanup", &["url", "token", "tenant"]),
            ("rebuild", &["url", "token", "tenant"]),
            ("storage", &["url", "token", "tenant"]),
            ("migrate", &["url"]),
            ("completions", &["url", "data_dir", "token", "tenant"]),
        ];
        unused.into_iter().fold(Self::command(), |command, (name, ids)| {
            // A command's own option takes the place of the one of every command that has the same id.
            let is_unused = |arg: &&clap::Arg| ids.contains(&arg.get_id().as_str());
            let hidden: Vec<_> =
                command.get_arguments().filter(is_unused).map(|arg| arg.clone().hide(true)).collect();
            command.mut_subcommand(name, |command| command.args(hidden))
        })
    }

    fn try_read(
        typed: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::definition();
        let mut matches =
            command.try_get_matches_from_mut(typed).map_err(|error| without_hidden(error, &command))?;
        // An address in the environment is a default; one that was typed is meant.
        let was_typed = |id| source(&matches, id) == Some(ValueSource::CommandLine);
        let [address_was_typed, token_was_typed, tenant_was_typed] =
            ["url", "token", "tenant"].map(was_typed);
        let tenant_is_named = source(&matches, "tenant") > Some(ValueSource::DefaultValue);
        let mut cli = Self::from_arg_matches_mut(&mut matches)?;
        cli.connection.tenant_is_named = tenant_is_named;
        let conflict = match (&cli.command, &cli.connection.data_dir) {
            (Command::Serve(_), _) if token_was_typed => Some("serve takes --tokens FILE, and no --token"),
            (Command::Serve(_), _) if tenant_was_typed => {
                Some("serve takes --tokens FILE, in which each token has its tenant, and no --tenant")
            }
            _ if !address_was_typed => None,
            (Command::Serve(_), _) => Some("serve has no --url; did you mean --listen or --public-url?"),
            (Command::Fsck(_) | Command::Cleanup(_) | Command::Rebuild(_), _) => {
                Some("this works on a deployment itself, and not on a server: it has no --url")
            }
            (Command::Migrate(_), _) => {
                Some("migrate has no --url; a CredLink is named by --from or --to credlink:URL")
            }
            (Command::Storage(_), _) => {
                Some("storage works on providers, and not on a server: it has no --url")
            }
            (_, Some(_)) => Some("give --url or --data-dir, not both"),
            (_, None) => None,
        };
        match conflict {
            Some(message) => Err(command.error(ErrorKind::ArgumentConflict, message)),
            None => Ok(cli),
        }
    }
}

/// The same error: a list of commands in it names those that help names.
fn without_hidden(mut error: clap::Error, command: &clap::Command) -> clap::Error {
    let is_hidden = |name: &String| command.find_subcommand(name).is_some_and(clap::Command::is_hide_set);
    if error.kind() == ErrorKind::MissingSubcommand
        && let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidSubcommand)
    {
        let shown = names.iter().filter(|name| !is_hidden(name)).cloned().collect();
        error.insert(ContextKind::ValidSubcommand, ContextValue::Strings(shown));
    }
    error
}

/// Where the value of an option is from, before the command's name or behind it: what was typed comes before a variable, and
/// that before what holds without either.
fn source(matches: &ArgMatches, id: &str) -> Option<ValueSource> {
    let behind = matches.subcommand().filter(|(_, matches)| matches.try_contains_id(id).is_ok());
    matches.value_source(id).max(behind.and_then(|(_, matches)| matches.value_source(id)))
}

fn lifetime(text: &str) -> Result<u64, String> {
    let allowed = "from one second to ten years: 86400, 90m, 12h, 30d";
    time::time(text, 1..=MAX_LIFETIME_SECONDS, allowed).map(|time| time.as_secs())
}

fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "a count is a whole number, 1 or more".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
