//! The process that reads one media file and prints what it finds.

use std::fs::File;
use std::io::{self, BufReader, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use c2pa::jumbf_io::load_jumbf_from_stream;
use c2pa::{Context, Error, Reader, ValidationState};
use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use serde_json::Value;

use super::report::{Embedded, Exclusion, Report, Status, Validation, Verdict};
use crate::args::ReadMedia;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::trouble::{Kind, Trouble};

/// Nothing asks the network: no manifest, certificate or identity is fetched, and no host may be asked if one would be. An
/// identity assertion (CAWG) names a host of its signer's choice, and concerns itself alone, so none is decoded.
const SETTINGS: &str = r#"{
    "core": { "decode_identity_assertions": false, "allowed_network_hosts": [] },
    "verify": {
        "verify_trust": false, "verify_timestamp_trust": false, "remote_manifest_fetch": false, "ocsp_fetch": false
    }
}"#;

/// The success that says that the bytes have the hash which the assertion names.
const HASH_MATCHES: &str = "assertion.dataHash.match";

/// Reads the file, within the memory that it was given, and prints a [`Report`].
pub fn read(args: &ReadMedia, printer: &Printer) -> Result<Exit, Trouble> {
    limit(args.memory).map_err(|error| Trouble::new(Kind::Server, error))?;
    let failed = |error: io::Error| Trouble::file(&args.file, "read", &error);
    let open = || File::open(&args.file).map(BufReader::new).map_err(failed);
    let embedded = load_jumbf_from_stream(&args.format, &mut open()?);
    let mut manifest = Vec::new();
    if args.validate {
        let limit = MAX_C2PA_MANIFEST_BYTES as u64 + 1;
        io::stdin().take(limit).read_to_end(&mut manifest).map_err(failed)?;
    }
    let remote = if matches!(embedded, Err(Error::JumbfNotFound)) { remote(args, open()?) } else { None };
    let validation = args.validate.then(open).transpose()?.map(|stream| {
        let is_in_the_file = embedded.as_ref().is_ok_and(|bytes| same_store(bytes, &manifest));
        validate(args, &manifest, is_in_the_file, stream)
    });
    let embedded = match embedded {
        Ok(bytes) if bytes.len() > MAX_C2PA_MANIFEST_BYTES => Embedded::TooLong(bytes.len()),
        Ok(bytes) => Embedded::Found(STANDARD.encode(bytes)),
        Err(Error::JumbfNotFound) => Embedded::None,
        Err(error) => Embedded::Unreadable(error.to_string()),
    };
    let report = Report { embedded, remote, validation };
    printer.say(String::new, &report)?;
    Ok(Exit::Done)
}

/// Whether two manifest stores are the same: zero padding behind a store is none of it.
pub fn same_store(one: &[u8], other: &[u8]) -> bool {
    let store = |bytes: &'_ [u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    one[..store(one)] == other[..store(other)]
}

fn context() -> c2pa::Result<Context> {
    Context::new().with_settings(SETTINGS)
}

/// Where the file's XMP says that its manifest is.
fn remote(args: &ReadMedia, stream: BufReader<File>) -> Option<String> {
    match context().and_then(|context| Reader::from_context(context).with_stream(&args.format, stream)) {
        Err(Error::RemoteManifestUrl(url)) => Some(url),
        _ => None,
    }
}

/// Validates the manifest that was given. One that is in the file is read from there, so that the validator knows its place.
fn validate(args: &ReadMedia, manifest: &[u8], is_in_the_file: bool, stream: BufReader<File>) -> Validation {
    let read = context().map(Reader::from_context).and_then(|reader| {
        if is_in_the_file {
            reader.with_stream(&args.format, stream)
        } else {
            reader.with_manifest_data_and_stream(manifest, &args.format, stream)
        }
    });
    match read {
        Ok(reader) => Validation::Verdict(verdict(&reader)),
        Err(error) => Validation::Impossible(error.to_string()),
    }
}

fn verdict(reader: &Reader) -> Verdict {
    let failures = reader.validation_status().unwrap_or_default().iter().map(|status| Status {
        code: status.code().to_owned(),
        explanation: status.explanation().map(str::to_owned),
        of_ingredient: status.ingredient_uri().is_some(),
    });
    let successes = reader.validation_results().and_then(|results| results.active_manifest());
    let successes = successes.map(|codes| codes.success().as_slice()).unwrap_or_default();
    let active = reader.active_label();
    // The assertion store as it is written: hard bindings are no part of what the reader else tells of a manifest.
    let all: Value = serde_json::from_str(&reader.detailed_json()).unwrap_or_default();
    let assertions = active.and_then(|label| all["manifests"][label]["assertion_store"].as_object());
    let assertions = || assertions.into_iter().flatten();
    let data_hash = assertions().find(|(label, _)| is_assertion(label, "c2pa.hash.data"));
    let bmff_hash = assertions().find(|(label, _)| is_assertion(label, "c2pa.hash.bmff"));
    let exclusions = data_hash.and_then(|(_, assertion)| assertion["exclusions"].as_array());
    let exclusion = |range: &Value| {
        Some(Exclusion { start: range["start"].as_u64()?, length: range["length"].as_u64()? })
    };
    let maps = bmff_hash.and_then(|(_, assertion)| assertion["merkle"].as_array());
    Verdict {
        is_valid: reader.validation_state() != ValidationState::Invalid,
        active: active.map(str::to_owned),
        failures: failures.collect(),
        hash_matches: successes.iter().any(|status| status.code() == HASH_MATCHES),
        exclusions: exclusions.into_iter().flatten().filter_map(exclusion).collect(),
        is_fragmented: maps.into_iter().flatten().any(|map| !map["initHash"].is_null()),
        identities: assertions()
            .map(|(label, _)| label)
            .filter(|label| is_assertion(label, "cawg.identity"))
            .cloned()
            .collect(),
    }
}

/// Whether a label is the one of an assertion, of any version and instance: `c2pa.hash.bmff.v3`, `cawg.identity__1`.
fn is_assertion(label: &str, base: &str) -> bool {
    label.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
}

#[cfg(unix)]
fn limit(memory: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::As).maximum;
    let memory = maximum.map_or(memory, |maximum| memory.min(maximum));
    Ok(setrlimit(Resource::As, Rlimit { current: Some(memory), maximum })?)
}

#[cfg(not(unix))]
fn limit(_memory: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
