//! Reading of an untrusted media file in a process of its own, because a file may be crafted to take hours and all
//! memory. The parent kills the process when its time is up, and a limit ends it before it takes too much memory.

pub mod child;

use std::env;
use std::io::{self, Read as _, Write as _};
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use credlink_isolation::{End, Running, memory_for, time_for, unless_killed};
use credlink_verify::media::Media;
use credlink_verify::report::Report;

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
    /// The process was ended by a signal from outside, as this program is when it is stopped.
    #[error(
        "reading this file's manifest was stopped by a signal before it had finished; this says nothing about the file"
    )]
    Stopped,
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
    let program = env::current_exe().map_err(|error| process(&error))?;
    let memory = memory_for(media.length);
    let mut command = Command::new(program);
    command.args(["read-media", "--format", format, "--memory", &memory.to_string()]);
    if manifest.is_some() {
        command.arg("--validate");
    }
    command.arg("--").arg(media.path());
    let report = run(command, manifest.unwrap_or_default().to_vec(), time_for(media.length), memory)?;
    let report: Report = serde_json::from_slice(&report).map_err(|error| process(&error))?;
    if report.media_hash == Some(media.hash) { Ok(report) } else { Err(ReadingError::Changed) }
}

/// Runs `command` with `input` for at most `time`, and returns its output. If the system kills the process, as when memory is
/// short, it is run again, a few times.
fn run(mut command: Command, input: Vec<u8>, time: Duration, memory: u64) -> Result<Vec<u8>, ReadingError> {
    let killed = |error: &ReadingError| matches!(error, ReadingError::CutOff { status, .. } if End::of(*status) == End::Killed);
    unless_killed(|| run_once(&mut command, input.clone(), time, memory), killed)
}

fn run_once(
    command: &mut Command,
    input: Vec<u8>,
    time: Duration,
    memory: u64,
) -> Result<Vec<u8>, ReadingError> {
    let process = |error: io::Error| ReadingError::Process(error.to_string());
    let mut running = Running::spawn(command).map_err(process)?;
    let Running(child) = &mut running;
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
    match status.success() {
        true => Ok(printed),
        false if End::of(status) == End::Stopped => Err(ReadingError::Stopped),
        false => Err(ReadingError::CutOff { status, memory }),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use credlink_isolation::{BASE_MEMORY, BASE_TIME};

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
        let error =
            run(shell("kill -ABRT $$"), vec![0; 1 << 20], BASE_TIME, BASE_MEMORY).unwrap_err().to_string();
        assert!(error.contains("more than 2048 MB of memory") && error.contains("signal: 6"), "{error}");
    }

    #[test]
    fn what_is_stopped_with_the_program_says_nothing_about_the_file() {
        for signal in ["HUP", "INT", "TERM"] {
            let stopped =
                run(shell(&format!("kill -{signal} $$; sleep 600")), Vec::new(), BASE_TIME, BASE_MEMORY);
            assert!(matches!(stopped, Err(ReadingError::Stopped)), "{signal}: {stopped:?}");
        }
    }

    #[test]
    fn what_the_system_kills_is_tried_again_a_few_times() {
        let folder = tempfile::tempdir().unwrap();
        let (tries, known) = (folder.path().join("tries"), folder.path().display().to_string());
        let kill_until = |number: u32| {
            shell(&format!(
                "cd {known}; echo . >> tries; test $(wc -l < tries) -ge {number} || kill -KILL $$; echo done"
            ))
        };
        assert_eq!(run(kill_until(3), Vec::new(), BASE_TIME, 0).unwrap(), b"done\n");
        std::fs::remove_file(&tries).unwrap();
        let killed = run(kill_until(9), Vec::new(), BASE_TIME, 0).unwrap_err();
        assert!(matches!(killed, ReadingError::CutOff { .. }), "{killed}");
        assert_eq!(std::fs::read_to_string(&tries).unwrap().lines().count(), 3);
    }

    #[test]
    fn input_and_output_pass_through() {
        let input = vec![b'a'; 1 << 20];
        assert_eq!(run(shell("cat"), input.clone(), BASE_TIME, BASE_MEMORY).unwrap(), input);
    }
}
