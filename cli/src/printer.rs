//! Output for a person or a script: results on stdout, problems on stderr.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::lines;
pub use crate::lines::{Lines, one_line};

/// A printer of words, or of JSON if `--json` was given.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
}

impl Printer {
    /// Creates a printer of words, or of JSON.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Returns `true` if JSON was asked for.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints the result of a command: in words, or the value as one line of JSON. It is not an error if nobody reads
    /// it, because the exit code reports the result, too.
    pub fn say<W: Into<Lines>>(
        &self,
        words: impl FnOnce() -> W,
        value: &impl Serialize,
    ) -> Result<(), Trouble> {
        match self.row(words, value) {
            Err(trouble) if trouble.is_unread() => Ok(()),
            printed => printed,
        }
    }

    /// Prints one of many results, like [`say`](Self::say). The command ends if its reader has seen enough, as in
    /// `credlink list | head`.
    pub fn row<W: Into<Lines>>(
        &self,
        words: impl FnOnce() -> W,
        value: &impl Serialize,
    ) -> Result<(), Trouble> {
        let text = if self.json { json(value) } else { words().into().text() };
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Prints bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Trouble> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => {
                Trouble::new(TroubleKind::Unread, "not everything that was printed was read")
            }
            _ => Trouble::file(Path::new("stdout"), "written", &error),
        })
    }

    /// Prints text from elsewhere as it is. Refuses to print it to a terminal that it would control.
    pub fn text(&self, text: &[u8]) -> Result<(), Trouble> {
        if lines::is_harmless(text) {
            return self.bytes(text);
        }
        self.unless_terminal(text, "this has control characters, which a terminal would obey")
    }

    /// Refuses to print binary content to a terminal.
    pub fn refuse_terminal(&self) -> Result<(), Trouble> {
        self.unless_terminal(&[], "this is binary, and a terminal cannot show it")
    }

    /// Prints binary content. Refuses to print it to a terminal.
    pub fn binary(&self, bytes: &[u8]) -> Result<(), Trouble> {
        self.unless_terminal(bytes, "this is binary, and a terminal cannot show it")
    }

    fn unless_terminal(&self, bytes: &[u8], why: &str) -> Result<(), Trouble> {
        if io::stdout().is_terminal() {
            return Err(Trouble::new(
                TroubleKind::Usage,
                format!("{why}; send it to a file, with --output or `>`"),
            ));
        }
        self.bytes(bytes)
    }

    /// Prints a problem, and returns its exit code.
    pub fn trouble(&self, trouble: &Trouble) -> Exit {
        // A reader that is gone is told nothing more.
        if !trouble.is_unread() {
            let text = if self.json { json(trouble) } else { trouble.lines("credlink: ").text() };
            // If stderr is closed, the exit code has to do.
            let _ = writeln!(io::stderr(), "{text}");
        }
        trouble.exit()
    }

    /// Prints the problem of one of several things, which the others do not have.
    pub fn problem_of(&self, name: &Path, trouble: &Trouble) {
        if !trouble.is_unread() {
            let shown = name.display().to_string();
            let text = if self.json {
                json(&trouble.clone().with_member("file", shown))
            } else {
                trouble.lines(&format!("credlink: {}: ", one_line(&shown))).text()
            };
            // If stderr is closed, the exit code has to do.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Prints a remark for a person, apart from the result. Scripts do not need it.
    pub fn remark(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "credlink: {}", one_line(text));
        }
    }
}

fn json(value: &impl Serialize) -> String {
    // Serialisation fails only for a map whose keys are not strings.
    lines::harmless_json(&serde_json::to_string(value).unwrap_or_default())
}
