//! Confirmation of an action that cannot be undone, by the job's name.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use credlink_ports::migration::ledger::JobName;

use crate::error::{Trouble, TroubleKind};

/// Asks for the job's name if it was not given and somebody is there to ask.
pub(super) fn confirm(job: &JobName, given: Option<&JobName>, what: &str) -> Result<(), Trouble> {
    let typed = match given {
        Some(name) => name.to_string(),
        None if stdin().is_terminal() && stderr().is_terminal() => {
            // If stderr is closed, the answer cannot be right.
            let _ = write!(stderr(), "{what}\nType the job's name, `{job}`, to go on: ");
            let mut line = String::new();
            let read = stdin().lock().read_line(&mut line);
            read.map_err(|error| Trouble::new(TroubleKind::Usage, format!("nothing was typed: {error}")))?;
            line.trim().to_owned()
        }
        None => {
            return Err(Trouble::new(TroubleKind::Usage, format!("{what} Confirm it with --confirm {job}")));
        }
    };
    if typed == job.as_str() {
        return Ok(());
    }
    Err(Trouble::new(
        TroubleKind::Usage,
        format!("`{typed}` is not the job's name, `{job}`: nothing was done"),
    ))
}
