//! A store of some size, in a process of its own, so that its memory can be measured.
//!
//! The process fills the store, reports that in a line of JSON, and then measures one round for each line that it
//! receives.

use std::fs;
use std::io::BufRead as _;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use clap::ValueEnum;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_core::row::{ManifestRow, ProofRow, Row, RowKey, State};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_disk::folder::Folder;
use credlink_embedded::index::EmbeddedIndex;
use credlink_ports::{Commit, Condition, Failure, Index as _, Objects as _, Put, Write};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::material::{MaterialKind, manifest_id, media_hash, noise, proof_id};
use crate::report;

/// Number of concurrent writes in a round, and number of all writes in it.
const AT_ONCE: usize = 16;
const WRITES: u64 = 2_000;
/// Number of reads in a round, one after the other.
const READS: u64 = 20_000;
/// Number of proofs in one commit while the index is filled: 66 of them have 99 rows, and one commit may have 100.
const FILL: u64 = 66;
/// Number of concurrent commits while the index is filled, which the writer makes durable together.
const FILL_AT_ONCE: usize = 256;
/// Number of writers that fill the folder.
const FOLDER_AT_ONCE: usize = 64;
/// Size of a page of the index, in bytes.
const PAGE_BYTES: f64 = 4_096.0;
/// Length of an object in the folder: a usual record, gzipped.
const OBJECT_BYTES: usize = 1_200;

/// The part of the store that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// The index.
    Index,
    /// The folder.
    Folder,
}

/// The report of a filled store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Filled {
    /// The time that filling took.
    pub seconds: f64,
}

/// The result of a round.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Round {
    /// The time of one read, in microseconds.
    pub read_us: f64,
    /// Bytes that one read fetched from the file, in pages.
    pub read_pages: f64,
    /// Durable writes per second, with sixteen writers.
    pub writes: f64,
    /// Bytes that one write fetched from the file, in pages.
    pub fetched_pages: f64,
    /// Bytes that one write wrote to the file, in pages.
    pub written_pages: f64,
    /// Memory of this process (`VmRSS`), in bytes.
    pub memory: f64,
    /// Size of its files, in bytes.
    pub size: f64,
}

enum Store {
    Index(EmbeddedIndex, Box<[ProofRow; 2]>),
    Folder(Folder),
}

/// Fills a store below `folder` with this many proofs, and then measures a round for each line of standard input.
///
/// # Errors
/// Fails if a write or a read does.
pub fn run(subject: Subject, proofs: u64, folder: &Path) -> Result<(), Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(Error::io("starting a runtime"))?;
    let path = folder.join("store");
    let store = Store::open(subject, &path)?;
    let started = Instant::now();
    runtime.block_on(store.fill(proofs))?;
    report::line(&Filled { seconds: started.elapsed().as_secs_f64() });
    let mut written = proofs;
    for line in std::io::stdin().lock().lines() {
        line.map_err(Error::io("reading what to do"))?;
        let round = runtime.block_on(async {
            let (before, started) = (Transferred::so_far()?, Instant::now());
            for random in noise(written, 8 * usize::try_from(READS).unwrap_or(0)).as_chunks::<8>().0 {
                store.read(u64::from_le_bytes(*random) % proofs).await?;
            }
            let read_us = started.elapsed().as_secs_f64() * 1e6 / READS as f64;
            let (between, started) = (Transferred::so_far()?, Instant::now());
            store.write(written..written + WRITES, 1, AT_ONCE).await?;
            let writes = WRITES as f64 / started.elapsed().as_secs_f64();
            let after = Transferred::so_far()?;
            Ok::<_, Error>(Round {
                read_us,
                read_pages: (between.read - before.read) / PAGE_BYTES / READS as f64,
                writes,
                fetched_pages: (after.read - between.read) / PAGE_BYTES / WRITES as f64,
                written_pages: (after.written - between.written) / PAGE_BYTES / WRITES as f64,
                memory: memory()?,
                size: size(&path)?,
            })
        })?;
        written += WRITES;
        report::line(&round);
    }
    Ok(())
}

impl Store {
    fn open(subject: Subject, path: &Path) -> Result<Self, Error> {
        let opening = |error: &dyn std::fmt::Display| Error::wrong("opening a store", error);
        Ok(match subject {
            Subject::Index => {
                let index = EmbeddedIndex::open(path).map_err(|error| opening(&error))?;
                Self::Index(index, Box::new([row(MaterialKind::Json)?, row(MaterialKind::C2pa)?]))
            }
            Subject::Folder => Self::Folder(Folder::open(path).map_err(|error| opening(&error))?),
        })
    }

    async fn fill(&self, proofs: u64) -> Result<(), Error> {
        match self {
            Self::Index(..) => self.write(0..proofs, FILL, FILL_AT_ONCE).await,
            Self::Folder(_) => self.write(0..proofs, 1, FOLDER_AT_ONCE).await,
        }
    }

    /// Writes these proofs, with `together` proofs in a commit and `at_once` concurrent commits.
    async fn write(&self, numbers: std::ops::Range<u64>, together: u64, at_once: usize) -> Result<(), Error> {
        let end = numbers.end;
        let starts = numbers.step_by(usize::try_from(together).unwrap_or(1));
        let commits = stream::iter(starts.map(|start| self.commit(start..end.min(start + together))));
        commits.buffer_unordered(at_once).try_collect::<()>().await
    }

