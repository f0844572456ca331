//! The errors with which a command refuses to work on a data folder.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A reason not to work on a data folder.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The deployment has more parts, or is another deployment.
    #[error(
        "{} was last used with {}; here it would be with {}. Nothing is changed: the deployment would not hear of it, or would be \
         another one. Set the variables that the server has, or ask a server, with --url",
        folder.display(), Had(server), here.join(", ")
    )]
    Differs {
        /// The data folder.
        folder: PathBuf,
        /// The parts that it was last used with, each with the variable that sets it.
        server: Vec<(&'static str, String)>,
        /// The corresponding parts of this command.
        here: Vec<String>,
    },
    /// The file is not a note of this version.
    #[error(
        "{} is no note of a deployment that this program knows: {why}. Nothing is changed, as the deployment may have several tenants, or \
         objects elsewhere. Bring the file back, or move it away and start `credlink serve` with the variables that the last server had \
         (CREDLINK_TENANTS=several, where there are several tenants), which writes it anew", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
}

/// The parts that the folder was last used with, in words.
struct Had<'a>(&'a [(&'static str, String)]);

impl fmt::Display for Had<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (variable, words)) in self.0.iter().enumerate() {
            write!(f, "{}{words} ({variable})", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
