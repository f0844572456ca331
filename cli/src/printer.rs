//! What a person or a script reads: results on stdout, trouble on stderr.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::{Kind, Trouble};
use crate::exit::Exit;
use crate::lines;
pub use crate::lines::{Lines, one_line};

/// Prints in words, or JSON where it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
}

impl Printer {
    /// A printer of words, or of JSON.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints what a command has found out: in words, or the value as one line of JSON. That nobody reads it changes nothing of what
    /// was found, which the exit code says too.
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

    /// Prints one of many results, as [`say`](Self::say). Who reads may have seen enough, as in `credlink list | head`: that ends the
    /// command.
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
            ErrorKind::BrokenPipe => Trouble::new(Kind::Unread, "not everything that was printed was read"),
            _ => Trouble::file(Path::new("stdout"), "written", &error),
        })
    }

    /// Prints text of somebody else as it is, unless a terminal would have to show what steers it.
    pub fn text(&self, text: &[u8]) -> Result<(), Trouble> {
        if lines::is_harmless(text) {
            return self.bytes(text);
        }
        self.unless_terminal(text, "this has control characters, which a terminal would obey")
    }

    /// Prints bytes that are no text, unless a terminal would have to show them.
    pub fn binary(&self, bytes: &[u8]) -> Result<(), Trouble> {
        self.unless_terminal(bytes, "this is binary, and a terminal cannot show it")
    }

    fn unless_terminal(&self, bytes: &[u8], why: &str) -> Result<(), Trouble> {
        if io::stdout().is_terminal() {
            return Err(Trouble::new(Kind::Usage, format!("{why}; send it to a file, with --output or `>`")));
        }
        self.bytes(bytes)
    }

    /// Prints what went wrong, and gives the exit code that goes with it.
    pub fn trouble(&self, trouble: &Trouble) -> Exit {
        // Who has seen enough is told nothing more.
        if !trouble.is_unread() {
            let text = if self.json { json(trouble) } else { trouble.lines("credlink: ").text() };
            // Where stderr is closed, the exit code has to do.
            let _ = writeln!(io::stderr(), "{text}");
        }
        trouble.exit()
    }

    /// A remark for a person, beside the result. Scripts do not need it.
    pub fn remark(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "credlink: {}", one_line(text));
        }
    }
}

fn json(value: &impl Serialize) -> String {
    // Only a map with keys that are no strings fails to serialise.
    lines::harmless_json(&serde_json::to_string(value).unwrap_or_default())
}
