//! The file of one object: its attributes and its bytes, so that one rename changes both.
//!
//! ```text
//! credlink-object 1 <SHA-256 of the next line, 64 hexadecimal digits>
//! {"key":"proofs/…","sha256":"…","length":…,"attributes":{…}}
//! <the object's bytes as stored>
//! ```
//!
//! The header names the key, which exposes a file that was renamed by hand, and two names that a case-insensitive file
//! system takes for one. It names the body's digest, so that `head` and compare-and-swap need no body.

use std::fs::File;
use std::io::{self, Read};

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::Attributes;
use serde::{Deserialize, Serialize};

/// The start of every file, with the version of the format.
const MAGIC: &[u8] = b"credlink-object 1 ";
/// The length of the first line: the magic, 64 digits and a line feed.
const FIRST_LINE: usize = MAGIC.len() + 64 + 1;
/// The maximum length of a header, in bytes. Ten tags and CredLink's own metadata stay under 20,000.
pub(super) const MAX_HEADER_BYTES: usize = 65_536;
/// The length of the first read: a header and a usual record, in one call.
const FIRST_READ: usize = 8_192;

/// The second line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) key: String,
    pub(super) sha256: Digest,
    pub(super) length: u64,
    pub(super) attributes: Attributes,
}

/// The reasons why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The content is not what was written.
    #[error("{0}")]
    Damaged(String),
}

/// Returns the first two lines of an object's file and the body's digest, or `None` if the lines are longer than
/// [`MAX_HEADER_BYTES`].
pub(super) fn header(key: &str, body: &[u8], attributes: &Attributes) -> Option<(Vec<u8>, Digest)> {
    let sha256 = Digest::of(body);
    Some((header_for(key, sha256, body.len() as u64, attributes)?, sha256))
}

/// Returns the lines as [`header`] does, for a body that is known by its digest and its length.
pub(super) fn header_for(key: &str, sha256: Digest, length: u64, attributes: &Attributes) -> Option<Vec<u8>> {
    let header = Header { key: key.to_owned(), sha256, length, attributes: attributes.clone() };
    let line = serde_json::to_vec(&header).ok()?;
    let mut bytes = Vec::with_capacity(FIRST_LINE + line.len() + 1);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(Digest::of(&line).to_string().as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&line);
    bytes.push(b'\n');
    (bytes.len() <= MAX_HEADER_BYTES).then_some(bytes)
}

/// Reads the header of the file of `key`, and the part of the body that came with it.
///
/// The length of the file is checked against the header, so that a truncated file is noticed without reading its body.
pub(super) fn read_header(file: &mut File, key: &str) -> Result<(Header, Vec<u8>), ReadError> {
    let size = file.metadata()?.len();
    header_of(file, size, key)
}

fn header_of(file: &mut impl Read, size: u64, key: &str) -> Result<(Header, Vec<u8>), ReadError> {
    let mut bytes = Vec::with_capacity(FIRST_READ);
    file.by_ref().take(FIRST_READ as u64).read_to_end(&mut bytes)?;
    if line_end(&bytes).is_none() {
        file.by_ref().take((MAX_HEADER_BYTES - FIRST_READ) as u64).read_to_end(&mut bytes)?;
    }
    let end = line_end(&bytes).ok_or_else(|| damaged("its header has no end"))?;
    let (first, line) = (&bytes[..FIRST_LINE], &bytes[FIRST_LINE..end]);
    if !first.starts_with(MAGIC) || !first.ends_with(b"\n") {
        return Err(damaged("it does not begin as an object of this version"));
    }
    if &first[MAGIC.len()..FIRST_LINE - 1] != Digest::of(line).to_string().as_bytes() {
        return Err(damaged("its header does not have the digest that it names"));
    }
    let header: Header = serde_json::from_slice(line).map_err(|error| damaged(&error.to_string()))?;
    if header.key != key {
        return Err(damaged(&format!("it is the file of {}", header.key)));
    }
    let body = size.saturating_sub(end as u64 + 1);
    if body != header.length {
        return Err(damaged(&format!("its body has {body} bytes, and {} were written", header.length)));
    }
    bytes.drain(..=end);
    Ok((header, bytes))
}

