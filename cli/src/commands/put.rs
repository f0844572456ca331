//! `credlink put`: store the proof of a file.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::bounds::MAX_SIGNATURE_BYTES;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::args::{Connection, Put};
use crate::client::{Client, Making, Store};
use crate::exit::Exit;
use crate::manifest::{self, Found};
use crate::media;
use crate::printer::Printer;
use crate::trouble::{Kind, Trouble};

/// What the server says of a store.
#[derive(Deserialize)]
struct Stored {
    id: String,
    deduplicated: bool,
    identical: bool,
    expires: String,
    url: String,
    manifest_url: Option<String>,
}

/// Hashes the file, finds its manifest and stores both.
pub fn put(connection: &Connection, args: Put, printer: &Printer) -> Result<Exit, Trouble> {
    let media_hash = media::hash(&args.file)?;
    let manifest = manifest::find(&args.file, args.manifest.as_deref())?;
    let store = Store {
        media_hash,
        media_type: args.media_type.or_else(|| media::media_type(&args.file)),
        manifest_base64: STANDARD.encode(&manifest.bytes),
        manifest_type: manifest.kind.as_str(),
        signature: args.signature.as_deref().map(signature).transpose()?,
        expires_in: args.expires_in,
        tags: args.tags.into_iter().collect(),
        visibility: args.private.then_some("private"),
    };
    let answer = Client::open(connection, Making::Allowed)?.store(&store)?;
    let stored: Stored = answer.read()?;
    let mut object: Map<String, Value> = answer.read()?;
    object.insert("file".to_owned(), args.file.display().to_string().into());
    object.insert("manifest_source".to_owned(), manifest.source.clone().into());
    printer.say(|| words(&args.file, &manifest, &stored), &object)?;
    Ok(if stored.identical { Exit::Done } else { Exit::Absent })
}

fn words(file: &Path, manifest: &Found, stored: &Stored) -> String {
    let outcome = match (stored.deduplicated, stored.identical) {
        (false, _) => "stored",
        (true, true) => "there already, with the same manifest and signature",
        (true, false) => "there already, with ANOTHER manifest or signature: nothing was replaced",
    };
    let mut lines = vec![
        format!("{}: {outcome}", file.display()),
        format!("  id        {}", stored.id),
        format!(
            "  {}  {} ({})",
            if stored.identical { "manifest" } else { "offered " },
            manifest.source,
            manifest.kind.as_str()
        ),
        format!("  expires   {}", stored.expires),
        format!("  record    {}", stored.url),
    ];
    lines.extend(stored.manifest_url.as_ref().map(|url| format!("  C2PA      {url}")));
    lines.join("\n")
}

/// The signature in a file: its text, without the line's end, or else its bytes in base64.
fn signature(path: &Path) -> Result<String, Trouble> {
    let length = std::fs::metadata(path).map_err(|error| Trouble::file(path, "read", &error))?.len();
    if length > MAX_SIGNATURE_BYTES as u64 {
        let detail =
            format!("{} is no signature: it has more than {MAX_SIGNATURE_BYTES} bytes", path.display());
        return Err(Trouble::new(Kind::File, detail));
    }
    let bytes = std::fs::read(path).map_err(|error| Trouble::file(path, "read", &error))?;
    Ok(as_text(bytes))
}

fn as_text(bytes: Vec<u8>) -> String {
    let is_text = |text: &str| !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    match String::from_utf8(bytes) {
        Ok(text) if is_text(&text) => text.trim_end().to_owned(),
        Ok(text) => STANDARD.encode(text),
        Err(error) => STANDARD.encode(error.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_text_or_become_it() {
        assert_eq!(as_text(b"MEUCIQ==\n".to_vec()), "MEUCIQ==");
        assert_eq!(as_text(b"-----BEGIN PGP-----\nx\n".to_vec()), "-----BEGIN PGP-----\nx");
        assert_eq!(as_text(vec![0x30, 0x45, 0xff]), "MEX/");
        assert_eq!(as_text(vec![0x30, 0x00]), "MAA=");
    }
}
