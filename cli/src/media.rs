//! Media files: their hash and their type.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use credlink_core::hash::{Digest, MediaHash};
use sha2::{Digest as _, Sha256};

use crate::trouble::Trouble;

/// Bytes that are hashed at once: videos have gigabytes, and are never held in memory.
const BLOCK: usize = 64 * 1_024;

/// How much of a file's beginning tells its type.
const BEGINNING: u64 = 16;

/// The hash of the file at `path`.
pub fn hash(path: &Path) -> Result<MediaHash, Trouble> {
    let digest = File::open(path).and_then(digest).map_err(|error| Trouble::file(path, "read", &error))?;
    Ok(MediaHash::from(digest))
}

fn digest(mut from: impl Read) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match from.read(&mut block) {
            Ok(0) => return Ok(Digest::from_bytes(hasher.finalize().into())),
            Ok(count) => hasher.update(&block[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The media type of the file at `path`, as its content says it, or else its name.
pub fn media_type(path: &Path) -> Option<String> {
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    let by_content = read.ok().and_then(|_| by_content(&beginning));
    // An extension that is not known comes back as it is, and is no media type.
    let by_name = || c2pa::format_from_path(path).filter(|found| found.contains('/'));
    by_content.map(str::to_owned).or_else(by_name)
}

/// Types whose content is unmistakable. Of families that share a beginning (TIFF, MP4) only members are named whose
/// mark is their own; the name of the file tells the others apart.
fn by_content(beginning: &[u8]) -> Option<&'static str> {
    let at = |from: usize, mark: &[u8]| beginning.get(from..).is_some_and(|rest| rest.starts_with(mark));
    Some(match () {
        () if at(0, b"\xff\xd8\xff") => "image/jpeg",
        () if at(0, b"\x89PNG\r\n\x1a\n") => "image/png",
        () if at(0, b"GIF8") => "image/gif",
        () if at(0, b"RIFF") && at(8, b"WEBP") => "image/webp",
        () if at(0, b"RIFF") && at(8, b"WAVE") => "audio/wav",
        () if at(0, b"RIFF") && at(8, b"AVI ") => "video/avi",
        () if at(4, b"ftypavif") => "image/avif",
        () if at(4, b"ftypheic") => "image/heic",
        () if at(4, b"ftypqt  ") => "video/quicktime",
        () if at(0, b"%PDF-") => "application/pdf",
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_hashed_in_blocks() {
        let bytes = vec![7; 3 * BLOCK + 1];
        assert_eq!(digest(bytes.as_slice()).unwrap(), Digest::of(&bytes));
        assert_eq!(digest(io::empty()).unwrap(), Digest::of(b""));
    }

    #[test]
    fn content_comes_before_the_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content, expected) in [
            ("a.png", &b"\xff\xd8\xff\xe0"[..], Some("image/jpeg")),
            ("b.mp4", b"\0\0\0\x18ftypisom", Some("video/mp4")),
            ("c", b"RIFF\0\0\0\0WEBPVP8 ", Some("image/webp")),
            ("d.unknown", b"text", None),
            ("e", b"", None),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            assert_eq!(media_type(&path).as_deref(), expected, "{name}");
        }
    }
}
