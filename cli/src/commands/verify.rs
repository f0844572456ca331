//! `credlink verify`: finds the proof of a file and checks everything that can be checked.

mod changed;
mod original;

use std::path::Path;

use bytes::Bytes;
use credlink_core::hash::MediaHash;
use credlink_core::manifest::ManifestType;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::tenant::Tenant;
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;
use credlink_verify::checks::{self, Check, Outcome};
use credlink_verify::media::Media;
use serde::Serialize;

use crate::args::{Connection, Verify};
use crate::client::{Client, Purpose};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::input;
use crate::isolation::{self, ReadingError};
use crate::printer::Printer;
use original::Original;

/// The result.
#[derive(Serialize)]
struct Verification<'a> {
    file: &'a Path,
    media_hash: MediaHash,
    /// The proof, or `None` if the file has none and its manifest is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ProofId>,
    /// `true` if no check fails.
    holds: bool,
    /// `true` if the file differs from the one that was signed.
    changed: bool,
    /// `true` if the manifest that is stored under the ID differs from the one in the file.
    #[serde(skip)]
    other_is_stored: bool,
    checks: Vec<Check>,
}

impl Verification<'_> {
    /// Returns `true` if a check could not be decided.
    fn is_open(&self, about: &str) -> bool {
        self.checks.iter().any(|check| check.about == about && check.outcome == Outcome::Open)
    }
}

/// Checks the file's proof. If there is none, checks the manifest that the file itself names. If nothing at all is
/// stored, that is an error with an exit code of its own.
pub fn verify(connection: &Connection, args: &Verify, printer: &Printer) -> Result<Exit, Trouble> {
    let media = input::media(&args.file)?;
    let client = Client::open(connection, Purpose::Read)?;
    let id = client.id_of(&media.hash);
    let verification = match client.record(&id) {
        Ok(answer) => proof(&client, &media, id, &answer.body, answer.etag())?,
        Err(trouble) if trouble.is_unknown() => match changed::look(&client, &media)? {
            Ok(verification) => verification,
            Err(named) => return Err(trouble.asked_as(client.tenant()).with(&named)),
        },
        Err(trouble) => return Err(trouble),
    };
    printer.say(|| words(&verification, client.tenant()), &verification)?;
    Ok(match (verification.holds, verification.id) {
        _ if verification.changed => Exit::Changed,
        (true, Some(_)) => Exit::Done,
        // The manifest that the file names is here, but no proof of the file is.
        (true, None) => Exit::Absent,
        (false, _) => Exit::DoesNotHold,
    })
}

/// Checks the proof that was found by the file's hash.
fn proof<'a>(
    client: &Client,
    media: &'a Media,
    id: ProofId,
    body: &[u8],
    etag: Option<&str>,
) -> Result<Verification<'a>, Trouble> {
    let (mut checks, record) = checks::record(body, etag);
    if let Some(record) = record {
        checks.extend(checks::claims(&record, &media.hash, SystemClock.now()));
        match manifest(client, &record)? {
            Ok((bytes, is_private)) => {
                checks.extend(checks::withdrawn(&record, is_private));
                let media_type = record.media_type.as_deref();
                let mut parent = None;
                let read = |media: &Media, format: &str, manifest: Option<&[u8]>| {
                    let report = isolation::read(media, format, manifest)?;
                    parent = report.parent().cloned();
                    Ok(report)
                };
                let manifest = checks::manifest(&record.manifest, &bytes, media, media_type, read);
                checks.extend(manifest.map_err(|error| unread(media, &error))?);
                let original = match record.manifest.kind {
                    ManifestType::Json => Original::of_record(&bytes),
                    ManifestType::C2pa => parent.as_ref().and_then(Original::of_parent),
                };
                if let Some(original) = original {
                    checks.push(original.look(client)?);
                }
            }
            Err(check) => checks.push(check),
        }
    }
    let holds = checks.iter().all(|check| check.outcome != Outcome::Fails);
    Ok(Verification {
        file: media.name(),
        media_hash: media.hash,
        id: Some(id),
        holds,
        changed: false,
        other_is_stored: false,
        checks,
    })
}

/// Returns the problem of a file that could not be read within its limits, so that nothing is known of it.
fn unread(media: &Media, error: &ReadingError) -> Trouble {
    Trouble::new(TroubleKind::File, format!("{}: {error}", media.name().display()))
}

/// Returns the manifest's bytes, from the record or from its tenant's address, and `true` if they are private to this
/// reader. If this reader does not find the manifest, it cannot be decided whether it was withdrawn or lost. If it was
/// deleted, the check fails. If nothing answers, that is an error.
fn manifest(client: &Client, record: &Record) -> Result<Result<(Bytes, bool), Check>, Trouble> {
    let failed = |why: &dyn std::fmt::Display| {
        Check::failed("manifest", &format!("the manifest cannot be read: {why}"))
    };
    match (record.manifest.inline_bytes(), &record.manifest.id) {
        (Err(error), _) => Ok(Err(failed(&error))),
        (Ok(Some(bytes)), _) => Ok(Ok((bytes, false))),
        (Ok(None), None) => Ok(Err(failed(&"the record does not say where it is"))),
        (Ok(None), Some(id)) => match client.manifest_of(&record.tenant, id) {
            Ok(answer) => {
                let is_private = answer.is_private();
                Ok(Ok((answer.body, is_private)))
            }
            Err(trouble) if trouble.is_unknown() => {
                let detail = format!(
                    "the manifest {id}: it is not available to this reader: its owner has withdrawn it, or it was lost; \
                     the owner, who can still read it, sees with --token which of the two"
                );
                Ok(Err(Check::new("manifest", Outcome::Open, detail)))
            }
            Err(trouble) if trouble.is_absence() => Ok(Err(failed(&trouble))),
            Err(trouble) => Err(trouble),
        },
    }
}

fn words(verification: &Verification<'_>, tenant: &Tenant) -> Vec<String> {
    let absent = || format!("the tenant `{tenant}` has no proof of it (--tenant)");
    let verdict = match (verification.holds, verification.changed) {
        (_, true) => "CHANGED after it was signed".to_owned(),
        (true, false) if verification.other_is_stored => absent(),
        (true, false) if verification.id.is_none() => format!("{}; its manifest is stored here", absent()),
        (true, false) if verification.is_open("manifest") => {
            "no check fails, but its manifest is missing".to_owned()
        }
        (true, false) if verification.is_open("validation") => {
            "no check fails, but the manifest could not be fully validated".to_owned()
        }
        (true, false) => "everything that can be checked holds".to_owned(),
        (false, false) => "NOT everything holds".to_owned(),
    };
    let mut lines = vec![format!("{}: {verdict}", verification.file.display())];
    lines.extend(
        verification.checks.iter().map(|check| format!("  {} {}", check.outcome.mark(), check.detail)),
    );
    lines
}