/// Reads the whole object into `body`, which is empty and may have capacity already, and checks its bytes.
pub(super) fn read(file: &mut File, key: &str, mut body: Vec<u8>) -> Result<(Header, Bytes), ReadError> {
    let (header, begun) = read_header(file, key)?;
    let length = usize::try_from(header.length).map_err(|_| damaged("it does not fit the memory"))?;
    // `read_header` has checked that the file has this length, so no more is allocated than there is to read.
    body.reserve_exact(length);
    body.extend(begun);
    file.take((length - body.len().min(length)) as u64).read_to_end(&mut body)?;
    if Digest::of(&body) != header.sha256 {
        return Err(damaged("its bytes do not have the digest that they were written with"));
    }
    Ok((header, body.into()))
}

/// Returns the digest of the header that a file begins with, as its first line names it, in hexadecimal digits.
pub(super) fn header_digest(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes.get(MAGIC.len()..FIRST_LINE - 1)?).ok()
}

/// Returns `true` if `bytes` are the file of `key`, whole and as they were written.
pub(super) fn is_whole(bytes: &[u8], key: &str) -> bool {
    let Ok((header, _)) = header_of(&mut &*bytes, bytes.len() as u64, key) else { return false };
    // The header was found to name the length of the body.
    let body = usize::try_from(header.length).ok().and_then(|length| bytes.len().checked_sub(length));
    body.and_then(|start| bytes.get(start..)).is_some_and(|body| Digest::of(body) == header.sha256)
}

/// Returns the end of the second line.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.get(FIRST_LINE..)?.iter().position(|byte| *byte == b'\n').map(|at| FIRST_LINE + at)
}

fn damaged(why: &str) -> ReadError {
    ReadError::Damaged(why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn whole(body: &[u8]) -> Vec<u8> {
        let attributes = Attributes { content_type: "text/plain".into(), ..Attributes::default() };
        let (mut bytes, _) = header("proofs/x", body, &attributes).unwrap();
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn bodies_of_every_length_around_a_read_come_back() {
        for length in [0, 1, 7_900, FIRST_READ - 1, FIRST_READ, FIRST_READ + 1, 100_000] {
            let body = vec![b'\n'; length];
            let (header, read) = read(&mut file(&whole(&body)), "proofs/x", Vec::new()).unwrap();
            assert_eq!((header.length, &read[..]), (length as u64, &body[..]));
        }
    }

    #[test]
    fn one_changed_byte_anywhere_is_damage() {
        let bytes = whole(b"some bytes");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let result = read(&mut file(&changed), "proofs/x", Vec::new());
            assert!(matches!(result, Err(ReadError::Damaged(_))), "byte {at}: {result:?}");
        }
    }

    #[test]
    fn every_truncation_is_damage_and_so_is_an_added_byte() {
        let bytes = whole(b"some bytes");
        for length in 0..bytes.len() {
            let result = read_header(&mut file(&bytes[..length]), "proofs/x");
            assert!(matches!(result, Err(ReadError::Damaged(_))), "length {length}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(read(&mut file(&longer), "proofs/x", Vec::new()), Err(ReadError::Damaged(_))));
        assert!(matches!(read(&mut file(&bytes), "proofs/y", Vec::new()), Err(ReadError::Damaged(_))));
    }

    #[test]
    fn a_header_has_a_bound() {
        let attributes = Attributes { content_type: "x".repeat(MAX_HEADER_BYTES), ..Attributes::default() };
        assert!(header("proofs/x", b"", &attributes).is_none());
        let endless = [MAGIC, &[b'a'; 100_000]].concat();
        assert!(matches!(read(&mut file(&endless), "proofs/x", Vec::new()), Err(ReadError::Damaged(_))));
    }
}
