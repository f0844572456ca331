//! A process of its own for the work on an untrusted file, because a file may be crafted to take hours and all memory. The parent
//! kills the process when its time is up, and a limit ends it before it takes too much memory.
//!
//! **In scope:** the process, its environment, its limits, and its end. **Out of scope:** what it does, and the conversation with it.
//!
//! | to find | look in |
//! |---|---|
//! | a running process | [`Running`] |
//! | the time and the memory for a file | [`time_for`], [`memory_for`], [`limit`] |
//! | its end, and what that says | [`End`], [`unless_killed`] |

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

/// The number of processes that are tried if the system kills each of them.
pub const MAX_KILLED: usize = 3;
/// The pause after one was killed, in which memory may become free.
const PAUSE: Duration = Duration::from_secs(1);

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

/// The end of a process, as far as it says whether the file is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was ended from outside by a terminal, or by a service manager that stops this program. The file has nothing to do with it.
    Stopped,
    /// It was killed, as a system does that is short of memory. A process that exceeds its own limit of memory ends itself, so that
    /// the file is at fault only if this happens each time.
    Killed,
    /// It ended itself.
    Itself,
}

impl End {
    /// Returns the end of a process with this status.
    #[cfg(unix)]
    #[must_use]
    pub fn of(status: ExitStatus) -> Self {
        use rustix::process::Signal;
        const STOPPING: [i32; 3] = [Signal::HUP.as_raw(), Signal::INT.as_raw(), Signal::TERM.as_raw()];
        match std::os::unix::process::ExitStatusExt::signal(&status) {
            Some(signal) if STOPPING.contains(&signal) => Self::Stopped,
            Some(signal) if signal == Signal::KILL.as_raw() => Self::Killed,
            _ => Self::Itself,
        }
    }

    /// Returns [`End::Itself`]: processes are not ended by signals.
    #[cfg(not(unix))]
    #[must_use]
    pub fn of(_: ExitStatus) -> Self {
        Self::Itself
    }
}

/// Makes an attempt by a process of its own. If the system kills the process, as when memory is short, it is made again, a few times
/// ([`MAX_KILLED`]). `was_killed` says whether an error is of that kind.
///
/// # Errors
/// Fails as the last attempt does.
pub fn unless_killed<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    was_killed: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 1..MAX_KILLED {
        match attempt() {
            Err(error) if was_killed(&error) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    attempt()
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

    /// Returns the end of a process that has closed its output, and so ends within moments. Returns `None` if it does not.
    pub fn end(&mut self) -> Option<End> {
        for _ in 0..100 {
            match self.0.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Ok(Some(status)) => return Some(End::of(status)),
                Err(_) => return None,
            }
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The child may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn shell(script: &str) -> Running {
        Running::spawn(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn the_end_of_a_process_says_who_ended_it() {
        for (script, expected) in [
            ("kill -HUP $$; sleep 600", End::Stopped),
            ("kill -INT $$; sleep 600", End::Stopped),
            ("kill -TERM $$; sleep 600", End::Stopped),
            ("kill -KILL $$; sleep 600", End::Killed),
            ("kill -ABRT $$; sleep 600", End::Itself),
            ("exit 1", End::Itself),
        ] {
            assert_eq!(shell(script).end(), Some(expected), "{script}");
        }
        assert_eq!(shell("exec sleep 600").end(), None);
    }

    #[test]
    fn a_process_is_not_told_what_the_program_knows() {
        // Cargo sets this for tests.
        assert!(env::var_os("CARGO_MANIFEST_DIR").is_some());
        let mut known = String::new();
        shell("env").0.stdout.take().unwrap().read_to_string(&mut known).unwrap();
        assert!(known.contains("PATH=") && !known.contains("CARGO"), "{known}");
    }
}
