//! `credlink get`: the record of a proof exactly as it is served, or the exact bytes of its manifest.

use std::path::Path;

use bytes::Bytes;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest::ManifestType;
use credlink_core::record::Record;

use crate::args::{Connection, Get};
use crate::client::{Answer, Client, Purpose};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::output::Output;
use crate::printer::Printer;
use crate::subject::Subject;

/// The things that can be named instead of a file.
const OTHERS: &str = "proof id, manifest id, SHA-256 or URL";

/// The content to write. Text can be shown in a terminal.
struct Content {
    bytes: Bytes,
    is_text: bool,
}

/// Fetches the object that was named, and writes it.
pub fn get(connection: &Connection, args: &Get, printer: &Printer) -> Result<Exit, Trouble> {
    let subject = Subject::read(&args.subject)?;
    let output = args.output.as_deref().map(|path| Output::open(path, args.force, Path::new(&args.subject)));
    let output = output.transpose()?.flatten();
    let client = Client::open(connection, Purpose::Read)?;
    let legacy = legacy_id(&subject);
    if let Some(answer) = legacy.as_ref().map(|id| of_legacy(&client, id)).transpose()?.flatten() {
        return write_out(&client, answer, args, output.as_ref(), printer);
    }
    if let Some(id) = legacy {
        let detail = format!(
            "there is no file `{id}` here and no proof with the legacy id `{id}` on the server, and it is not a \
             {OTHERS}"
        );
        return Err(Trouble::new(TroubleKind::NoProof, detail));
    }
    let proof = subject.proof(&client, OTHERS)?;
    let answer = match (proof, &subject) {
        (Some(id), Subject::File(_) | Subject::Hash(_)) => {
            client.record(&id).map_err(|trouble| trouble.asked_as(client.tenant()))?
        }
        (Some(id), _) => client.record(&id)?,
        (None, Subject::Manifest(id)) => {
            client.manifest(id).map_err(|trouble| asked_where(trouble, &client))?
        }
        (None, _) => client.at(&args.subject)?,
    };
    write_out(&client, answer, args, output.as_ref(), printer)
}

/// Returns the legacy ID that was typed, if it can be one. The name of an existing file is not a legacy ID.
fn legacy_id(subject: &Subject) -> Option<LegacyId> {
    let Subject::File(path) = subject else { return None };
    let id = path.to_str()?.parse().ok()?;
    matches!(path.try_exists(), Ok(false)).then_some(id)
}

/// Returns the record that a legacy ID leads to, and `None` if the ID is unknown.
fn of_legacy(client: &Client, id: &LegacyId) -> Result<Option<Answer>, Trouble> {
    match client.record_of_legacy(id) {
        Ok(answer) => Ok(Some(answer)),
        Err(trouble) if trouble.is_unknown() => Ok(None),
        Err(trouble) => {
            Err(trouble.with(&format!("there is no file `{id}` here, so it was looked up as a legacy id")))
        }
    }
}

fn write_out(
    client: &Client,
    answer: Answer,
    args: &Get,
    output: Option<&Output>,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    // The ID or the link of a manifest leads to the manifest, with or without `--manifest`.
    let content = if answer.is_c2pa() {
        Content { bytes: answer.body, is_text: false }
    } else if args.manifest {
        manifest_of(client, &answer).map_err(|trouble| {
            if args.subject.contains("signature=") && trouble.is_unknown() {
                trouble.with(
                    "the link opens only the record; the link to its manifest is the `manifest_url` in the answer \
                     that signed it",
                )
            } else {
                trouble
            }
        })?
    } else {
        Content { bytes: answer.body, is_text: true }
    };
    match output {
        Some(output) => write(output, &content, printer)?,
        None if content.is_text => printer.text(&content.bytes)?,
        None => printer.binary(&content.bytes)?,
    }
    Ok(Exit::Done)
}

/// Adds the address that was requested to the problem of a missing manifest. Without a tenant's name it is the plain
/// address, which serves one tenant's manifest.
fn asked_where(trouble: Trouble, client: &Client) -> Trouble {
    match client.named_tenant() {
        _ if !trouble.is_absence() => trouble,
        None => trouble
            .with("the plain address was read; with several tenants, --tenant says whose manifest is meant"),
        Some(tenant) => {
            trouble.with(&format!("the manifests of the tenant `{tenant}` were asked for (--tenant)"))
        }
    }
}

/// Returns the manifest of a record.
fn manifest_of(client: &Client, answer: &Answer) -> Result<Content, Trouble> {
    let damaged = |error| Trouble::new(TroubleKind::NotCredLink, error);
    let Record { tenant, manifest, .. } = Record::parse(&answer.body).map_err(damaged)?;
    let bytes = match (manifest.inline_bytes().map_err(damaged)?, &manifest.id) {
        (Some(bytes), _) => bytes,
        (None, Some(id)) => client.manifest_of(&tenant, id)?.body,
        (None, None) => Bytes::new(),
    };
    Ok(Content { bytes, is_text: manifest.kind == ManifestType::Json })
}

fn write(output: &Output, content: &Content, printer: &Printer) -> Result<(), Trouble> {
    output.write(&content.bytes)?;
    let path = output.name();
    let result = serde_json::json!({ "output": path, "bytes": content.bytes.len() });
    printer.say(|| format!("{}: {} bytes", path.display(), content.bytes.len()), &result)
}
