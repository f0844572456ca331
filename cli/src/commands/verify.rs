//! `credlink verify`: find the proof of a file, and check everything that can be checked.

use bytes::Bytes;
use credlink_adapters::clock::SystemClock;
use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_service::ports::Clock as _;
use serde::Serialize;

use crate::args::{Connection, Verify};
use crate::checks::{self, Check, Outcome};
use crate::client::{Client, Making};
use crate::exit::Exit;
use crate::media;
use crate::printer::Printer;
use crate::trouble::Trouble;

/// The result.
#[derive(Serialize)]
struct Verification<'a> {
    file: &'a std::path::Path,
    media_hash: MediaHash,
    id: ProofId,
    /// Whether nothing fails.
    holds: bool,
    checks: Vec<Check>,
}

/// Checks the file's proof. That there is none is trouble, with a code of its own.
pub fn verify(connection: &Connection, args: &Verify, printer: &Printer) -> Result<Exit, Trouble> {
    let media_hash = media::hash(&args.file)?;
    let client = Client::open(connection, Making::Refused)?;
    let id = client.id_of(&media_hash);
    let answer = client.record(&id)?;
    let (mut checks, record) = checks::record(&answer.body, answer.etag());
    if let Some(record) = record {
        checks.extend(checks::claims(&record, &media_hash, SystemClock.now()));
        match manifest(&client, &record)? {
            Ok(bytes) => checks.extend(checks::manifest(&record.manifest, &bytes, &args.file, &media_hash)),
            Err(check) => checks.push(check),
        }
    }
    let holds = checks.iter().all(|check| check.outcome != Outcome::Fails);
    let verification = Verification { file: &args.file, media_hash, id, holds, checks };
    printer.say(|| words(&verification), &verification)?;
    Ok(if holds { Exit::Done } else { Exit::DoesNotHold })
}

/// The manifest's bytes, from the record or from where it points to. That it is not there does not hold; that nothing
/// answers is another matter.
fn manifest(client: &Client, record: &Record) -> Result<Result<Bytes, Check>, Trouble> {
    let failed = |why: &dyn std::fmt::Display| {
        Check::failed("manifest", &format!("the manifest cannot be had: {why}"))
    };
    match (record.manifest.inline_bytes(), &record.manifest.id) {
        (Err(error), _) => Ok(Err(failed(&error))),
        (Ok(Some(bytes)), _) => Ok(Ok(bytes)),
        (Ok(None), None) => Ok(Err(failed(&"the record does not say where it is"))),
        (Ok(None), Some(id)) => match client.manifest(id) {
            Ok(answer) => Ok(Ok(answer.body)),
            Err(trouble) if trouble.is_absence() => Ok(Err(failed(&trouble))),
            Err(trouble) => Err(trouble),
        },
    }
}

fn words(verification: &Verification<'_>) -> String {
    let verdict =
        if verification.holds { "everything that can be checked holds" } else { "NOT everything holds" };
    let mut lines = vec![format!("{}: {verdict}", verification.file.display())];
    lines.extend(
        verification.checks.iter().map(|check| format!("  {} {}", check.outcome.mark(), check.detail)),
    );
    lines.join("\n")
}
