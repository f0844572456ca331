//! Finding the manifest that belongs to a file: named, in the file, or beside it.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use c2pa::jumbf_io::load_jumbf_from_stream;
use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use credlink_core::manifest::ManifestType;

use crate::media;
use crate::trouble::{Kind, Trouble};

/// A manifest, and where it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// What it is, by its content.
    pub kind: ManifestType,
    /// Where it was, in words: a path, or `embedded in photo.jpg`.
    pub source: String,
}

impl Found {
    fn new(bytes: Vec<u8>, source: String) -> Self {
        // A JUMBF superbox: a length, then its type (ISO/IEC 19566-5). What is none is JSON, or refused as JSON.
        let is_c2pa = bytes.get(4..8) == Some(b"jumb");
        Self { bytes, kind: if is_c2pa { ManifestType::C2pa } else { ManifestType::Json }, source }
    }
}

/// The manifest of `file`: `named` where one is, else the one in the file, else the first that stands beside it.
pub fn find(file: &Path, named: Option<&Path>) -> Result<Found, Trouble> {
    if let Some(path) = named {
        return read(path);
    }
    let mut tried = match embedded(file) {
        Ok(bytes) => return Ok(Found::new(bytes, format!("embedded in {}", file.display()))),
        Err(why) => vec![format!("{} ({why})", file.display())],
    };
    for path in beside(file) {
        if path.exists() {
            return read(&path);
        }
        tried.push(path.display().to_string());
    }
    let detail = format!(
        "no manifest found for {}: tried {}; name one with --manifest",
        file.display(),
        tried.join(", ")
    );
    Err(Trouble::new(Kind::NoManifest, detail))
}

/// Where a manifest may stand beside `file`.
fn beside(file: &Path) -> impl Iterator<Item = PathBuf> {
    let behind = |extension: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let candidates = [behind(".c2pa"), file.with_extension("c2pa"), behind(".json")];
    // A manifest that is stored as if it were a picture is not its own sidecar.
    candidates.into_iter().filter(move |path| path != file)
}

/// Reads a manifest file. What is longer than any manifest is not read to its end.
fn read(path: &Path) -> Result<Found, Trouble> {
    let mut bytes = Vec::new();
    let limit = MAX_C2PA_MANIFEST_BYTES as u64;
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|error| Trouble::file(path, "read", &error))?;
    if bytes.len() as u64 > limit {
        let detail = format!("{} is no manifest: it has more than {limit} bytes", path.display());
        return Err(Trouble::new(Kind::File, detail));
    }
    Ok(Found::new(bytes, path.display().to_string()))
}

/// The manifest store in a file; otherwise why there is none, in words.
fn embedded(file: &Path) -> Result<Vec<u8>, String> {
    let format = media::media_type(file).ok_or("its type is not known")?;
    let mut stream = BufReader::new(File::open(file).map_err(|error| error.to_string())?);
    load_jumbf_from_stream(&format, &mut stream).map_err(|error| match error {
        c2pa::Error::JumbfNotFound => "it has none in it".to_owned(),
        c2pa::Error::UnsupportedType => format!("nothing can be in a file of type {format}"),
        error => format!("it does not read as {format}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn the_nearest_manifest_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "a.txt", b"no picture");
        let error = find(&file, None).unwrap_err();
        for tried in ["its type is not known", "a.txt.c2pa", "a.c2pa", "a.txt.json"] {
            assert!(error.to_string().contains(tried), "{error} lacks {tried}");
        }
        let json = write(folder.path(), "a.txt.json", b" {}");
        let found = find(&file, None).unwrap();
        assert_eq!((found.kind, found.source), (ManifestType::Json, json.display().to_string()));
        assert_eq!(found.bytes, b" {}");
        let stem = write(folder.path(), "a.c2pa", b"\0\0\0\x08jumb");
        let found = find(&file, None).unwrap();
        assert_eq!((found.kind, found.source), (ManifestType::C2pa, stem.display().to_string()));
        let whole = write(folder.path(), "a.txt.c2pa", b"\0\0\0\x08jumb");
        assert_eq!(find(&file, None).unwrap().source, whole.display().to_string());
        assert_eq!(find(&file, Some(&json)).unwrap().source, json.display().to_string());
    }

    #[test]
    fn a_picture_that_does_not_parse_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "a.png", b"\x89PNG\r\n\x1a\n");
        assert!(find(&file, None).unwrap_err().to_string().contains("image/png"));
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.json");
        File::create(&path).unwrap().set_len(MAX_C2PA_MANIFEST_BYTES as u64 + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("more than 10000000 bytes"));
        assert!(read(folder.path()).is_err());
    }
}
