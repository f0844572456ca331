//! Reading of an untrusted media file in a process of its own, because a file may be crafted to take hours and all
//! memory. The parent kills the process when its time is up, and a limit ends it before it takes too much memory.

pub mod child;
#[cfg(feature = "sign")]
pub mod signing;

use std::env;
use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use credlink_verify::media::Media;
use credlink_verify::report::Report;

/// The time that reading a short file may take.
const BASE_TIME: Duration = Duration::from_secs(30);
/// The number of bytes for which one more second is allowed, because a file is hashed, from a disk that may be slow.
const BYTES_PER_SECOND: u64 = 8 * 1_024 * 1_024;
/// The memory that reading a short file may take, in bytes of address space.
const BASE_MEMORY: u64 = 2 * 1_024 * 1_024 * 1_024;
/// The number of copies of the file that may be in memory besides. Some formats are read as a whole, and copied.
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
    /// The process was stopped, as this program is being, or as the system does if memory is short.
    #[error(
        "reading this file's manifest was stopped before it had finished, by a signal: nothing is known of what it is"
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

/// Returns the time that a process may take for a file of this length.
fn time_for(length: u64) -> Duration {
    BASE_TIME + Duration::from_secs(length / BYTES_PER_SECOND)
}

/// Returns the memory that a process may take for a file of this length, in bytes of address space.
const fn memory_for(length: u64) -> u64 {
    BASE_MEMORY.saturating_add(length.saturating_mul(COPIES))
}

/// Runs `command` with `input` for at most `time`, and returns its output.
fn run(mut command: Command, input: Vec<u8>, time: Duration, memory: u64) -> Result<Vec<u8>, ReadingError> {
    let process = |error: io::Error| ReadingError::Process(error.to_string());
    let mut running = Running::spawn(&mut command).map_err(process)?;
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
        false if was_stopped(status) => Err(ReadingError::Stopped),
        false => Err(ReadingError::CutOff { status, memory }),
    }
}

/// Returns `true` if a process was ended by a signal from outside: by a terminal, by a service manager that stops this program, or
/// by a system that is short of memory. A process that exceeds its own limit of memory ends itself, so that the file which it read
/// has nothing to do with that.
#[cfg(unix)]
fn was_stopped(status: ExitStatus) -> bool {
    const SIGNALS: [i32; 4] = [
        rustix::process::Signal::HUP.as_raw(),
        rustix::process::Signal::INT.as_raw(),
        rustix::process::Signal::TERM.as_raw(),
        rustix::process::Signal::KILL.as_raw(),
    ];
    std::os::unix::process::ExitStatusExt::signal(&status).is_some_and(|signal| SIGNALS.contains(&signal))
}

/// Returns `false`: processes are not ended by signals.
#[cfg(not(unix))]
fn was_stopped(_: ExitStatus) -> bool {
    false
}

/// The variables that a process inherits.
const KEPT_VARIABLES: [&str; 5] = ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "SystemRoot", "RUST_BACKTRACE"];

/// A child process that is killed when this is dropped.
struct Running(Child);

impl Running {
    /// Starts `command` with pipes for its input and its output. It inherits no variable but those of the system: the others
    /// hold keys and tokens.
    fn spawn(command: &mut Command) -> io::Result<Self> {
        command.env_clear().envs(KEPT_VARIABLES.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map(Self)
    }
}

impl Drop for Running {
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
        let error =
            run(shell("kill -ABRT $$"), vec![0; 1 << 20], BASE_TIME, BASE_MEMORY).unwrap_err().to_string();
        assert!(error.contains("more than 2048 MB of memory") && error.contains("signal: 6"), "{error}");
    }

    #[test]
    fn what_is_stopped_with_the_program_says_nothing_about_the_file() {
        for signal in ["HUP", "INT", "TERM", "KILL"] {
            let stopped =
                run(shell(&format!("kill -{signal} $$; sleep 600")), Vec::new(), BASE_TIME, BASE_MEMORY);
            assert!(matches!(stopped, Err(ReadingError::Stopped)), "{signal}: {stopped:?}");
        }
    }

    #[test]
    fn a_process_is_not_told_what_the_program_knows() {
        // Cargo sets this for tests.
        assert!(env::var_os("CARGO_MANIFEST_DIR").is_some());
        let known = run(shell("env"), Vec::new(), BASE_TIME, BASE_MEMORY).unwrap();
        let known = String::from_utf8(known).unwrap();
        assert!(known.contains("PATH=") && !known.contains("CARGO"), "{known}");
    }

    #[test]
    fn input_and_output_pass_through() {
        let input = vec![b'a'; 1 << 20];
        assert_eq!(run(shell("cat"), input.clone(), BASE_TIME, BASE_MEMORY).unwrap(), input);
    }
}
