//! Encodings: the stored forms of content, with gzip (RFC 1952) where it pays, and a bound on the decoded length; and
//! base64.

mod base64;

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::bounds::{MAX_GZIP_MEMBERS, MIN_GZIP_BYTES};

pub(crate) use base64::from_base64;

/// A content coding (RFC 9110, section 8.4) that objects are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
}

/// The compression level at rest. On records, level 6 saves less than 1 % more and takes a fifth longer. Level 2 takes a
/// quarter to a third less, and its result is longer: by 2 % for records of many digests, by 18 % for readable ones.
const LEVEL: Compression = Compression::new(5);

/// The number of compressors that are kept for the next content. Each has 300 KB, and to allocate and clear them takes
/// a good part of the time in which a short record is compressed.
const MAX_IDLE: usize = 4;

/// The compressors that are kept, all of [`LEVEL`].
static IDLE: Mutex<Vec<Compress>> = Mutex::new(Vec::new());

/// The smallest buffer for decoded content, in bytes.
const LEAST_ROOM: usize = 1_024;

/// Content in its stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtRest<'a> {
    /// The bytes to store.
    pub bytes: Cow<'a, [u8]>,
    /// The content coding of the stored bytes.
    pub coding: Option<Coding>,
}

/// A reason why content does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The decoded content is longer than the bound.
    #[error("the gzip data holds more than {0} bytes")]
    TooLong(usize),
    /// The gzip stream has too many members.
    #[error("the gzip data has more than {MAX_GZIP_MEMBERS} members")]
    TooManyMembers,
    /// The data is not gzip, or is cut short.
    #[error("the gzip data is damaged: {0}")]
    Damaged(String),
}

/// Returns the stored form of JSON: gzip if that saves at least a fifth, otherwise the content itself. The same content
/// always has the same form.
#[must_use]
pub fn at_rest(content: &[u8]) -> AtRest<'_> {
    if content.len() >= MIN_GZIP_BYTES {
        let packed = gzip(content, 0, LEVEL);
        if packed.len() <= content.len() - content.len().div_ceil(5) {
            return AtRest { bytes: packed.into(), coding: Some(Coding::Gzip) };
        }
    }
    AtRest { bytes: content.into(), coding: None }
}

/// Returns the stored form of JSON in this generation: always gzip unless `generation` is 0, with `generation` in the
/// header's MTIME field (RFC 1952, section 2.3.1).
///
/// Providers tag an object by its stored bytes. If the same bytes were stored again, a late deletion of the earlier
/// generation would match their tag and remove them. A form of its own for each generation prevents that.
#[must_use]
pub fn at_rest_again(content: &[u8], generation: u32) -> AtRest<'_> {
    if generation == 0 {
        return at_rest(content);
    }
    AtRest { bytes: gzip(content, generation, LEVEL).into(), coding: Some(Coding::Gzip) }
}

/// Returns the stored form of a C2PA manifest store in this generation: the content itself in generation 0, and after
/// that a gzip frame around the uncompressed content (RFC 1951, section 3.2.4), with `generation` in the header like
/// [`at_rest_again`].
///
/// Thumbnails do not shrink, and readers take no encoded body. Compressing a store of 66 KB would take 1 ms, and
/// decompressing it 0.2 ms for each read; the frame costs a copy and a CRC.
#[must_use]
pub fn as_it_came(content: &[u8], generation: u32) -> AtRest<'_> {
    if generation == 0 {
        return AtRest { bytes: content.into(), coding: None };
    }
    AtRest { bytes: gzip(content, generation, Compression::none()).into(), coding: Some(Coding::Gzip) }
}

