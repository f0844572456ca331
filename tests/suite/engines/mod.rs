//! Real engines, each a child process of this test binary: started with the first test that needs it, ended with the
//! binary.
//!
//! Tests share an engine and stay apart by unique names: each has its own bucket, table, queue or key prefix
//! ([`unique`]).

pub mod clamd;
pub mod dynoxide;
pub mod edge;
pub mod front;
pub mod ministack;
pub mod proxy;
pub mod r2;
pub mod redis;
pub mod runtime;
pub mod sqs;
pub mod stack;
pub mod stand_in;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The time that an engine may take to start, on a machine that is building at the same time.
const START: Duration = Duration::from_secs(90);

/// The path of a tool below the folder into which `tests/run tools` installs.
pub fn tool(name: &str) -> PathBuf {
    let cache = std::env::var_os("CREDLINK_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/credlink");
    let path = cache.unwrap_or_else(home).join("tools").join(name);
    assert!(path.exists(), "{} is not there: `tests/run tools` installs it", path.display());
    path
}

/// A loopback port on which nothing listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A name that no other test of any run uses: lower-case letters, digits and hyphens, as bucket names require.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{number}", std::process::id())
}

/// A process that ends when this is dropped, or when the test binary ends, in whatever way.
#[derive(Debug)]
pub struct Process {
    /// The engine, or a shell in between that ends when its standard input is closed.
    child: Child,
    output: Mutex<Option<BufReader<std::process::ChildStdout>>>,
}

impl Process {
    /// Starts `command`, with its standard error in the test's output.
    pub fn start(command: &Command) -> Self {
        let mut shell = Command::new("bash");
        // The engine has no input of its own. A second `kill` ends an engine that ignores the first.
        let script = "\"$@\" </dev/null & child=$!; cat >/dev/null; kill $child 2>/dev/null; \
                      for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $child 2>/dev/null || exit 0; sleep 0.1; done; \
                      kill -9 $child 2>/dev/null";
        shell.args(["-c", script, "engine"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            shell.current_dir(directory);
        }
        Self::spawn(&mut shell)
    }

    /// Starts `command`, which ends by itself when its standard input is closed.
    pub fn start_with_input(command: &mut Command) -> Self {
        Self::spawn(command)
    }

    fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the program is there");
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output: Mutex::new(output) }
    }

    /// The next line that the process prints.
    pub fn line(&self) -> String {
        let mut line = String::new();
        let mut output = self.output.lock().expect("no reader panicked");
        output.as_mut().expect("the output is read once").read_line(&mut line).expect("it prints text");
        line
    }

    /// Reads and discards the output from now on, since a full pipe would block the process.
    pub fn silence(&self) {
        let output = self.output.lock().expect("no reader panicked").take();
        if let Some(mut output) = output {
            std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        }
    }

    /// Reads the output from now on, and keeps its lines.
    pub fn record(&self) -> Arc<Mutex<Vec<String>>> {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let output = self.output.lock().expect("no reader panicked").take();
        if let Some(output) = output {
            let kept = Arc::clone(&lines);
            std::thread::spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    kept.lock().expect("no reader panicked").push(line);
                }
            });
        }
        lines
    }

    /// Waits until the engine accepts connections at `port`.
    pub fn wait_for_port(&mut self, port: u16) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.wait_for(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok());
    }

    /// Waits until the engine is ready, as `is_ready` finds out.
    pub fn wait_for(&mut self, is_ready: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the engine ended before it was ready: {status}");
            }
            assert!(began.elapsed() < START, "the engine does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