    async fn commit(&self, numbers: std::ops::Range<u64>) -> Result<(), Error> {
        let done = match self {
            Self::Index(index, rows) => {
                let writes: Vec<Write> = numbers.flat_map(|number| writes(rows, number)).collect();
                index.commit(&writes).await.map_err(failed)? == Commit::Done
            }
            Self::Folder(folder) => {
                let number = numbers.start;
                let (key, body) =
                    (ObjectKey::Record(proof_id(number)), Bytes::from(noise(number, OBJECT_BYTES)));
                let put = folder.put(&key, body, &Attributes::default(), Condition::Absent).await;
                matches!(put.map_err(failed)?, Put::Stored(_))
            }
        };
        if done { Ok(()) } else { Err(Error::Wrong("a new proof was there already".to_owned())) }
    }

    async fn read(&self, number: u64) -> Result<(), Error> {
        let right = match self {
            Self::Index(index, _) => {
                let row = index.get(&RowKey::Proof(proof_id(number))).await.map_err(failed)?;
                row.and_then(Row::proof).is_some_and(|row| row.media_hash == media_hash(number))
            }
            Self::Folder(folder) => {
                let object = folder.get(&ObjectKey::Record(proof_id(number))).await.map_err(failed)?;
                object.is_some_and(|object| object.body == noise(number, OBJECT_BYTES))
            }
        };
        if right { Ok(()) } else { Err(Error::Wrong(format!("proof {number} is not what was written"))) }
    }
}

/// The row of a proof of this kind, as a store creates it.
fn row(kind: MaterialKind) -> Result<ProofRow, Error> {
    let draft = Draft::parse(&kind.body(0), Tenant::default(), None);
    let now = Timestamp::from_milliseconds(1_767_225_600_000);
    let record = draft.map_err(|problem| Error::wrong("a draft", problem))?.record(1, now);
    Ok(ProofRow::publish(&record, *media_hash(0).digest(), None))
}

/// The commit of a store of proof `number`. Every other proof has a C2PA manifest, and with it a second row.
fn writes([json, c2pa]: &[ProofRow; 2], number: u64) -> Vec<Write> {
    let with_manifest = number % 2 == 1;
    let mut row = if with_manifest { c2pa.clone() } else { json.clone() };
    let (id, hash) = (proof_id(number), media_hash(number));
    let later =
        |time: Timestamp| Timestamp::from_milliseconds(time.milliseconds().saturating_add_unsigned(number));
    let (created, expires) = (later(row.created), later(row.expires));
    row = ProofRow {
        id,
        media_hash: hash,
        manifest_sha256: *hash.digest(),
        record_sha256: *hash.digest(),
        created,
        expires,
        ..row
    };
    let mut writes = Vec::with_capacity(2);
    if with_manifest && let Ok(id) = manifest_id(number).parse() {
        let manifest = ManifestRow {
            id,
            version: 1,
            state: State::Live,
            tenant: row.tenant.clone(),
            sha256: row.manifest_sha256,
            length: row.manifest_length,
            holders: 1,
            standalone: false,
            imported: false,
            generation: 0,
            visibility: row.visibility,
            void: false,
        };
        row.manifest_id = Some(manifest.id.clone());
        row.held = [manifest.id.clone()].into();
        writes.push(Write { row: Row::Manifest(manifest), expected: None });
    }
    writes.push(Write { row: Row::Proof(row), expected: None });
    writes
}

fn failed(failure: Failure) -> Error {
    Error::wrong("a store", failure)
}

/// Bytes that this process has read and written by system calls.
#[derive(Clone, Copy)]
struct Transferred {
    read: f64,
    written: f64,
}

impl Transferred {
    fn so_far() -> Result<Self, Error> {
        let text =
            fs::read_to_string("/proc/self/io").map_err(Error::io("reading the process's transfers"))?;
        let bytes = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            value.ok_or_else(|| Error::wrong("/proc/self/io", format!("no {name}")))
        };
        Ok(Self { read: bytes("rchar:")?, written: bytes("wchar:")? })
    }
}

/// Memory of this process, in bytes.
fn memory() -> Result<f64, Error> {
    let status =
        fs::read_to_string("/proc/self/status").map_err(Error::io("reading the process's memory"))?;
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes
        .map(|kilobytes: f64| kilobytes * 1_024.0)
        .ok_or_else(|| Error::wrong("/proc/self/status", "no VmRSS"))
}

/// Size in bytes of a file, or of all files below a directory.
fn size(path: &Path) -> Result<f64, Error> {
    let metadata = fs::metadata(path).map_err(Error::io("measuring files"))?;
    if !metadata.is_dir() {
        return Ok(metadata.len() as f64);
    }
    let mut sum = 0.0;
    for entry in fs::read_dir(path).map_err(Error::io("measuring files"))? {
        sum += size(&entry.map_err(Error::io("measuring files"))?.path())?;
    }
    Ok(sum)
}