/// Returns one gzip member (RFC 1952, section 2.3) of `content`, with `mtime` in its header.
fn gzip(content: &[u8], mtime: u32, level: Compression) -> Vec<u8> {
    let mut member = Vec::with_capacity(content.len() / 2 + 64);
    // Deflate without any flag, and an unknown operating system.
    member.extend_from_slice(&[0x1f, 0x8b, 8, 0]);
    member.extend_from_slice(&mtime.to_le_bytes());
    member.extend_from_slice(&[0, 0xff]);
    let kept = if level == LEVEL { idle().pop() } else { None };
    let mut compressor = kept.unwrap_or_else(|| Compress::new(level, false));
    loop {
        let read = usize::try_from(compressor.total_in()).unwrap_or(usize::MAX);
        let rest = content.get(read..).unwrap_or_default();
        match compressor.compress_vec(rest, &mut member, FlushCompress::Finish) {
            Ok(Status::Ok | Status::BufError) => member.reserve(content.len() / 4 + 64),
            // Compressing does not fail. If it did, the result would not decode, and would be refused.
            Ok(Status::StreamEnd) | Err(_) => break,
        }
    }
    if level == LEVEL {
        compressor.reset();
        let mut idle = idle();
        if idle.len() < MAX_IDLE {
            idle.push(compressor);
        }
    }
    let mut crc = Crc::new();
    crc.update(content);
    member.extend_from_slice(&crc.sum().to_le_bytes());
    // The length modulo 2^32 (section 2.3.1).
    member.extend_from_slice(&crc.amount().to_le_bytes());
    member
}

fn idle() -> MutexGuard<'static, Vec<Compress>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a content coding.
///
/// # Errors
/// Fails if the data is damaged, decodes to more than `limit` bytes, or has more than [`MAX_GZIP_MEMBERS`] members. No
/// more than one byte over `limit` is ever decoded or allocated.
pub fn decode(bytes: &[u8], coding: Option<Coding>, limit: usize) -> Result<Cow<'_, [u8]>, DecodeError> {
    let Some(Coding::Gzip) = coding else {
        return if bytes.len() > limit { Err(DecodeError::TooLong(limit)) } else { Ok(bytes.into()) };
    };
    let most = limit.saturating_add(1);
    let mut content = Vec::with_capacity(bytes.len().saturating_mul(4).min(most));
    let mut rest = bytes;
    for _ in 0..MAX_GZIP_MEMBERS {
        let mut member = GzDecoder::new(rest);
        unpack(&mut member, &mut content, most).map_err(|error| DecodeError::Damaged(error.to_string()))?;
        if content.len() > limit {
            return Err(DecodeError::TooLong(limit));
        }
        rest = member.into_inner();
        if rest.is_empty() {
            return Ok(content.into());
        }
    }
    Err(DecodeError::TooManyMembers)
}

/// Appends `from` to `content` until `from` ends or `content` has `most` bytes. The buffer grows by doubling, and never
/// beyond `most`.
fn unpack(from: &mut impl Read, content: &mut Vec<u8>, most: usize) -> io::Result<()> {
    loop {
        let room = match content.capacity().min(most) - content.len() {
            0 if content.len() == most => return Ok(()),
            0 => {
                content.reserve_exact(content.len().max(LEAST_ROOM).min(most - content.len()));
                continue;
            }
            room => room,
        };
        if from.by_ref().take(room as u64).read_to_end(content)? < room {
            return Ok(());
        }
    }
}

