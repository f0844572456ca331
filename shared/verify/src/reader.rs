//! Reading of one media file with c2pa-rs. A file may be crafted to take hours and all memory, so a caller that does
//! not trust it reads it in a separate process.

use std::fs::File;
use std::io::{self, BufReader, Seek as _};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use c2pa::jumbf_io::load_jumbf_from_stream;
use c2pa::validation_status::ASSERTION_DATAHASH_MATCH;
use c2pa::{Context, Error, Reader, ValidationState};
use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use credlink_core::hash::{Digest, MediaHash};
use serde_json::Value;

use crate::coverage::BoundFile;
use crate::media::{self, Copying};
use crate::report::{Embedded, Parent, Report, Status, Validation, Verdict};
use crate::{binding, coverage};

/// Settings that keep the reader off the network: no manifest, certificate or identity is fetched, and there is no host
/// that it may ask. An identity assertion (CAWG) names a host of its signer's choice and is about itself alone, so none
/// is decoded.
const SETTINGS: &str = r#"{
    "core": { "decode_identity_assertions": false, "allowed_network_hosts": [] },
    "verify": {
        "verify_trust": false, "verify_timestamp_trust": false, "remote_manifest_fetch": false, "ocsp_fetch": false
    }
}"#;

/// Maximum length of a file that is hashed twice, in bytes.
const SMALL: u64 = 64 * 1_024 * 1_024;

/// Reads the file at `path` as a file of the type `format`. If a manifest is given, validates it with the file.
///
/// # Errors
/// The file cannot be read. Faults of its content are in the report.
pub fn read(path: &Path, format: &str, manifest: Option<&[u8]>) -> io::Result<Report> {
    // The file is opened once, because another file may be moved to its path meanwhile.
    let file = File::open(path)?;
    let state = State::of(&file)?;
    let (digest, length, _) = hash(&file)?;
    let embedded = load_jumbf_from_stream(format, &mut rewound(&file)?);
    let remote = match &embedded {
        Err(Error::JumbfNotFound) => remote(format, rewound(&file)?),
        _ => None,
    };
    let validation = manifest.map(|manifest| {
        let embedded = embedded.as_ref().ok().filter(|bytes| same_store(bytes, manifest));
        validate(format, manifest, embedded.map(|bytes| bytes.len() as u64), &file)
    });
    let validation = validation.transpose()?;
    // A clock's tick may be longer than the reading of a small file.
    let is_same = State::of(&file)? == state && (length > SMALL || hash(&file)?.0 == digest);
    let media_hash = is_same.then(|| MediaHash::from(digest));
    let embedded = match embedded {
        Ok(bytes) if bytes.len() > MAX_C2PA_MANIFEST_BYTES => Embedded::TooLong(bytes.len()),
        Ok(bytes) => Embedded::Found(STANDARD.encode(bytes)),
        Err(Error::JumbfNotFound) => Embedded::None,
        Err(error) => Embedded::Unreadable(error.to_string()),
    };
    Ok(Report { media_hash, embedded, remote, validation })
}

/// Returns `true` if two manifest stores are the same. Zero padding after a store is not part of it.
pub fn same_store(one: &[u8], other: &[u8]) -> bool {
    let store = |bytes: &'_ [u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    one[..store(one)] == other[..store(other)]
}

fn context() -> c2pa::Result<Context> {
    Context::new().with_settings(SETTINGS)
}

/// Returns the digest, the length and the beginning of a file.
fn hash(file: &File) -> io::Result<(Digest, u64, Vec<u8>)> {
    let hashed = media::digest(rewound(file)?, io::sink());
    hashed.map_err(|error| match error {
        Copying::Read(error) | Copying::Write(error) => error,
        Copying::TooLong(_) => io::Error::other(error),
    })
}

/// Returns a reader of the file from its beginning.
fn rewound(mut file: &File) -> io::Result<BufReader<&File>> {
    file.rewind()?;
    Ok(BufReader::new(file))
}

/// The state of an open file, which changes when the file is written to.
#[derive(PartialEq, Eq)]
struct State {
    length: u64,
    written: Option<SystemTime>,
    /// The time of the last change, which no program can set.
    #[cfg(unix)]
    changed: (i64, i64),
}

