//! A rebuild of a whole index from a folder, by the program itself: its rate and its memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Attributes, Facts, ObjectKey};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_disk::folder::Folder;
use credlink_ports::{Condition, Objects as _, Put};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::error::Error;
use crate::material::{manifest_id, media_hash};
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};

/// Number of writers that fill the folder.
const AT_ONCE: usize = 64;
/// One proof in this many has a C2PA manifest, and with it a second row.
const ONE_OF: u64 = 4;
/// Interval at which the program's memory is sampled.
const LOOK: Duration = Duration::from_millis(50);
/// Time at which the proofs were stored: 1 January 2026.
const CREATED: i64 = 1_767_225_600_000;

/// Fills a folder without an index, and lets the program create one. Then runs it again, with every row correct.
///
/// # Errors
/// Fails if a write or the program does.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let folder = tempfile::tempdir_in(&plan.folder).map_err(Error::io("making a folder"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(Error::io("starting a runtime"))?;
    progress("rebuild: filling the folder");
    runtime.block_on(fill(folder.path(), plan.proofs))?;
    let mut table = Table::new(
        "An index made anew (`rebuild`)",
        "`credlink rebuild` over a folder, every fourth proof with a C2PA manifest. The memory is the most that the process had \
         (`VmHWM`), of which the index may use 64 MB for pages. The second line is the same again, when every row is right.",
        &["what", "proofs", "rows made", "s", "objects/s", "memory, MB"],
    );
    for what in ["from nothing", "every row is right"] {
        progress(&format!("rebuild: {what}"));
        let started = Instant::now();
        let (report, memory) = rebuild(&plan.server, folder.path())?;
        let seconds = started.elapsed().as_secs_f64();
        let number = |name: &str| report["rebuilt"][name].as_u64().unwrap_or_default();
        if report["rebuilt"]["joined"] != true {
            return Err(Error::wrong("the rebuild", report));
        }
        table.row([
            what.into(),
            Cell::Count(plan.proofs),
            Cell::Count(number("made")),
            seconds.into(),
            (number("examined") as f64 / seconds).into(),
            (memory / 1e6).into(),
        ]);
    }
    plan.printer.table(&table);
    Ok(())
}

async fn fill(folder: &Path, proofs: u64) -> Result<(), Error> {
    let objects = Folder::open(folder).map_err(|error| Error::wrong("a folder", error))?;
    let writes = stream::iter(0..proofs).map(|number| store(&objects, number));
    writes.buffer_unordered(AT_ONCE).try_collect::<()>().await
}

/// Writes the objects of one proof, as a store leaves them.
async fn store(objects: &Folder, number: u64) -> Result<(), Error> {
    let hash = media_hash(number);
    let now = Timestamp::from_milliseconds(CREATED);
    let is_signed = number.is_multiple_of(ONE_OF);
    let body = if is_signed {
        let bytes = manifest_store(&manifest_id(number), hash.digest());
        let manifest =
            Manifest::c2pa(Bytes::from(bytes)).map_err(|error| Error::wrong("a manifest", error))?;
        put_manifest(objects, &manifest, now).await?;
        let text = STANDARD.encode(manifest.bytes());
        format!(r#"{{"media_hash":"{hash}","manifest_base64":"{text}"}}"#)
    } else {
        format!(r#"{{"media_hash":"{hash}","manifest":{{"number":{number}}}}}"#)
    };
    let draft = Draft::parse(body.as_bytes(), Tenant::default(), None);
    let record = draft.map_err(|problem| Error::wrong("a draft", problem))?.record(1, now);
    let bytes = record.to_bytes();
    let key = ObjectKey::Record(record.id);
    let (body, attributes) = record.stored(&bytes, Digest::of(&bytes), &key);
    put(objects, &key, body, &attributes).await
}

async fn put_manifest(objects: &Folder, manifest: &Manifest, now: Timestamp) -> Result<(), Error> {
    let id = manifest.id().ok_or_else(|| Error::wrong("a manifest", "it has no id"))?;
    let key = ObjectKey::Manifest(ManifestKey::new(&Tenant::default(), id));
    let facts = Facts::of(manifest.bytes(), Tenant::default(), Visibility::Public, now);
    let attributes = facts.attributes(&key, BTreeMap::new());
    put(objects, &key, manifest.bytes().clone(), &attributes).await
}

async fn put(objects: &Folder, key: &ObjectKey, body: Bytes, attributes: &Attributes) -> Result<(), Error> {
    match objects.put(key, body, attributes, Condition::Absent).await {
        Ok(Put::Stored(_)) => Ok(()),
        Ok(Put::Lost) => Err(Error::wrong("a new object", "it was there already")),
        Err(failure) => Err(Error::wrong("a folder", failure)),
    }
}

/// Runs the program. Returns its report, and its peak memory in bytes.
fn rebuild(program: &Path, folder: &Path) -> Result<(Value, f64), Error> {
    let mut command = Command::new(program);
    command.args(["rebuild", "--json", "--data-dir"]).arg(folder).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(Error::io("starting the program"))?;
    let mut memory = 0.0_f64;
    while child.try_wait().map_err(Error::io("waiting for the program"))?.is_none() {
        memory = memory.max(most(&child));
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output().map_err(Error::io("reading a result"))?;
    let report =
        serde_json::from_slice(&output.stdout).map_err(|error| Error::wrong("the rebuild", error))?;
    Ok((report, memory))
}

/// The peak memory of a process so far, in bytes, or 0 if it has ended.
fn most(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() * 1_024.0
}
