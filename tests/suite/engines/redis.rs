//! Redis itself: one server for all tests, which stay apart by key prefix, and servers of one's own for outages.

use std::process::Command;
use std::sync::LazyLock;

use super::{Process, free_port};

/// A server that keeps nothing on disk. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    /// A server of one's own, empty, at `port`.
    pub fn at(port: u16) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--loglevel", "warning"]);
        let mut process = Process::start(&command);
        process.silence();
        process.wait_for_port(port);
        Self { port, _process: process }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Its port of loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// The server that tests share.
pub fn shared() -> &'static Server {
    static SHARED: LazyLock<Server> = LazyLock::new(|| Server::at(free_port()));
    &SHARED
}
