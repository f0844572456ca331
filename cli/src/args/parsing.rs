//! Parsing of the command line: the options that each command accepts, and those that exclude each other.

use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command, Serve, migrate};

impl Cli {
    /// Parses the command line. Prints the usage and ends the program if it makes no sense.
    pub fn read() -> Self {
        Self::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Returns the commands and their options. An option of every command is hidden in the commands that refuse it or
    /// have no use for it.
    pub fn definition() -> clap::Command {
        let unused: [(&str, &[&str]); 8] = [
            ("files", &["data_dir", "tenant"]),
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
        typed: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        Self::try_read_in(typed, &|variable| std::env::var_os(variable).is_some_and(|value| is_blank(&value)))
    }

    /// Parses the command line in an environment in which the variables for which `is_empty` holds are set to nothing.
    pub(super) fn try_read_in(
        typed: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        is_empty: &dyn Fn(&OsStr) -> bool,
    ) -> Result<Self, clap::Error> {
        let mut command = without_variables(Self::definition(), is_empty);
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
            (Command::Files(_), Some(_)) => Some(
                "a server sends and receives the bytes of files: files takes --url, and no --data-dir; `credlink serve --data-dir DIR` starts one over the folder",
            ),
            (Command::Files(_), None) if tenant_was_typed => {
                Some("the token says whose files are meant: files takes --token, and no --tenant")
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
        if let Some(message) = conflict {
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        if let Command::Serve(serve) = &cli.command
            && let Some(message) = emptied_credentials(serve, is_empty)
        {
            return Err(command.error(ErrorKind::InvalidValue, message));
        }
        Ok(cli)
    }
}

/// Returns `command` without the variables of its options that are set to nothing, because they count as not set.
fn without_variables(command: clap::Command, is_empty: &dyn Fn(&OsStr) -> bool) -> clap::Command {
    let command = command
        .mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg });
    command.mut_subcommands(|command| without_variables(command, is_empty))
}

/// Returns the reason why a server does not start with variables of credentials that are set to nothing: without these, it
/// would ask nobody for a credential, which an operator who sets them does not mean.
fn emptied_credentials(serve: &Serve, is_empty: &dyn Fn(&OsStr) -> bool) -> Option<String> {
    let options = [
        ("CREDLINK_TOKENS", serve.tokens.is_none(), "the file of tokens"),
        ("CREDLINK_JWKS", serve.jwt.jwks.is_none(), "the file or the URL of the keys"),
    ];
    let emptied = options.into_iter().find(|(name, is_absent, _)| *is_absent && is_empty(OsStr::new(name)));
    emptied.map(|(name, _, content)| {
        format!("{name} is set to nothing: set it to {content}, or unset it if the server shall accept no such credentials")
    })
}

/// Returns `true` if a variable's value is empty, as templates set variables that they omit.
fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|value| value.trim().is_empty())
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
