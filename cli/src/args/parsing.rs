//! Parsing of the command line: the options that each command accepts, and those that exclude each other.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command, migrate};

impl Cli {
    /// Parses the command line. Prints the usage and ends the program if it makes no sense.
    pub fn read() -> Self {
        Self::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Returns the commands and their options. An option of every command is hidden in the commands that refuse it or
    /// have no use for it.
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
        let command = unused.into_iter().fold(Self::command(), |command, (name, ids)| {
            // A command's own option replaces the option of every command that has the same ID.
            let is_unused = |arg: &&clap::Arg| ids.contains(&arg.get_id().as_str());
            let hidden: Vec<_> =
                command.get_arguments().filter(is_unused).map(|arg| arg.clone().hide(true)).collect();
            command.mut_subcommand(name, |command| command.args(hidden))
        });
        let reworded: Vec<_> = command.get_arguments().filter_map(migrate::reworded).collect();
        command.mut_subcommand("migrate", |command| command.args(reworded))
    }

    pub(super) fn try_read(
        typed: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::definition();
        let mut matches =
            command.try_get_matches_from_mut(typed).map_err(|error| without_hidden(error, &command))?;
        // An address in the environment is only a default, but an address that was typed is meant.
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

/// Removes the hidden commands from the list of commands in an error, so that it names the same ones as the help.
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

/// Returns the source of an option's value, whether the option was typed before or after the command's name. An
/// argument takes precedence over a variable, and a variable over the default.
fn source(matches: &ArgMatches, id: &str) -> Option<ValueSource> {
    let behind = matches.subcommand().filter(|(_, matches)| matches.try_contains_id(id).is_ok());
    matches.value_source(id).max(behind.and_then(|(_, matches)| matches.value_source(id)))
}
