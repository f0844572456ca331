//! A job: its folder, and the binary that works on it.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::places::{Place, variables};
use crate::server::binary;

/// A job with its ledger, its source and its store.
pub struct Job {
    folder: TempDir,
    pub from: Place,
    pub to: Place,
}

/// The result of a command.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// The output of the command, if that is JSON.
    pub said: Value,
    pub errors: String,
}

impl Job {
    pub fn new(from: Place, to: Place) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), from, to }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command of this job. Only `run` and `plan` take the options that name source and store.
    pub fn command(&self, action: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(["migrate", action, "--json", "--job", "archive"]);
        command.arg("--jobs-dir").arg(self.folder().join("jobs"));
        // A store in a bucket keeps its index here; a folder has its own.
        command.arg("--data-dir").arg(self.folder().join("data"));
        if matches!(action, "run" | "plan") {
            command.args(["--from", &self.from.name, "--to", &self.to.name]);
        }
        command.args(arguments).envs(variables()).env("CREDLINK_LOG", "error").env("RUST_BACKTRACE", "0");
        command.env_remove("CREDLINK_TABLE").env_remove("CREDLINK_TOKEN");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn ends(&self, action: &str, arguments: &[&str]) -> Ended {
        Ended::of(self.command(action, arguments).output().unwrap())
    }

    /// Runs a command, asserts that it succeeds, and returns its output.
    pub fn says(&self, action: &str, arguments: &[&str]) -> Value {
        let ended = self.ends(action, arguments);
        assert_eq!(ended.code, Some(0), "{action}: {ended:?}");
        ended.said
    }

    /// Kills an action after this long, unless it has ended. Returns `true` if it was killed.
    pub fn killed(&self, action: &str, arguments: &[&str], after: Duration) -> bool {
        let mut command = self.command(action, arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        let was_running = child.try_wait().unwrap().is_none();
        // Sends SIGKILL to the process by its own ID.
        let _ = child.kill();
        child.wait().unwrap();
        was_running
    }

    /// The counts of the report.
    pub fn report(&self) -> Value {
        self.ends("report", &[]).said
    }
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            said: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
