//! Engines that stand in for S3 and DynamoDB, each in its own process: real ones from the tools folder, or
//! [`crate::answerer`].

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::server::Server;

/// The access key that ministack accepts.
pub const ACCESS_KEY: &str = "AKIACREDLINKBENCH";
/// The secret of that key.
pub const SECRET: &str = "a secret of the benchmarks";
/// The region of all resources, which is the one in which buckets need no location constraint.
pub const REGION: &str = "us-east-1";

/// The time that an engine may take until it listens.
const START: Duration = Duration::from_secs(60);

/// A shell that ends its child when its standard input is closed, which happens in whatever way this process ends.
const LEASH: &str =
    "\"$@\" </dev/null >/dev/null 2>&1 & child=$!; cat >/dev/null; kill $child; sleep 1; kill -9 $child";

/// A choice of engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The engines ministack for S3 (Python) and dynoxide for DynamoDB (Rust, over SQLite in memory).
    Real,
    /// The [`crate::answerer`] for both.
    Answerer,
}

impl Choice {
    /// The name of the choice in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Real => "ministack, dynoxide",
            Self::Answerer => "the ceiling",
        }
    }
}

/// Running engines.
#[derive(Debug)]
pub struct Engines {
    /// The address of S3.
    pub s3: SocketAddr,
    /// The address of DynamoDB.
    pub dynamodb: SocketAddr,
    _processes: Processes,
    _line: Option<Server>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held until they shall end")]
enum Processes {
    Real([Leashed; 2]),
    Answerer(Server),
}

impl Engines {
    /// Starts the engines.
    ///
    /// # Errors
    /// Fails if they are not in the tools folder, or do not start.
    pub fn start(choice: Choice, tools: &Path) -> Result<Self, Error> {
        if choice == Choice::Answerer {
            let server = Server::answerer()?;
            return Ok(Self {
                s3: server.address,
                dynamodb: server.address,
                _processes: Processes::Answerer(server),
                _line: None,
            });
        }
        let (s3, dynamodb) = (free_address()?, free_address()?);
        let mut ministack = Command::new("bash");
        ministack
            .args(["-c", LEASH, "engine"])
            .arg(tools.join("python/bin/ministack"))
            .env("GATEWAY_PORT", s3.port().to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("SERVICES", "s3,sqs")
            .env("AUTH", "true")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env_remove("AWS_SESSION_TOKEN")
            .env("MINISTACK_REGION", REGION)
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("S3_PERSIST", "0")
            .env("PERSIST_STATE", "0")
            .env("LOG_LEVEL", "ERROR");
        let ministack = Leashed::start(&mut ministack, s3)?;
        let mut dynoxide = Command::new("bash");
        let port = dynamodb.port().to_string();
        dynoxide.args(["-c", LEASH, "engine"]).arg(tools.join("bin/dynoxide"));
        dynoxide.args(["serve", "--host", "127.0.0.1", "--log", "quiet", "--port", &port]);
        let dynoxide = Leashed::start(&mut dynoxide, dynamodb)?;
        Ok(Self { s3, dynamodb, _processes: Processes::Real([ministack, dynoxide]), _line: None })
    }

    /// The same engines, with S3 at the other end of a [`crate::line`].
    ///
    /// # Errors
    /// Fails if the line does not start.
    pub fn far_away(self) -> Result<Self, Error> {
        let line = Server::line(self.s3)?;
        Ok(Self { s3: line.address, _line: Some(line), ..self })
    }

    /// The variables with which a process finds the engines, and its credentials.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("STORAGE_PROVIDER", "s3".to_owned()),
            ("STORAGE_ENDPOINT", format!("http://{}", self.s3)),
            ("STORAGE_BUCKET", BUCKET.to_owned()),
            ("STORAGE_REGION", REGION.to_owned()),
            ("CREDLINK_TABLE", TABLE.to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", self.dynamodb)),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }
}

/// Gives a process of another project the credentials for the engines.
pub fn keys(command: &mut Command) {
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_REGION", REGION)
        // The name by which botocore knows it.
        .env("AWS_DEFAULT_REGION", REGION);
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").env_remove("AWS_CA_BUNDLE");
}

/// Returns `rclone` for the engine of S3, without settings of its user.
#[must_use]
pub fn rclone_command(program: &Path, engines: &Engines) -> Command {
    let mut command = Command::new(program);
    command.args(["--config", "/dev/null", "--s3-provider=Other", "--s3-env-auth", "--s3-force-path-style"]);
    command.arg(format!("--s3-region={REGION}")).arg(format!("--s3-endpoint=http://{}", engines.s3));
    keys(&mut command);
    command
}

/// Returns `rclone copy` of the folder `from` to the prefix `to` of an empty bucket, with so many transfers at once, and without
/// what such a copy does not need.
#[must_use]
pub fn rclone_copy(program: &Path, engines: &Engines, at_once: &str, from: &Path, to: &str) -> Command {
    let mut command = rclone_command(program, engines);
    command.args(["copy", "--no-traverse", "--no-check-dest", "--s3-no-check-bucket", "--s3-no-head"]);
    command.args(["--transfers", at_once, "--checkers", at_once]);
    command.arg(from).arg(format!(":s3:{BUCKET}/{to}"));
    command
}

/// The bucket of all of these benchmarks.
pub const BUCKET: &str = "credlink-benches";
/// The table of all of these benchmarks.
pub const TABLE: &str = "credlink-benches";

#[derive(Debug)]
struct Leashed(Child);

impl Leashed {
    fn start(command: &mut Command, address: SocketAddr) -> Result<Self, Error> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let leashed = Self(child.map_err(Error::io("starting an engine"))?);
        let began = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if began.elapsed() > START {
                let why = format!("`{command:?}` does not listen; `tests/run tools` installs the tools");
                return Err(Error::wrong("starting an engine", why));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(leashed)
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn free_address() -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("finding a free port"))?;
    listener.local_addr().map_err(Error::io("finding a free port"))
}
