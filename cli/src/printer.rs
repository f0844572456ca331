//! What a person or a script reads: results on stdout, trouble on stderr.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use serde::Serialize;

use crate::exit::Exit;
use crate::trouble::{Kind, Trouble};

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

    /// Prints one result: in words, or the value as one line of JSON.
    pub fn say(&self, words: impl FnOnce() -> String, value: &impl Serialize) -> Result<(), Trouble> {
        let text = if self.json { json(value) } else { words() };
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Prints bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Trouble> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        match written {
            // Who reads has seen enough, as in `credlink list | head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                std::process::exit(Exit::Done.code().into())
            }
            written => written.map_err(|error| Trouble::file(Path::new("stdout"), "written", &error)),
        }
    }

    /// Prints bytes that are no text, unless a terminal would have to show them.
    pub fn binary(&self, bytes: &[u8]) -> Result<(), Trouble> {
        if io::stdout().is_terminal() {
            let detail = "this is binary, and a terminal cannot show it; name a file with --output";
            return Err(Trouble::new(Kind::Usage, detail));
        }
        self.bytes(bytes)
    }

    /// Prints what went wrong, and gives the exit code that goes with it.
    pub fn trouble(&self, trouble: &Trouble) -> Exit {
        let text = if self.json { json(trouble) } else { format!("credlink: {trouble}") };
        // Where stderr is closed, the exit code has to do.
        let _ = writeln!(io::stderr(), "{text}");
        trouble.exit()
    }

    /// A remark for a person, beside the result. Scripts do not need it.
    pub fn remark(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "credlink: {text}");
        }
    }
}

fn json(value: &impl Serialize) -> String {
    // Only a map with keys that are no strings fails to serialise.
    serde_json::to_string(value).unwrap_or_default()
}
