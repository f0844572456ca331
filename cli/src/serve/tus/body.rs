//! The bytes of one request of the protocol, on their way to the disk.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use credlink_core::row::UploadRow;
use credlink_core::rules::tus::checksum::Checksum;
use credlink_deployment::deployment::Deployment;
use credlink_disk::failure::from_io;
use credlink_disk::quarantine::{Appending, NotReceived};
use credlink_files::reception::Expected;
use credlink_server::handler::Pieces;
use credlink_service::error::Error;
use sha1::Sha1;
use sha2::Sha256;
use sha2::digest::Digest;
use tokio::task::{JoinError, spawn_blocking};

use super::ended;
use crate::serve::reception::{STEP_BYTES, note_arrived, refusal};

/// The outcome of a request with bytes.
pub(super) enum Outcome {
    /// The bytes are durable, and the upload has this many bytes now.
    Written(u64),
    /// The bytes have another checksum than the request states. None of them counts.
    WrongChecksum,
}

/// Receives the bytes of a request for `row`, which begin at an offset, and notes that the upload is received once all its bytes
/// are there. If the request breaks off, the bytes that have arrived are kept, unless the request states a checksum.
pub(super) async fn receive(
    deployment: &Arc<Deployment>,
    row: &UploadRow,
    offset: u64,
    checksum: Option<Checksum>,
    body: &mut dyn Pieces,
    received: &mut u64,
) -> Result<Outcome, Error> {
    let mut arriving = Arriving::begin(deployment, row, offset, checksum).await?;
    let mut waiting = BytesMut::new();
    let broken = loop {
        match body.next().await {
            Ok(Some(piece)) => {
                *received += piece.len() as u64;
                waiting.extend_from_slice(&piece);
                if waiting.len() >= STEP_BYTES {
                    arriving.write(waiting.split().freeze()).await?;
                }
            }
            Ok(None) => break None,
            Err(problem) => break Some(problem),
        }
    };
    arriving.write(waiting.freeze()).await?;
    if let Some(problem) = broken {
        return Err(problem.into());
    }
    let Some((appending, is_right)) = arriving.end() else { return Err(gone()) };
    if !is_right {
        return Ok(Outcome::WrongChecksum);
    }
    // All bytes of the request are here. From now on it does not matter whether the client still is.
    let (deployment, upload) = (Arc::clone(deployment), row.clone());
    let finished = tokio::spawn(async move {
        let length = done(spawn_blocking(move || appending.finish()).await)?;
        if length == upload.size
            && let Some(files) = deployment.files()
        {
            files.note_received(deployment.service(), &Expected { upload, part: None }).await?;
        }
        Ok(Outcome::Written(length))
    });
    finished.await.unwrap_or_else(|error| Err(ended(&error).into()))
}

/// Bytes that are being written. If it is dropped with its request, a thread that may wait for the disk keeps them.
struct Arriving(Option<(Appending, Option<Hashing>)>);

impl Arriving {
    async fn begin(
        deployment: &Deployment,
        row: &UploadRow,
        offset: u64,
        checksum: Option<Checksum>,
    ) -> Result<Self, Error> {
        let Some(quarantine) = super::folder(deployment) else { return Err(gone()) };
        let upload = row.clone();
        let begun = spawn_blocking(move || quarantine.append(&upload, offset, checksum.is_some())).await;
        if let Ok(Err(NotReceived::Arrived)) = begun {
            note_arrived(deployment, row).await;
        }
        let appending = done(begun)?;
        Ok(Self(Some((appending, checksum.map(Hashing::begin)))))
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let Some((mut appending, mut hashing)) = self.0.take() else { return Err(gone()) };
        let written = spawn_blocking(move || {
            if let Some(hashing) = &mut hashing {
                hashing.update(&bytes);
            }
            let written = appending.write(&bytes);
            (written, appending, hashing)
        });
        let (written, appending, hashing) = written.await.map_err(|error| ended(&error))?;
        self.0 = Some((appending, hashing));
        written.map_err(|error| refusal(&error))
    }

    /// Returns the bytes that were written, and `true` if they have the checksum that the request states, if it states one.
    fn end(mut self) -> Option<(Appending, bool)> {
        let (appending, hashing) = self.0.take()?;
        Some((appending, hashing.is_none_or(Hashing::agrees)))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(arrived) = self.0.take() {
            spawn_blocking(move || drop(arrived));
        }
    }
}

/// The hash of the bytes so far, and the hash that all bytes of the request have to have.
enum Hashing {
    Sha1(Sha1, [u8; 20]),
    Sha256(Sha256, [u8; 32]),
}

impl Hashing {
    fn begin(checksum: Checksum) -> Self {
        match checksum {
            Checksum::Sha1(wanted) => Self::Sha1(Sha1::new(), wanted),
            Checksum::Sha256(wanted) => Self::Sha256(Sha256::new(), wanted),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hash, _) => hash.update(bytes),
            Self::Sha256(hash, _) => hash.update(bytes),
        }
    }

    fn agrees(self) -> bool {
        match self {
            Self::Sha1(hash, wanted) => <[u8; 20]>::from(hash.finalize()) == wanted,
            Self::Sha256(hash, wanted) => <[u8; 32]>::from(hash.finalize()) == wanted,
        }
    }
}

/// Returns the result of a step on another thread.
fn done<T>(done: Result<Result<T, NotReceived>, JoinError>) -> Result<T, Error> {
    done.map_err(|error| Error::from(ended(&error)))?.map_err(|error| refusal(&error))
}

/// Returns the result of a use of the file system on another thread.
pub(super) fn io<T>(doing: &'static str, done: Result<std::io::Result<T>, JoinError>) -> Result<T, Error> {
    let done = done.map_err(|error| ended(&error))?;
    done.map_err(|error| from_io("uploads folder", doing, &error).into())
}

/// Returns the failure of a request whose bytes were lost with a step that was cut off.
fn gone() -> Error {
    let message = "the bytes of an upload were lost on their way".to_owned();
    credlink_ports::Failure {
        provider: "uploads folder",
        kind: credlink_ports::FailureKind::Unavailable,
        message,
    }
    .into()
}
