//! A real `credlink serve`: the binary that cargo built beside this one, on a free port of the loopback interface.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// The longest answer that is read, in bytes: longer than any answer of the API.
const MAX_ANSWER_BYTES: u64 = 64_000_000;

/// A server, which runs for as long as this value lives.
pub struct Server {
    child: Child,
    url: String,
    agent: ureq::Agent,
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts a server over a new folder, which requires no credentials.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::over(folder.path(), &[]);
        server._folder = Some(folder);
        server
    }

    /// Starts a server over `folder`, with further arguments.
    pub fn over(folder: &Path, arguments: &[&str]) -> Self {
        Self::with(folder, arguments, &[])
    }

    /// The error of a server that refuses to start with these variables.
    pub fn refuses(folder: &Path, variables: &[(&str, &str)]) -> String {
        let ended = command(folder, &[], variables).output().unwrap();
        assert!(!ended.status.success(), "the server ends");
        String::from_utf8(ended.stderr).unwrap()
    }

    /// Starts a server over `folder`, with further arguments and variables.
    pub fn with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::of(command(folder, arguments, variables))
    }

    /// Starts a server like [`with`](Self::with), with its log in a file.
    pub fn logging(folder: &Path, variables: &[(&str, &str)], log: &Path) -> Self {
        let mut command = command(folder, &[], variables);
        command.stderr(std::fs::File::create(log).unwrap());
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // The server prints its address as soon as it listens.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).expect("the server starts");
        let url = started["url"].as_str().unwrap().to_owned();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)));
        Self { child, url, agent: config.build().new_agent(), _folder: None }
    }

    /// The ID of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The URL with which the server's paths begin.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server as a power cut would: by SIGKILL to its own process ID.
    pub fn kill(&mut self) {
        // The process may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends the server cleanly, as an operator does: by SIGTERM.
    pub fn stop(&mut self) {
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        assert!(self.child.wait().unwrap().success(), "the server ends in order");
    }

    /// POSTs JSON, and returns the status and the JSON of the answer.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_bytes(path, "application/json", body.to_string().as_bytes())
    }

    /// POSTs bytes, and returns the status and the JSON of the answer.
    pub fn post_bytes(&self, path: &str, content_type: &str, body: &[u8]) -> (u16, Value) {
        let request = self.agent.post(format!("{}{path}", self.url)).header("content-type", content_type);
        let mut response = request.send(body).unwrap();
        let answer = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), serde_json::from_slice(&answer).unwrap())
    }

    /// The body of a successful GET.
    pub fn get_bytes(&self, path: &str) -> Vec<u8> {
        let mut response = self.agent.get(format!("{}{path}", self.url)).call().unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().unwrap()
    }

    /// Replaces whatever record is there, and returns the status and the JSON of the answer.
    pub fn replace(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.agent.put(format!("{}{path}", self.url)).header("if-match", "*"), body)
    }

    /// PUTs JSON, and returns the status and the JSON of the answer, or null if it has no body.
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.agent.put(format!("{}{path}", self.url)), body)
    }

    fn send(&self, request: ureq::RequestBuilder<ureq::typestate::WithBody>, body: &Value) -> (u16, Value) {
        let request = request.header("content-type", "application/json");
        let mut response = request.send(body.to_string().as_bytes()).unwrap();
        let answer = response.body_mut().read_to_vec().unwrap();
        let said = if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).unwrap() };
        (response.status().as_u16(), said)
    }

    /// The target of a redirect, exactly as sent.
    pub fn leads_to(&self, path: &str) -> String {
        let response = self.agent.get(format!("{}{path}", self.url)).call().unwrap();
        assert_eq!(response.status(), 308, "{path}");
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Requests a deletion that is refused, and returns the status and the problem.
    pub fn delete_in_words(&self, path: &str) -> (u16, Value) {
        let mut response = self.agent.delete(format!("{}{path}", self.url)).call().unwrap();
        let answer = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), serde_json::from_slice(&answer).unwrap())
    }

    /// Sends a DELETE, and returns the status.
    pub fn delete(&self, path: &str) -> u16 {
        self.agent.delete(format!("{}{path}", self.url)).call().unwrap().status().as_u16()
    }
}

fn command(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--json", "--data-dir"])
        .arg(folder)
        .args(arguments)
        .env("CREDLINK_LOG", "error")
        .envs(variables.iter().copied());
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The path `target/debug/credlink`, derived from `target/debug/deps/suite-…`. `cargo test --workspace` builds it as
/// well.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let binary = tests.parent().and_then(Path::parent).unwrap().join("credlink");
    assert!(binary.exists(), "{} is missing: run `cargo build -p credlink` first", binary.display());
    binary
}
