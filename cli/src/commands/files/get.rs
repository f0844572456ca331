//! `credlink files get`: the bytes of a file or of a rendition, checked against the file's record.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::Path;

use credlink_core::hash::Digest;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::meter::Meter;
use crate::args::files::Get;
use crate::client::Client;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::output::Output;
use crate::printer::Printer;

/// The bytes that are read at once.
const PIECE: usize = 65_536;

/// Writes the bytes that were asked for. A file is written whole, or not at all.
pub(super) fn get(client: &Client, args: &Get, printer: &Printer) -> Result<Exit, Trouble> {
    let Get { id, name, output, force } = args;
    let output = output.as_deref().map(|path| Output::open(path, *force, Path::new("")));
    let output = output.transpose()?.flatten();
    if output.is_none() {
        printer.refuse_terminal()?;
    }
    let known = hashes(&client.file(id)?.read()?);
    let answer = client.media(id, name)?;
    let header = |header| answer.headers().get(header).and_then(|value| value.to_str().ok());
    let length = header(CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or_default();
    let media_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
    // Standard output may be a terminal of the next program, which shows its own progress.
    let meter = Meter::new(printer.is_json() || output.is_none(), 1);
    meter.expect(length, 0);
    let mut content = Content { body: Box::new(answer.into_reader()), known: &known, meter: &meter };
    let written = match &output {
        Some(output) => output.write_from(|file| content.copy_to(file, output.name())),
        None => content.copy_to(&mut io::stdout().lock(), Path::new("stdout")),
    };
    meter.end();
    let bytes = written?;
    if let Some(output) = output {
        let path = output.name();
        let result = json!({ "output": path.display().to_string(), "bytes": bytes, "type": media_type });
        printer.say(|| format!("{}: {bytes} bytes, {media_type}", path.display()), &result)?;
    }
    Ok(Exit::Done)
}

/// Returns the hashes of everything that a file has, by its record.
fn hashes(record: &Value) -> BTreeSet<Digest> {
    let renditions = record["renditions"].as_array().into_iter().flatten().map(|made| &made["sha256"]);
    let texts = renditions.chain([&record["media_hash"]]).filter_map(Value::as_str);
    texts.filter_map(|text| text.trim_start_matches("sha256:").parse().ok()).collect()
}

/// A body that is read once.
struct Content<'a> {
    body: Box<dyn Read>,
    known: &'a BTreeSet<Digest>,
    meter: &'a Meter,
}

impl Content<'_> {
    /// Copies the body to its end, and returns the number of bytes.
    fn copy_to(&mut self, to: &mut dyn Write, path: &Path) -> Result<u64, Trouble> {
        let unwritten = |error: io::Error| match error.kind() {
            io::ErrorKind::BrokenPipe => {
                Trouble::new(TroubleKind::Unread, "not everything that was printed was read")
            }
            _ => Trouble::file(path, "written", &error),
        };
        let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
        loop {
            let read = match self.body.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let detail = format!("after {bytes} bytes: {error}");
                    return Err(Trouble::new(TroubleKind::CutOff, detail));
                }
            };
            hash.update(&piece[..read]);
            to.write_all(&piece[..read]).map_err(unwritten)?;
            bytes += read as u64;
            self.meter.moved(read as u64);
        }
        to.flush().map_err(unwritten)?;
        if self.known.contains(&Digest::from_bytes(hash.finalize().into())) {
            return Ok(bytes);
        }
        let detail = format!("{bytes} bytes came, and they are not those that the record of the file names");
        Err(Trouble::new(TroubleKind::NotCredLink, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bytes_of_the_file_are_taken_for_them() {
        let digest = Digest::of(b"bytes");
        let record = json!({"media_hash": format!("sha256:{digest}"), "renditions": [{"sha256": Digest::of(b"small")}]});
        let (known, meter) = (hashes(&record), Meter::new(true, 1));
        assert_eq!(known.len(), 2);
        let copy = |body: &'static [u8]| {
            let mut written = Vec::new();
            let mut content = Content { body: Box::new(body), known: &known, meter: &meter };
            content.copy_to(&mut written, Path::new("x")).map(|bytes| (bytes, written))
        };
        assert_eq!(copy(b"bytes").unwrap(), (5, b"bytes".to_vec()));
        assert_eq!(copy(b"small").unwrap().0, 5);
        assert!(copy(b"byte").unwrap_err().to_string().contains("4 bytes came"));
    }
}
