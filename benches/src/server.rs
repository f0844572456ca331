//! A server in a process of its own: `credlink serve`, or the ceiling of this client.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::client::{get, once};
use crate::error::Error;

/// The time that a server may take to stop by itself.
const STOP: Duration = Duration::from_secs(20);

/// A running server, which is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    // Kept open, because a server that writes to a closed pipe would end.
    _output: BufReader<ChildStdout>,
    /// The address at which the server listens.
    pub address: SocketAddr,
}

/// The line that a server prints when it listens.
#[derive(Deserialize)]
struct Ready {
    url: String,
}

/// The counters of a server's cache.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct CacheSeen {
    /// Reads answered from memory.
    pub hits: u64,
    /// Reads that had to load.
    pub misses: u64,
}

impl Server {
    /// Starts `credlink serve` on a free port of the loopback interface, with its usual settings, and discards its log.
    ///
    /// # Errors
    /// Fails if there is no such program, or if it does not start.
    pub fn credlink(program: &Path, data: &Path) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--json", "--data-dir"]).arg(data);
        command.stderr(Stdio::null());
        Self::start(command)
    }

    /// Starts a server that answers `/{bytes}` with a constant body of that length, for each of these lengths.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn ceiling(lengths: &[usize]) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let mut command = Command::new(program);
        command.arg("ceiling").args(lengths.iter().map(ToString::to_string));
        Self::start(command)
    }

    /// Starts [`crate::answerer`].
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn answerer() -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let mut command = Command::new(program);
        command.arg("answerer");
        Self::start(command)
    }

    /// Starts [`crate::uploads::serve`] with these variables.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn uploads_api(variables: Vec<(&'static str, String)>) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let mut command = Command::new(program);
        command.arg("uploads-api").envs(variables);
        Self::start(command)
    }

    /// Starts a [`crate::line`] to this address.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn line(to: SocketAddr) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let mut command = Command::new(program);
        command.arg("line").arg(to.to_string());
        Self::start(command)
    }

    /// Starts [`crate::edge::backing`].
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn backing() -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let mut command = Command::new(program);
        command.arg("backing");
        Self::start(command)
    }

    fn start(mut command: Command) -> Result<Self, Error> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(Error::io(format!("starting {name}")))?;
        let output = child.stdout.take().ok_or_else(|| Error::wrong(&name, "it has no output"))?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).map_err(Error::io(format!("starting {name}")))?;
        let address = serde_json::from_str(&line)
            .ok()
            .and_then(|ready: Ready| ready.url.strip_prefix("http://")?.trim_end_matches('/').parse().ok());
        match address {
            Some(address) => Ok(Self { child, _output: output, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(Error::wrong(&name, format!("it does not start: it says `{}`", line.trim())))
            }
        }
    }

    /// The counters of the cache, from `GET /v1/stats`.
    ///
    /// # Errors
    /// Fails if the server does not answer.
    pub fn cache(&self) -> Result<CacheSeen, Error> {
        #[derive(Deserialize)]
        struct Stats {
            cache: CacheSeen,
        }
        let answer = once(self.address, get("/v1/stats")?)?;
        let stats: Stats =
            serde_json::from_slice(&answer.body).map_err(|error| Error::wrong("GET /v1/stats", error))?;
        Ok(stats.cache)
    }

    /// The peak memory of the process so far (`VmHWM`), in MB.
    ///
    /// # Errors
    /// Fails if the system does not report it.
    pub fn most_memory(&self) -> Result<f64, Error> {
        let path = format!("/proc/{}/status", self.child.id());
        let status =
            std::fs::read_to_string(path).map_err(Error::io("reading what the system says of the server"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        kilobytes
            .map(|kilobytes| kilobytes / 1_000.0)
            .ok_or_else(|| Error::wrong("the server's memory", "it is not told"))
    }

    /// Asks the server to stop, and waits until it has. Its data are then as a regular stop leaves them.
    ///
    /// # Errors
    /// Fails if the server does not stop, or ends with a failure.
    pub fn stop(mut self) -> Result<(), Error> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Error::wrong("stopping the server", "it has no process id"))?;
        kill_process(pid, Signal::TERM).map_err(|error| Error::wrong("stopping the server", error))?;
        let asked = Instant::now();
        while asked.elapsed() < STOP {
            match self.child.try_wait().map_err(Error::io("stopping the server"))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(Error::wrong("stopping the server", status)),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        Err(Error::wrong("stopping the server", "it does not stop"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If the server has stopped, both calls return an error and do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
