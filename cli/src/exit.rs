//! Exit codes: one for each outcome that a script would want to distinguish.

use std::process::ExitCode;

/// Declares the codes with name, number and meaning in one place, so that the help cannot differ from the program.
macro_rules! exits {
    ($($name:ident = $code:literal, $meaning:literal;)+) => {
        /// An exit code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Exit { $(#[doc = $meaning] $name = $code,)+ }

        /// The codes, as the help lists them.
        pub const HELP: &str = concat!("Exit codes:\n", $("  ", $code, "  ", $meaning, "\n",)+);
    };
}

exits! {
    Done = 0, "done; everything that was checked holds";
    Failed = 1, "it could not be done: refused, unreadable, or nothing answers";
    Usage = 2, "the command was not understood, or must not be run like this";
    Absent = 3, "there is no such proof or object, or no longer; put: another manifest is stored already, or the \
                 proof is public despite --private";
    DoesNotHold = 4, "verify: something does not hold";
    Leftovers = 5, "fsck: something is left over, behind or stopped, and nothing is broken; rebuild: rows differ, and --confirm was not given";
    Broken = 6, "fsck: a guarantee is broken; rebuild: something is lost or in contradiction";
    NotWell = 7, "migrate: items failed, or something is not at the store as it was copied";
    Interrupted = 8, "migrate: told to stop; the same command goes on";
    Changed = 9, "verify: the file was changed after it was signed";
    Unread = 10, "the list, the content or the script was not read to its end: the reader closed the pipe";
}

impl Exit {
    /// Returns the number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
