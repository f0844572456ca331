//! Redis itself: one server for all tests, which stay apart by key prefix, and separate servers for outages.

use std::process::Command;
use std::sync::LazyLock;

use super::{Process, free_port};

/// A server that stores nothing on disk, and ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    /// Starts an empty, separate server at `port`.
    pub fn at(port: u16) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--loglevel", "warning"]);
        let mut process = Process::start(&command);
        process.silence();
        process.wait_for_port(port);
        Self { port, _process: process }
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The loopback port of the server.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// The server that all tests share.
pub fn shared() -> &'static Server {
    static SHARED: LazyLock<Server> = LazyLock::new(|| Server::at(free_port()));
    &SHARED
}
