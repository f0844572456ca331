//! The surroundings of a command: a folder, and a server over it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::Value;

/// A folder with a picture, a manifest for it, and room for data.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("photo.jpg"), b"\xff\xd8\xff\xe0 not much of a picture").unwrap();
        std::fs::write(folder.path().join("photo.jpg.json"), b"{ \"title\" : 1.0 }\n").unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Prepares `credlink` to run in this folder, with a neutral environment.
    pub fn command(&self, typed: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_credlink"));
        command.current_dir(self.folder.path()).args(typed.split(' ')).env_remove("COLUMNS");
        for (name, _) in std::env::vars_os() {
            let said = name.to_string_lossy();
            if ["CREDLINK_", "STORAGE_", "R2_", "AWS_"].iter().any(|start| said.starts_with(start)) {
                command.env_remove(&name);
            }
        }
        // The notes of uploads that are under way.
        command.env("XDG_STATE_HOME", self.path("state"));
        // A command that names a tenant runs with several tenants.
        if typed.contains("--tenant") {
            command.env("CREDLINK_TENANTS", "several");
        }
        command
    }

    /// Runs `credlink` without any network, not even the loopback interface.
    pub fn offline(&self, typed: &str) -> Ran {
        let inner = self.command(typed);
        let mut command = without_network(&[]);
        command.arg(inner.get_program()).args(inner.get_args());
        command.current_dir(self.folder.path()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Ran {
            typed: typed.to_owned(),
            output: command.env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap(),
        }
    }

    /// Runs `credlink` with this input on standard input.
    pub fn fed(&self, typed: &str, input: &[u8]) -> Ran {
        let mut command = self.command(typed);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The process may stop reading before the end.
        if let Err(error) = child.stdin.take().unwrap().write_all(input) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{typed}");
        }
        Ran { typed: typed.to_owned(), output: child.wait_with_output().unwrap() }
    }

    pub fn run(&self, typed: &str) -> Ran {
        Ran::of(typed, &mut self.command(typed))
    }
}

/// Prepares a namespace without any network, with further options of `unshare`. The program that runs in it is still to be
/// named.
pub fn without_network(further: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    // Root does not need a user namespace; other users may create one on most systems.
    let may = |options: &[&str]| Command::new("unshare").args(options).status().unwrap().success();
    if !may(&["--net", "true"]) {
        let options = ["--user", "--map-root-user"];
        assert!(
            may(&[&options[..], &["--net", "true"]].concat()),
            "no namespace without a network can be made"
        );
        command.args(options);
    }
    command.args(further).args(["--net", "--"]);
    command
}

/// A process that has ended.
pub struct Ran {
    typed: String,
    output: Output,
}

impl Ran {
    /// Runs the command entered as `typed` to its end.
    pub fn of(typed: &str, command: &mut Command) -> Self {
        Self { typed: typed.to_owned(), output: command.output().unwrap() }
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    pub fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error}: {}", self.report()))
    }

    pub fn report(&self) -> String {
        let Self { typed, output } = self;
        format!("credlink {typed}: {}\n{}{}", output.status, self.stdout(), self.stderr())
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.output.status.code(), Some(code), "{}", self.report());
        self
    }

    /// Checks that stdout or stderr contains each of these texts.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        let report = self.report();
        for part in parts {
            assert!(report.contains(part), "`{part}` is not in: {report}");
        }
        self
    }
}

/// A server, which is ended by its own process ID when this is dropped.
pub struct Server {
    child: Child,
    url: String,
}

impl Server {
    pub fn start(world: &World, options: &str) -> Self {
        Self::of(world, options, &[])
    }

    /// Starts a server with further variables.
    pub fn of(world: &World, options: &str, variables: &[(&str, PathBuf)]) -> Self {
        let typed = format!("serve --json --listen 127.0.0.1:0 --data-dir data{options}");
        let mut command = world.command(&typed);
        command.env("CREDLINK_LOG", "warn").envs(variables.iter().cloned()).stderr(Stdio::null());
        Self::spawn(&mut command)
    }

    /// Starts a server that logs from this level on, for [`Self::log`].
    pub fn logging(world: &World, options: &str, level: &str) -> Self {
        let typed = format!("serve --json --listen 127.0.0.1:0 --data-dir data{options}");
        let mut command = world.command(&typed);
        command.env("CREDLINK_LOG", level).stderr(Stdio::piped());
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"));
        assert_eq!(started["data_dir"], "data");
        Self { url: started["url"].as_str().unwrap().to_owned(), child }
    }

    /// The URL of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The options that direct a command to the server.
    pub fn address(&self) -> String {
        format!("--url {}", self.url)
    }

    /// Opens a new connection.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.trim_start_matches("http://")).unwrap()
    }

    /// Asks the server to stop, by its own process ID.
    #[cfg(unix)]
    pub fn signal(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Returns `true` if the server still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the server, and returns the lines of its log.
    pub fn log(mut self) -> Vec<Value> {
        let _ = self.child.kill();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until the server has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
