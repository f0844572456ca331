//! `credlink`: the service on one machine, and the commands that talk to it or to any other CredLink.
//!
//! **In scope:** what a person types and reads, and the HTTP server around the service.
//! **Out of scope:** every decision about proofs: commands ask the API (`credlink-service`), over HTTP or in this
//! process, and both ways give the same answers because they are the same router.
//!
//! | to find | look in |
//! |---|---|
//! | what can be typed | [`args`]; what FILE, HASH, ID and URI mean: [`subject`] |
//! | a command | [`commands`]: one file and one function each |
//! | how the API is asked | [`client`]: over HTTP, or a folder directly |
//! | what `verify` checks | [`checks`] |
//! | the server | [`serve`] |
//! | files: hashes, types, manifests | [`input`], [`output`], [`media`], [`manifest`]; read by c2pa-rs in a process of its own: [`reading`] |
//! | what is printed, and how it ends | [`printer`], [`trouble`], [`exit`] |

// The future of a connection has those of a whole request in it, one within the other.
#![recursion_limit = "256"]

mod args;
mod checks;
mod client;
mod commands;
mod exit;
mod input;
mod logs;
mod manifest;
mod media;
mod output;
mod printer;
mod reading;
mod serve;
mod subject;
mod trouble;

use std::process::ExitCode;

use args::{Cli, Command};
use exit::Exit;
use printer::Printer;
use trouble::Trouble;

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
    match command {
        Command::Serve(args) => serve::serve(args, printer),
        Command::Put(args) => commands::put(&connection, args, printer),
        Command::Get(args) => commands::get(&connection, &args, printer),
        Command::Verify(args) => commands::verify(&connection, &args, printer),
        Command::List(args) => commands::list(&connection, &args, printer),
        Command::Delete(args) => commands::delete(&connection, &args, printer),
        Command::Withdraw(args) => commands::withdraw(&connection, &args, printer),
        Command::Front(args) => commands::front(&connection, &args, printer),
        Command::Fsck(args) => commands::fsck(&args, printer),
        Command::Cleanup(args) => commands::cleanup(&args, printer),
        Command::Rebuild(args) => commands::rebuild(&args, printer),
        Command::Stats => commands::stats(&connection, printer),
        Command::Migrate(args) => commands::migrate(&connection, args, printer),
        Command::Storage(args) => commands::storage(&connection, args, printer),
        Command::ReadMedia(args) => reading::read(&args, printer),
        Command::Completions { shell } => commands::completions(shell, printer),
    }
}
