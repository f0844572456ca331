//! `credlink files show`, `list`, `link` and `status`.

use credlink_core::bounds::MAX_PAGE;
use credlink_core::file::{FileId, UploadId};
use serde::Deserialize;
use serde_json::Value;

use crate::args::files::{Link, List, Which};
use crate::client::{Client, FilePage, Upload};
use crate::commands::figures::size;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Prints the record of a file, as the server describes it.
pub(super) fn show(client: &Client, id: &FileId, printer: &Printer) -> Result<Exit, Trouble> {
    let answer = client.file(id)?;
    let record: Value = answer.read()?;
    let words = || {
        let mut lines = vec![id.to_string()];
        lines.extend(summary(&record));
        lines
    };
    printer.say(words, &record)?;
    Ok(Exit::Done)
}

/// Returns the record of a file as lines for a person.
pub(super) fn summary(record: &Value) -> Vec<String> {
    let text = |name: &str| record[name].as_str().map(ToOwned::to_owned);
    let bytes = |value: &Value| value.as_u64().map(size_of);
    let entity = &record["entity"];
    let measures = match (record["width"].as_u64(), record["height"].as_u64()) {
        (Some(width), Some(height)) => format!(", {width} × {height}"),
        _ => String::new(),
    };
    let readers = record["access"].as_str().map(|access| match access {
        "public" => "everybody (public)",
        "authenticated" => "every credential of the tenant (authenticated)",
        "private" => "its owner and holders of a signed link (private)",
        other => other,
    });
    let facts = [
        ("name", text("filename")),
        (
            "content",
            text("type")
                .zip(bytes(&record["bytes"]))
                .map(|(kind, bytes)| format!("{kind}, {bytes}{measures}")),
        ),
        ("collection", record["collection"]["name"].as_str().map(ToOwned::to_owned)),
        (
            "entity",
            entity["type"].as_str().zip(entity["id"].as_str()).map(|(kind, id)| format!("{kind}/{id}")),
        ),
        (
            "list",
            (record["unattached"] == true).then(|| {
                "none: it is deleted after nine days, unless `credlink files attach` puts it into one"
                    .to_owned()
            }),
        ),
        ("owner", text("owner")),
        ("readers", readers.map(ToOwned::to_owned)),
        ("proof", text("proof")),
        ("created", text("created")),
        ("expires", text("expires")),
    ];
    let facts = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let urls = record["urls"].as_object().into_iter().flatten();
    let urls = urls.filter_map(|(name, url)| Some((name.clone(), url.as_str()?.to_owned())));
    facts.chain(urls).map(|(name, value)| format!("  {name:9}  {value}")).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people need no more than 52 bits")]
fn size_of(bytes: u64) -> String {
    size(bytes as f64)
}

/// Returns the query of a look-up.
pub(super) fn query(which: &Which) -> Vec<(&'static str, String)> {
    let Which { entity, owner, collection } = which;
    let named = [
        ("entity", entity.as_ref().map(ToString::to_string)),
        ("owner", owner.as_ref().map(ToString::to_string)),
        ("collection", collection.as_ref().map(ToString::to_string)),
    ];
    named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The fields of a file that are shown to a person.
#[derive(Deserialize)]
struct Row {
    id: String,
    created: String,
    #[serde(rename = "type")]
    kind: String,
    bytes: u64,
    access: String,
    #[serde(default)]
    filename: String,
}

const HEADING: &str =
    "ID                                CREATED           TYPE             BYTES       READERS        NAME";

/// Prints one line per file. Pages are printed as they come.
pub(super) fn list(client: &Client, args: &List, printer: &Printer) -> Result<Exit, Trouble> {
    let query = query(&args.which);
    let mut left = args.limit.unwrap_or(usize::MAX);
    let (mut after, mut printed) = (None, 0_usize);
    while left > 0 {
        let FilePage { files, next } = client.files(&query, after.as_deref(), left.min(MAX_PAGE))?;
        // The list of an entity is one page.
        for file in files.iter().take(left) {
            if printed == 0 && !printer.is_json() {
                printer.row(|| HEADING.to_owned(), &())?;
            }
            let row = line(file)?;
            printer.row(|| row, file)?;
            printed += 1;
        }
        left -= files.len().min(left);
        after = next;
        if after.is_none() {
            break;
        }
    }
    if printed == 0 {
        printer.remark("there are no such files that the caller may read");
    }
    Ok(Exit::Done)
}

fn line(file: &Value) -> Result<String, Trouble> {
    let row = Row::deserialize(file).map_err(|error| Trouble::new(TroubleKind::NotCredLink, error))?;
    let Row { id, created, kind, bytes, access, filename } = row;
    let created = created.get(..16).unwrap_or(&created).replace('T', " ");
    Ok(format!("{id:32}  {created}  {kind:15}  {bytes:>10}  {access:13}  {filename}").trim_end().to_owned())
}

/// Prints a signed link.
pub(super) fn link(client: &Client, args: &Link, printer: &Printer) -> Result<Exit, Trouble> {
    #[derive(Deserialize)]
    struct Signed {
        url: String,
        expires: String,
    }
    let Link { id, name, expires_in, download } = args;
    let answer = client.file_link(id, name, expires_in.as_secs(), *download)?;
    let document: Value = answer.read()?;
    let Signed { url, expires } = answer.read()?;
    printer.say(|| url, &document)?;
    printer.remark(&format!("valid until {expires}, for everybody who has it"));
    Ok(Exit::Done)
}

/// Prints the state of an upload. The exit code says whether it can become a file, or is one.
pub(super) fn status(client: &Client, id: &UploadId, printer: &Printer) -> Result<Exit, Trouble> {
    let answer = client.upload_document(id)?;
    let document: Value = answer.read()?;
    let upload: Upload = answer.read()?;
    let words = || {
        let mut lines = vec![format!("{id}: {}", upload.state)];
        lines.push(format!("  bytes      {} of {}", size_of(upload.bytes), size_of(upload.size)));
        lines.extend(upload.file.map(|file| format!("  id         {file}")));
        if let (Some(detail), Some(reason)) = (&upload.detail, &upload.reason) {
            lines.push(format!("  reason     {detail} ({reason})"));
        }
        lines
    };
    printer.say(words, &document)?;
    Ok(if ["rejected", "expired"].contains(&upload.state.as_str()) { Exit::Failed } else { Exit::Done })
}
