//! Encodings: gzip at rest (RFC 1952), with the rule for when it pays and a bound on the decoded length; and base64.

mod base64;

use std::borrow::Cow;
use std::io::{self, Read, Write as _};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

use crate::bounds::{MAX_GZIP_MEMBERS, MIN_GZIP_BYTES};

pub(crate) use base64::from_base64;

/// A content coding (RFC 9110, section 8.4) that objects are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
}

/// The compression level at rest. On records, level 9 saves less than 1 % more and takes twice as long.
const LEVEL: Compression = Compression::new(6);

/// Shortest content that is first tried by samples. gzip takes 1.3 ms to find out that 64 KB of thumbnails do not
/// shrink, several times as long as everything else that a store computes; the samples take 50 µs. ASCII needs no
/// trial: even base64 of noise, with 6 bits in a byte, shrinks by a fourth.
const TRIED_BYTES: usize = 16_384;

/// The number of samples, which are spread over the content, and the length of each in bytes.
const PIECES: usize = 8;
const PIECE_BYTES: usize = 1_024;

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

/// Returns the stored form of `content`: gzip if that saves at least a fifth, otherwise the content itself. The same
/// content always has the same form.
///
/// Long content whose samples do not shrink is not compressed. Compressible text that lies entirely between the samples
/// is missed; the content is then stored as it is, which is never wrong.
#[must_use]
pub fn at_rest(content: &[u8]) -> AtRest<'_> {
    if content.len() >= MIN_GZIP_BYTES && may_shrink(content) {
        let packed = gzip(content, 0, LEVEL);
        if packed.len() <= content.len() - content.len().div_ceil(5) {
            return AtRest { bytes: packed.into(), coding: Some(Coding::Gzip) };
        }
    }
    AtRest { bytes: content.into(), coding: None }
}

/// Returns `true` if samples of `content` shrink by at least a twentieth.
fn may_shrink(content: &[u8]) -> bool {
    if content.len() < TRIED_BYTES || content.is_ascii() {
        return true;
    }
    let stride = content.len() / PIECES;
    let pieces = content.chunks(stride).take(PIECES).filter_map(|chunk| chunk.get(..PIECE_BYTES));
    let pieces = pieces.collect::<Vec<_>>().concat();
    gzip(&pieces, 0, Compression::fast()).len() <= pieces.len() - pieces.len() / 20
}

/// Returns the stored form of a manifest that is stored again after its deletion: always gzip, with `generation` in the
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

fn gzip(content: &[u8], mtime: u32, level: Compression) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(mtime).write(Vec::with_capacity(content.len() / 2), level);
    // Writing to a Vec does not fail. If it did, the result would decode to less than was recorded, and be refused.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
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
    fn long_content_is_tried_by_pieces() {
        let noise: Vec<u8> =
            (0..2_048_u32).flat_map(|i| *crate::hash::Digest::of(&i.to_be_bytes()).as_bytes()).collect();
        assert_eq!(at_rest(&noise).coding, None);
        // Text followed by as much noise as a store's thumbnail has is recognised, and compressed.
        let mixed = [vec![b'a'; noise.len() / 2], noise].concat();
        assert_eq!(at_rest(&mixed).coding, Some(Coding::Gzip));
        for length in TRIED_BYTES - 1..TRIED_BYTES + PIECES {
            assert_eq!(at_rest(&mixed[..length]).coding, Some(Coding::Gzip));
            assert_eq!(at_rest(&mixed[mixed.len() - length..]).coding, None);
        }
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
    fn damage_is_told_apart_from_length() {
        let packed = gzip(b"some text", 0, LEVEL);
        let cut = &packed[..packed.len() - 3];
        assert!(matches!(decode(cut, Some(Coding::Gzip), 100), Err(DecodeError::Damaged(_))));
        assert!(matches!(decode(b"some text", Some(Coding::Gzip), 100), Err(DecodeError::Damaged(_))));
    }

    #[test]
    fn generations_are_stored_in_forms_of_their_own() {
        let forms: Vec<_> =
            (0..4).map(|generation| at_rest_again(b"same", generation).bytes.into_owned()).collect();
        for (generation, form) in forms.iter().enumerate() {
            assert!(!forms[..generation].contains(form), "generation {generation}");
        }
        assert_eq!(decode(&forms[3], Some(Coding::Gzip), 10).as_deref(), Ok(&b"same"[..]));
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