impl State {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            length: metadata.len(),
            written: metadata.modified().ok(),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Returns the address of the manifest that the file's XMP names.
fn remote(format: &str, stream: BufReader<&File>) -> Option<String> {
    match context().and_then(|context| Reader::from_context(context).with_stream(format, stream)) {
        Err(Error::RemoteManifestUrl(url)) => Some(url),
        _ => None,
    }
}

/// Validates the given manifest. If the file contains it, with so many bytes, it is read from the file, so that the
/// validator knows its place.
fn validate(format: &str, manifest: &[u8], in_the_file: Option<u64>, file: &File) -> io::Result<Validation> {
    let stream = rewound(file)?;
    let read = context().map(Reader::from_context).and_then(|reader| match in_the_file {
        Some(_) => reader.with_stream(format, stream),
        None => reader.with_manifest_data_and_stream(manifest, format, stream),
    });
    match read {
        Ok(reader) => {
            let media = BoundFile { file: rewound(file)?, format, manifest: in_the_file };
            Ok(Validation::Verdict(verdict(&reader, media)?))
        }
        Err(error) => Ok(Validation::Impossible(error.to_string())),
    }
}

fn verdict(reader: &Reader, bound: BoundFile<'_, BufReader<&File>>) -> io::Result<Verdict> {
    let failures = reader.validation_status().unwrap_or_default().iter().map(|status| Status {
        code: status.code().to_owned(),
        explanation: status.explanation().map(str::to_owned),
        of_ingredient: status.ingredient_uri().is_some(),
    });
    let successes = reader.validation_results().and_then(|results| results.active_manifest());
    let successes = successes.map(|codes| codes.success().as_slice()).unwrap_or_default();
    let active = reader.active_label();
    // The assertion store is read as it is written, because the reader's other output does not contain hard bindings.
    let all: Value = serde_json::from_str(&reader.detailed_json()).unwrap_or_default();
    let assertions = active.and_then(|label| all["manifests"][label]["assertion_store"].as_object());
    Ok(Verdict {
        is_valid: reader.validation_state() != ValidationState::Invalid,
        active: active.map(str::to_owned),
        failures: failures.collect(),
        hash_matches: successes.iter().any(|status| status.code() == ASSERTION_DATAHASH_MATCH),
        coverage: coverage::of(&binding::judged(reader, &all), bound)?,
        identities: assertions
            .into_iter()
            .flatten()
            .map(|(label, _)| label)
            .filter(|label| is_assertion(label, "cawg.identity"))
            .cloned()
            .collect(),
        parent: reader.active_manifest().and_then(|manifest| {
            let parent = manifest.ingredients().iter().find(|ingredient| ingredient.is_parent())?;
            Some(Parent { information: parent.informational_uri().map(str::to_owned) })
        }),
    })
}

/// Returns `true` if a label is that of an assertion, in any version and instance: `c2pa.hash.bmff.v3`,
/// `cawg.identity__1`.
fn is_assertion(label: &str, base: &str) -> bool {
    label.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_to_is_in_another_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"one").unwrap();
        let file = File::open(&path).unwrap();
        let state = State::of(&file).unwrap();
        assert!(state == State::of(&file).unwrap());
        std::fs::write(&path, b"another").unwrap();
        assert!(state != State::of(&file).unwrap());
        // A file that is moved to the same path is not looked at.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"a third").unwrap();
        assert_eq!(hash(&file).unwrap().0, Digest::of(b"another"));
    }

    #[test]
    fn padding_is_no_part_of_a_store() {
        assert!(same_store(b"store\0\0\0", b"store"));
        assert!(!same_store(b"store", b"stare"));
        assert!(same_store(b"", b"\0"));
    }

    #[test]
    fn labels_have_versions_and_instances() {
        for label in ["cawg.identity", "cawg.identity__1", "cawg.identity.v2"] {
            assert!(is_assertion(label, "cawg.identity"), "{label}");
        }
        assert!(!is_assertion("cawg.identities", "cawg.identity"));
    }
}
