//! A process of its own for the work on an untrusted file, because a file may be crafted to take hours and all memory. The parent
//! kills the process when its time is up, and a limit ends it before it takes too much memory.
//!
//! **In scope:** the process, its environment, its limits, and its end. **Out of scope:** what it does, and the conversation with it.
//!
//! | to find | look in |
//! |---|---|
//! | a running process | [`Running`] |
//! | the time and the memory for a file | [`time_for`], [`memory_for`], [`limit`] |
//! | its end, and what that says | [`was_stopped`] |

use std::env;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// The time that the work on a short file may take.
pub const BASE_TIME: Duration = Duration::from_secs(30);
/// The number of bytes for which one more second is allowed, because a file is hashed, from a disk that may be slow.
const BYTES_PER_SECOND: u64 = 8 * 1_024 * 1_024;
/// The memory that the work on a short file may take, in bytes of address space.
pub const BASE_MEMORY: u64 = 2 * 1_024 * 1_024 * 1_024;
/// The number of copies of the file that may be in memory besides. Some formats are read as a whole, and copied.
const COPIES: u64 = 6;

/// The variables that a process inherits.
const KEPT_VARIABLES: [&str; 5] = ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "SystemRoot", "RUST_BACKTRACE"];

/// Returns the time that a process may take for a file of this length.
#[must_use]
pub fn time_for(length: u64) -> Duration {
    BASE_TIME + Duration::from_secs(length / BYTES_PER_SECOND)
}

/// Returns the memory that a process may take for a file of this length, in bytes of address space.
#[must_use]
pub const fn memory_for(length: u64) -> u64 {
    BASE_MEMORY.saturating_add(length.saturating_mul(COPIES))
}

/// Limits the memory of this process to so many bytes of address space.
///
/// # Errors
/// Fails if the system refuses.
#[cfg(unix)]
pub fn limit(memory: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::As).maximum;
    let memory = maximum.map_or(memory, |maximum| memory.min(maximum));
    Ok(setrlimit(Resource::As, Rlimit { current: Some(memory), maximum })?)
}

/// Does nothing: memory is limited on Unix alone.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn limit(_memory: u64) -> io::Result<()> {
    Ok(())
}

/// Returns `true` if a process was ended by a signal from outside: by a terminal, by a service manager that stops this program, or
/// by a system that is short of memory. A process that exceeds its own limit of memory ends itself, so that the file which it read
/// has nothing to do with that.
#[cfg(unix)]
#[must_use]
pub fn was_stopped(status: ExitStatus) -> bool {
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
#[must_use]
pub fn was_stopped(_: ExitStatus) -> bool {
    false
}

/// A child process that is killed when this is dropped.
#[derive(Debug)]
pub struct Running(pub Child);

impl Running {
    /// Starts `command` with pipes for its input and its output. It inherits no variable but those of the system: the others
    /// hold keys and tokens.
    ///
    /// # Errors
    /// Fails if the program cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.env_clear().envs(KEPT_VARIABLES.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map(Self)
    }

    /// Returns `true` if the process has ended because it was stopped, and not because of what it read. A process that has closed
    /// its output ends within moments.
    pub fn was_stopped(&mut self) -> bool {
        for _ in 0..100 {
            match self.0.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Ok(Some(status)) => return was_stopped(status),
                Err(_) => return false,
            }
        }
        false
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

    #[test]
    fn a_process_that_was_stopped_is_told_from_one_that_failed() {
        for (script, expected) in [
            ("kill -TERM $$; sleep 600", true),
            ("kill -KILL $$; sleep 600", true),
            ("kill -ABRT $$; sleep 600", false),
            ("exit 1", false),
        ] {
            let mut running = Running::spawn(Command::new("sh").args(["-c", script])).unwrap();
            assert_eq!(running.was_stopped(), expected, "{script}");
        }
    }
}