/// Returns the content of gzip data that is known to decode to `length` bytes, in a buffer of that size. If the data
/// does not decode, the content is cut short.
pub(crate) fn unpacked(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(length);
    let mut rest = bytes;
    while !rest.is_empty() && content.len() < length {
        let mut member = GzDecoder::new(rest);
        // Content that was decoded before an error is kept.
        if unpack(&mut member, &mut content, length).is_err() {
            break;
        }
        rest = member.into_inner();
    }
    content
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_saves_a_fifth_is_packed() {
        assert_eq!(at_rest(&[b'a'; MIN_GZIP_BYTES]).coding, Some(Coding::Gzip));
        assert_eq!(at_rest(&[b'a'; MIN_GZIP_BYTES - 1]).coding, None);
        let noise: Vec<u8> =
            (0..128_u32).flat_map(|i| *crate::hash::Digest::of(&i.to_be_bytes()).as_bytes()).collect();
        let stored = at_rest(&noise);
        assert_eq!((stored.coding, stored.bytes.len()), (None, noise.len()));
    }

    #[test]
    fn a_manifest_store_is_never_compressed() {
        let content = vec![b'a'; 100_000];
        assert_eq!(as_it_came(&content, 0), AtRest { bytes: content.as_slice().into(), coding: None });
        let framed = as_it_came(&content, 1);
        assert_eq!(framed.coding, Some(Coding::Gzip));
        // The frame, and the headers of the blocks.
        let overhead = framed.bytes.len() - content.len();
        assert!((23..200).contains(&overhead), "{overhead}");
        assert_eq!(decode(&framed.bytes, framed.coding, content.len()).as_deref(), Ok(&content[..]));
    }

    #[test]
    fn a_bomb_is_refused_within_the_bound() {
        let bomb = gzip(&vec![0; 1_000_000], 0, LEVEL);
        assert!(bomb.len() < 2_000);
        assert_eq!(decode(&bomb, Some(Coding::Gzip), 999_999), Err(DecodeError::TooLong(999_999)));
        assert_eq!(decode(&bomb, Some(Coding::Gzip), 1_000_000).map(|c| c.len()), Ok(1_000_000));
    }

    #[test]
    fn members_are_joined_and_counted() {
        let two = [gzip(b"some ", 0, LEVEL), gzip(b"text", 0, LEVEL)].concat();
        assert_eq!(decode(&two, Some(Coding::Gzip), 9).as_deref(), Ok(&b"some text"[..]));
        assert_eq!(decode(&two, Some(Coding::Gzip), 8), Err(DecodeError::TooLong(8)));
        let most = gzip(b"", 0, LEVEL).repeat(MAX_GZIP_MEMBERS);
        assert_eq!(decode(&most, Some(Coding::Gzip), 0).as_deref(), Ok(&b""[..]));
        let more = [most, gzip(b"", 0, LEVEL)].concat();
        assert_eq!(decode(&more, Some(Coding::Gzip), 0), Err(DecodeError::TooManyMembers));
    }

    #[test]
    fn the_form_does_not_depend_on_what_was_compressed_before() {
        let contents: Vec<Vec<u8>> = (0_u32..40)
            .map(|number| {
                let digests = (0..number * 20)
                    .map(|i| crate::hash::Digest::of(&(number + i).to_be_bytes()).to_string());
                digests.collect::<Vec<_>>().join(",").into_bytes()
            })
            .collect();
        idle().clear();
        let first: Vec<_> = contents.iter().map(|content| gzip(content, 7, LEVEL)).collect();
        let again: Vec<_> = contents.iter().rev().map(|content| gzip(content, 7, LEVEL)).collect();
        assert!(first.iter().eq(again.iter().rev()));
        for (content, form) in contents.iter().zip(&first) {
            assert_eq!(decode(form, Some(Coding::Gzip), content.len()).as_deref(), Ok(&content[..]));
            let mut library = Vec::new();
            flate2::GzBuilder::new()
                .mtime(7)
                .buf_read(&content[..], LEVEL)
                .read_to_end(&mut library)
                .unwrap();
            assert_eq!(form[..10], library[..10], "the header is that of the library");
        }
        assert!(idle().len() <= MAX_IDLE);
    }

    #[test]
    fn damage_is_told_apart_from_length() {
        let packed = gzip(b"some text", 0, LEVEL);
        let cut = &packed[..packed.len() - 3];
        assert!(matches!(decode(cut, Some(Coding::Gzip), 100), Err(DecodeError::Damaged(_))));
        assert!(matches!(decode(b"some text", Some(Coding::Gzip), 100), Err(DecodeError::Damaged(_))));
    }

    #[test]
    fn generations_are_stored_in_forms_of_their_own() {
        for form in [at_rest_again, as_it_came] {
            let forms: Vec<_> =
                (0..4).map(|generation| form(b"same", generation).bytes.into_owned()).collect();
            for (generation, form) in forms.iter().enumerate() {
                assert!(!forms[..generation].contains(form), "generation {generation}");
            }
            assert_eq!(decode(&forms[3], Some(Coding::Gzip), 10).as_deref(), Ok(&b"same"[..]));
        }
    }

    proptest! {
        #[test]
        fn what_is_stored_comes_back(content in proptest::collection::vec(0_u8..4, 0..2_000)) {
            let stored = at_rest(&content);
            prop_assert!(stored.bytes.len() <= content.len());
            prop_assert_eq!(&*decode(&stored.bytes, stored.coding, 2_000).unwrap(), &content[..]);
        }
    }
}
