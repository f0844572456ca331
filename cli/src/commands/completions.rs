//! `credlink completions`: a script that teaches a shell the commands.

use clap_complete::Shell;

use crate::args::Cli;
use crate::error::Trouble;
use crate::exit::Exit;
use crate::printer::Printer;

/// Prints the script for `shell`.
pub fn completions(shell: Shell, printer: &Printer) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::definition(), "credlink", &mut script);
    printer.bytes(&script)?;
    Ok(Exit::Done)
}
