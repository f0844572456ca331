//! A Worker in a workerd of its own, with [`super::backing`] behind it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::error::Error;

/// The configuration with the compatibility date and flags of production.
const WRANGLER: &str = include_str!("../../../wrangler.toml");

/// The modules of the Worker in JavaScript, with which the Rust Worker is compared.
const JAVASCRIPT: [(&str, &str); 7] = [
    ("index.js", include_str!("../../edge/js/index.js")),
    ("answer.js", include_str!("../../edge/js/answer.js")),
    ("conditional.js", include_str!("../../edge/js/conditional.js")),
    ("object.js", include_str!("../../edge/js/object.js")),
    ("problem.js", include_str!("../../edge/js/problem.js")),
    ("read.js", include_str!("../../edge/js/read.js")),
    ("route.js", include_str!("../../edge/js/route.js")),
];

/// Variables that keep entries fresh for longer than a benchmark takes, so that a measured hit is a hit.
const VARIABLES: [(&str, &str); 2] =
    [("CREDLINK_RECORD_FRESH", "86400"), ("CREDLINK_IMMUTABLE_FRESH", "86400")];

/// Sends the control messages, the first of which says where workerd listens, to standard output, and discards the log
/// of the Worker. The process stays the same.
const SHELL: &str = r#"exec "$@" 3>&1 >/dev/null"#;

/// A Worker, as its modules by path, starting with the main module.
#[derive(Debug)]
pub struct Worker {
    modules: Vec<(String, Vec<u8>)>,
}

impl Worker {
    /// The Worker in JavaScript.
    #[must_use]
    pub fn javascript() -> Self {
        let modules = JAVASCRIPT.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        Self { modules: modules.collect() }
    }

    /// The Worker in Rust from the folder `workers`, as `worker-build` leaves it for deployment.
    ///
    /// # Errors
    /// Fails if it has not been built.
    pub fn built(folder: &Path) -> Result<Self, Error> {
        let how = || {
            format!("reading the Worker in {} (`docs/performance.md` says how to build it)", folder.display())
        };
        let modules = ["js/main.js", "build/index.js", "build/index_bg.wasm"].map(|name| {
            let module = fs::read(folder.join(name)).map_err(Error::io(how()))?;
            Ok((name.to_owned(), module))
        });
        Ok(Self { modules: modules.into_iter().collect::<Result<_, Error>>()? })
    }
}

/// A running workerd, which is killed when this is dropped.
#[derive(Debug)]
pub struct Workerd {
    child: Child,
    _control: BufReader<ChildStdout>,
    _folder: TempDir,
    /// The address at which it listens.
    pub address: SocketAddr,
}

/// The control message of a socket that listens.
#[derive(Deserialize)]
struct Listens {
    port: u16,
}

impl Workerd {
    /// Starts workerd on a free port of the loopback interface.
    ///
    /// # Errors
    /// Fails if there is no such program, or if it does not start, with its output.
    pub fn start(tools: &Path, worker: &Worker, backing: SocketAddr) -> Result<Self, Error> {
        Prepared::new(tools, worker, backing)?.start()
    }

    /// The processor time that the kernel has counted so far for all threads of the process.
    ///
    /// # Errors
    /// Fails if the process has ended.
    pub fn computed(&self) -> Result<Duration, Error> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let failed = || Error::io(format!("reading {tasks}"));
        let mut nanoseconds = 0;
        for task in fs::read_dir(&tasks).map_err(failed())? {
            let counted = fs::read_to_string(task.map_err(failed())?.path().join("schedstat"));
            let counted = counted.map_err(failed())?;
            let counted = counted.split(' ').next().and_then(|counted| counted.parse::<u64>().ok());
            nanoseconds += counted.ok_or_else(|| Error::wrong(&tasks, "it has no processor time"))?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration and modules with which workerd is started, in a folder of their own.
#[derive(Debug)]
pub struct Prepared {
    program: PathBuf,
    folder: TempDir,
}

impl Prepared {
    /// Writes the configuration and the modules.
    ///
    /// # Errors
    /// Fails if the system does not allow it.
    pub fn new(tools: &Path, worker: &Worker, backing: SocketAddr) -> Result<Self, Error> {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
        let program = format!("node/node_modules/@cloudflare/workerd-linux-{architecture}/bin/workerd");
        let folder = tempfile::tempdir().map_err(Error::io("making a folder"))?;
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            let above = path.parent().unwrap_or(&path);
            fs::create_dir_all(above)
                .and_then(|()| fs::write(&path, bytes))
                .map_err(Error::io(format!("writing {name}")))
        };
        for (name, module) in &worker.modules {
            write(name, module)?;
        }
        write("config.capnp", configuration(worker, backing).as_bytes())?;
        Ok(Self { program: tools.join(program), folder })
    }

    /// Starts workerd, and waits until it listens.
    ///
    /// # Errors
    /// Fails if there is no such program, or if it does not start, with its output.
    pub fn start(self) -> Result<Workerd, Error> {
        let said = self.folder.path().join("stderr");
        let errors = File::create(&said).map_err(Error::io("making a file"))?;
        let mut command = Command::new("sh");
        command.args(["-c", SHELL, "workerd"]).arg(&self.program);
        command.args(["serve", "--control-fd=3"]).arg(self.folder.path().join("config.capnp"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().map_err(Error::io("starting workerd"))?;
        let output = child.stdout.take().ok_or_else(|| Error::wrong("workerd", "it has no output"))?;
        let mut control = BufReader::new(output);
        let mut line = String::new();
        control.read_line(&mut line).map_err(Error::io("starting workerd"))?;
        let Ok(Listens { port }) = serde_json::from_str(&line) else {
            let _ = child.kill();
            let _ = child.wait();
            let said = fs::read_to_string(&said).unwrap_or_default();
            return Err(Error::wrong("workerd does not start", said.trim()));
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Workerd { child, _control: control, _folder: self.folder, address })
    }
}

/// The configuration of workerd: the Worker, its backing services, and a socket.
fn configuration(worker: &Worker, backing: SocketAddr) -> String {
    let modules = worker.modules.iter().map(|(name, _)| {
        let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
        format!("(name = \"{name}\", {kind} = embed \"{name}\")")
    });
    let variables = VARIABLES.map(|(name, value)| format!("(name = \"{name}\", text = \"{value}\")"));
    let setting = |name: &str| {
        let line = WRANGLER.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        line.map(str::trim)
    };
    let date = setting("compatibility_date").unwrap_or("\"\"");
    let flags = setting("compatibility_flags").unwrap_or("[]");
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = (
      modules = [{modules}],
      compatibilityDate = {date},
      compatibilityFlags = {flags},
      bindings = [(name = "BUCKET", r2Bucket = "backing"), {variables}],
      cacheApiOutbound = "backing"
    )),
    (name = "backing", external = (address = "{backing}", http = ()))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "edge")]
);
"#,
        modules = modules.collect::<Vec<_>>().join(", "),
        variables = variables.join(", "),
    )
}
