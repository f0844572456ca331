//! A real `credlink serve`: the binary that cargo built beside this one, on a free port of the loopback interface.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Longest answer that is read, in bytes: more than any that the API gives.
const MAX_ANSWER_BYTES: u64 = 64_000_000;

/// A server, for as long as this value lives.
pub struct Server {
    child: Child,
    url: String,
    agent: ureq::Agent,
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts a server over a new folder, which asks for no credentials.
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

    /// What a server says that refuses to start with these variables.
    pub fn refuses(folder: &Path, variables: &[(&str, &str)]) -> String {
        let ended = command(folder, &[], variables).output().unwrap();
        assert!(!ended.status.success(), "the server ends");
        String::from_utf8(ended.stderr).unwrap()
    }

    /// Starts a server over `folder`, with further arguments and variables.
    pub fn with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::of(command(folder, arguments, variables))
    }

    /// The same, with its log in a file.
    pub fn logging(folder: &Path, variables: &[(&str, &str)], log: &Path) -> Self {
        let mut command = command(folder, &[], variables);
        command.stderr(std::fs::File::create(log).unwrap());
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // It says where it listens as soon as it does.
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

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What stands before its paths.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as a power cut would: SIGKILL, by its own id.
    pub fn kill(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it as an operator does: SIGTERM. It ends in order.
    pub fn stop(&mut self) {
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        assert!(self.child.wait().unwrap().success(), "the server ends in order");
    }

    /// Sends JSON. Gives the status and the answer's JSON.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_bytes(path, "application/json", body.to_string().as_bytes())
    }

    /// Sends bytes. Gives the status and the answer's JSON.
    pub fn post_bytes(&self, path: &str, content_type: &str, body: &[u8]) -> (u16, Value) {
        let request = self.agent.post(format!("{}{path}", self.url)).header("content-type", content_type);
        let mut response = request.send(body).unwrap();
        let answer = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), serde_json::from_slice(&answer).unwrap())
    }

    /// The body of what is there.
    pub fn get_bytes(&self, path: &str) -> Vec<u8> {
        let mut response = self.agent.get(format!("{}{path}", self.url)).call().unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().unwrap()
    }

    /// Replaces what stands there, whatever it is. Gives the status and the answer's JSON.
    pub fn replace(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.agent.put(format!("{}{path}", self.url)).header("if-match", "*"), body)
    }

    /// Puts something there. Gives the status and the answer's JSON, or null where it has no body.
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

    /// Where a redirection leads, as it is written.
    pub fn leads_to(&self, path: &str) -> String {
        let response = self.agent.get(format!("{}{path}", self.url)).call().unwrap();
        assert_eq!(response.status(), 308, "{path}");
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Asks for a deletion that is refused. Gives the status and the problem.
    pub fn delete_in_words(&self, path: &str) -> (u16, Value) {
        let mut response = self.agent.delete(format!("{}{path}", self.url)).call().unwrap();
        let answer = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), serde_json::from_slice(&answer).unwrap())
    }

    /// Deletes. Gives the status.
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

/// `target/debug/deps/suite-…` → `target/debug/credlink`, which `cargo test --workspace` builds as well.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let binary = tests.parent().and_then(Path::parent).unwrap().join("credlink");
    assert!(binary.exists(), "{} is missing: run `cargo build -p credlink` first", binary.display());
    binary
}
