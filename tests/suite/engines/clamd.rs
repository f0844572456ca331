//! clamd itself, with one signature of its own: a new installation has none until it has downloaded some hundred megabytes.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;

use super::Process;

/// The text that scanners are tested with (eicar.org), in two parts, so that no scanner finds it in this file.
const TEXT: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"];

/// The bytes that this clamd knows as malware.
pub fn malware() -> Vec<u8> {
    TEXT.concat().into_bytes()
}

/// A server over a socket in a folder. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    _process: Process,
}

impl Server {
    /// Starts a server whose files are in `folder`, and which takes files of up to a megabyte.
    pub fn start(folder: &Path) -> Self {
        let database = folder.join("database");
        fs::create_dir_all(&database).unwrap();
        let signature = format!("CredLink.Test:0:*:{}\n", HEXLOWER.encode(&malware()));
        fs::write(database.join("test.ndb"), signature).unwrap();
        let socket = Self::socket(folder);
        let settings = format!(
            "DatabaseDirectory {}\nLocalSocket {}\nForeground yes\nStreamMaxLength 1M\nMaxThreads 2\n",
            database.display(),
            socket.display()
        );
        let file = folder.join("clamd.conf");
        fs::write(&file, settings).unwrap();
        // Debian has it where not everybody's PATH leads.
        let debian = Path::new("/usr/sbin/clamd");
        let mut command = Command::new(if debian.exists() { debian } else { Path::new("clamd") });
        command.arg("--config-file").arg(file);
        let mut process = Process::start(&command);
        process.silence();
        process.wait_for(|| UnixStream::connect(&socket).is_ok());
        Self { socket, _process: process }
    }

    /// The path of the socket of a server in `folder`.
    pub fn socket(folder: &Path) -> PathBuf {
        folder.join("clamd.sock")
    }

    /// The address of the server.
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket.display())
    }
}
