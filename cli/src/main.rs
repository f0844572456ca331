//! `credlink`: the service on one machine, and the commands that talk to it or to any other CredLink.
//!
//! **In scope:** the command line, its output, and the HTTP server around the service. **Out of scope:** every decision
//! about proofs. Commands use the API (`credlink-service`), over HTTP or in this process, and both ways give the same
//! answers because they use the same router.
//!
//! | to find | look in |
//! |---|---|
//! | the command line | [`args`]; the meaning of FILE, HASH, ID and URI: [`subject`] |
//! | a command | [`commands`]: one file and one function each |
//! | the client of the API | [`client`]: over HTTP, or a folder directly |
//! | the server | [`serve`] |
//! | the files and manifests that a command names | [`input`], [`output`], [`manifest`]; reading and checking them: `credlink-verify` |
//! | the separate process in which a media file is read | [`isolation`] |
//! | variables of the environment that nothing reads | [`environment`] |
//! | output and exit codes | [`printer`], [`lines`], [`error`], [`exit`] |

mod args;
mod client;
mod commands;
mod environment;
mod error;
mod exit;
mod input;
mod isolation;
mod lines;
mod logs;
mod manifest;
mod output;
mod printer;
mod serve;
mod subject;

use std::process::ExitCode;

use args::{Cli, Command};
use error::Trouble;
#[cfg(feature = "sign")]
use error::TroubleKind;
use exit::Exit;
use printer::Printer;

fn main() -> ExitCode {
    let cli = Cli::read();
    let printer = Printer::new(cli.json || matches!(cli.command, Command::ReadMedia(_)));
    let exit = match run(cli, &printer) {
        Ok(exit) => exit,
        Err(trouble) => printer.trouble(&trouble),
    };
    exit.into()
}

fn run(cli: Cli, printer: &Printer) -> Result<Exit, Trouble> {
    let Cli { connection, command, .. } = cli;
    // A server tells of them in its log, and a process for another process of this program after that one.
    if !matches!(command, Command::Serve(_) | Command::Completions { .. }) && !command.is_hidden() {
        environment::tell_of_unknown(printer);
    }
    match command {
        Command::Serve(args) => serve::serve(args, printer),
        Command::Put(args) => commands::put(&connection, args, printer),
        Command::Get(args) => commands::get(&connection, &args, printer),
        Command::Verify(args) => commands::verify(&connection, &args, printer),
        Command::List(args) => commands::list(&connection, &args, printer),
        Command::Delete(args) => commands::delete(&connection, &args, printer),
        Command::Withdraw(args) => commands::withdraw(&connection, &args, printer),
        Command::Front(args) => commands::front(&connection, &args, printer),
        Command::Files(args) => commands::files(&connection, args.action, printer),
        Command::Fsck(args) => commands::fsck(&args, printer),
        Command::Cleanup(args) => commands::cleanup(&args, printer),
        Command::Rebuild(args) => commands::rebuild(&args, printer),
        Command::Stats => commands::stats(&connection, printer),
        Command::Migrate(args) => commands::migrate(&connection, args, printer),
        Command::Storage(args) => commands::storage(&connection, args, printer),
        Command::ReadMedia(args) => isolation::child::read(&args, printer),
        #[cfg(feature = "sign")]
        Command::SignRenditions(args) => credlink_signer::process::answer(args.memory)
            .map(|()| Exit::Done)
            .map_err(|error| Trouble::new(TroubleKind::Server, error)),
        Command::Completions { shell } => commands::completions(shell, printer),
    }
}
