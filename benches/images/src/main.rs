//! Renditions of pictures beside those of sharp: processor time, memory, and likeness to the original.
//!
//! Each measurement runs in a process of its own with one thread, ours and sharp's in turn, over the same files. sharp runs in
//! its cheapest form: it decodes once, at a reduced size, and derives each rendition from the next larger one.

mod material;
mod measured;
mod side_by_side;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures CredLink's renditions of pictures beside those of sharp.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints tables of both, in Markdown.
    Compare {
        /// The folder in which `npm install sharp` was run.
        #[arg(long)]
        sharp: PathBuf,
        /// The program that runs sharp.
        #[arg(long, default_value = "node")]
        node: PathBuf,
        /// Number of counted rounds.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Number of pictures in each round.
        #[arg(long, default_value_t = 10)]
        pictures: u32,
    },
    /// Writes a photo of 12 MP.
    Photo {
        /// The file.
        file: PathBuf,
    },
    /// Renders one file, and prints what it cost as JSON.
    #[command(hide = true)]
    Render {
        /// The file.
        file: PathBuf,
        /// The renditions: `jpeg`, or `both` for JPEG and WebP.
        formats: String,
        /// The number of times that it is rendered.
        times: u32,
        /// The folder for the renditions of the last time.
        #[arg(long)]
        into: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Compare { sharp, node, rounds, pictures } => {
            side_by_side::compare(&sharp, &node, rounds, pictures)
        }
        Command::Photo { file } => write_photo(&file),
        Command::Render { file, formats, times, into } => {
            measured::render(&file, &formats, times, into.as_deref())
        }
    };
    match done {
        Ok(text) => {
            use std::io::Write as _;
            match writeln!(std::io::stdout(), "{text}") {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the first of the photos, and returns what was written.
fn write_photo(file: &Path) -> Result<String, Error> {
    let photo = material::PHOTOS[0];
    let jpeg = photo.jpeg()?;
    std::fs::write(file, &jpeg).map_err(|error| Error::Io(file.display().to_string(), error))?;
    Ok(format!("{}: {}, {} bytes", file.display(), photo.words, jpeg.len()))
}

/// A reason why nothing is measured.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A file cannot be read or written, or a program cannot be run.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// A program ended badly, or printed something else than expected.
    #[error("{0}")]
    Failed(String),
}
