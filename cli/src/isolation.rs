//! Reading of an untrusted media file in a process of its own, because a file may be crafted to take hours and all
//! memory. The parent kills the process when its time is up, and a limit ends it before it takes too much memory.

pub mod child;

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use credlink_verify::media::Media;
use credlink_verify::report::Report;

/// The time that reading any file may take.
const TIME: Duration = Duration::from_secs(30);
/// Number of bytes for which one more second is allowed: a file is hashed, from a disk that may be slow.
const BYTES_PER_SECOND: u64 = 8 * 1_024 * 1_024;
/// The memory that reading any file may take, in bytes of address space.
const MEMORY: u64 = 2 * 1_024 * 1_024 * 1_024;
/// Number of copies of the file that may be in memory besides. Some formats are read as a whole, and copied.
const COPIES: u64 = 6;
/// Maximum length of a report: a manifest of the maximum length in base64, and the findings about it.
const MAX_REPORT_BYTES: u64 = 64 * 1_024 * 1_024;

/// The reason why nothing is known of a file.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The process ran out of time.
    #[error("reading this file's manifest took more than {} s", .0.as_secs())]
    TooLong(Duration),
    /// The process ran out of memory, or the reader has a fault.
    #[error(
        "reading this file's manifest was cut off ({status}): it needs more than {} MB of memory, or the reader is at fault",
        .memory / 1_048_576
    )]
    CutOff {
        /// The exit status of the process.
        status: ExitStatus,
        /// The memory that the process had, in bytes.
        memory: u64,
    },
    /// The bytes that were read differ from those that were hashed.
    #[error("the file changed while it was read: nothing is known of what it is")]
    Changed,
    /// The process cannot be started, or its output cannot be understood.
    #[error("this file's manifest cannot be read in a process of its own: {0}")]
    Process(String),
}

/// Reads `media` as a file of the type `format`. If a manifest is given, validates it with the file.
pub fn read(media: &Media, format: &str, manifest: Option<&[u8]>) -> Result<Report, ReadingError> {
    let process = |error: &dyn std::fmt::Display| ReadingError::Process(error.to_string());
    let program = std::env::current_exe().map_err(|error| process(&error))?;
    let memory = MEMORY.saturating_add(media.length.saturating_mul(COPIES));
    let mut command = Command::new(program);
    command.args(["read-media", "--format", format, "--memory", &memory.to_string()]);
    if manifest.is_some() {
        command.arg("--validate");
    }
    command.arg("--").arg(media.path());
    let time = TIME + Duration::from_secs(media.length / BYTES_PER_SECOND);
    let report = run(command, manifest.unwrap_or_default().to_vec(), time, memory)?;
    let report: Report = serde_json::from_slice(&report).map_err(|error| process(&error))?;
    if report.media_hash == Some(media.hash) { Ok(report) } else { Err(ReadingError::Changed) }
}

/// Runs `command` with `input` for at most `time`, and returns its output.
fn run(mut command: Command, input: Vec<u8>, time: Duration, memory: u64) -> Result<Vec<u8>, ReadingError> {
    let process = |error: std::io::Error| ReadingError::Process(error.to_string());
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut ended = Ended(spawned.map_err(process)?);
    let Ended(child) = &mut ended;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that ends early does not read the rest, but its status says why it ended.
        thread::spawn(move || stdin.write_all(&input));
    }
    let (send, receive) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut printed = Vec::new();
            let read = stdout.take(MAX_REPORT_BYTES).read_to_end(&mut printed);
            send.send(read.map(|_| printed))
        });
    }
    let printed = receive.recv_timeout(time).map_err(|_| ReadingError::TooLong(time))?.map_err(process)?;
    let status = child.wait().map_err(process)?;
    if status.success() { Ok(printed) } else { Err(ReadingError::CutOff { status, memory }) }
}

/// A child process that is killed when this is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // The child may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let began = std::time::Instant::now();
        let error = run(shell("exec sleep 600"), Vec::new(), Duration::from_secs(1), 0).unwrap_err();
        assert_eq!(error.to_string(), "reading this file's manifest took more than 1 s");
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn what_breaks_off_says_how() {
        let error = run(shell("kill -ABRT $$"), vec![0; 1 << 20], TIME, MEMORY).unwrap_err().to_string();
        assert!(error.contains("more than 2048 MB of memory") && error.contains("signal: 6"), "{error}");
    }

    #[test]
    fn input_and_output_pass_through() {
        let input = vec![b'a'; 1 << 20];
        assert_eq!(run(shell("cat"), input.clone(), TIME, MEMORY).unwrap(), input);
    }
}
