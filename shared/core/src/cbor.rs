//! CBOR (RFC 8949), read in place: nothing is copied and no tree is built, so that ten million bytes of the smallest
//! items cost no memory.
//!
//! In scope: a check that an item is well formed, the members of maps, the elements of arrays, strings, integers and
//! tags. Out of scope: floating-point numbers and the meaning of tags.

use std::borrow::Cow;

use ciborium_ll::{Decoder, Header};

use crate::bounds::MAX_CBOR_DEPTH;

/// A well-formed data item whose text is UTF-8, nested no deeper than [`MAX_CBOR_DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a>(&'a [u8]);

impl<'a> Item<'a> {
    /// Reads the item at the beginning of `bytes`, and returns it with the bytes after it. Returns `None` if the item
    /// is cut short, not well formed, or nested too deep.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let rest = skip(bytes, MAX_CBOR_DEPTH)?;
        bytes.split_at_checked(bytes.len() - rest.len()).map(|(item, rest)| (Self(item), rest))
    }

    /// Returns the encoded bytes of the item.
    #[must_use]
    pub const fn encoded(self) -> &'a [u8] {
        self.0
    }

    /// Returns the text of a text string. Only a string of indefinite length is copied.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        match header(self.0)? {
            (Header::Text(Some(_)), content) => str::from_utf8(content).ok().map(Cow::Borrowed),
            (Header::Text(None), chunks) => String::from_utf8(joined(chunks)).ok().map(Cow::Owned),
            _ => None,
        }
    }

    /// Returns `true` if the item is this text. Nothing is copied.
    #[must_use]
    pub fn is_text(self, text: &str) -> bool {
        match header(self.0) {
            Some((Header::Text(Some(_)), content)) => content == text.as_bytes(),
            Some((Header::Text(None), content)) => {
                let left = chunks(content).try_fold(text.as_bytes(), |left, chunk| left.strip_prefix(chunk));
                left.is_some_and(<[u8]>::is_empty)
            }
            _ => false,
        }
    }

    /// Returns the content of a byte string. Only a string of indefinite length is copied.
    #[must_use]
    pub fn bytes(self) -> Option<Cow<'a, [u8]>> {
        match header(self.0)? {
            (Header::Bytes(Some(_)), content) => Some(content.into()),
            (Header::Bytes(None), chunks) => Some(joined(chunks).into()),
            _ => None,
        }
    }

    /// Returns the value of an integer.
    #[must_use]
    pub fn integer(self) -> Option<i128> {
        match header(self.0)? {
            (Header::Positive(value), _) => Some(value.into()),
            // RFC 8949, section 3.1: the value is −1 minus the argument.
            (Header::Negative(value), _) => Some(-1 - i128::from(value)),
            _ => None,
        }
    }

    /// Returns `true` if the item is null.
    #[must_use]
    pub fn is_null(self) -> bool {
        // RFC 8949, section 3.3: simple value 22.
        matches!(header(self.0), Some((Header::Simple(22), _)))
    }

    /// Returns the content of an item with this tag.
    #[must_use]
    pub fn tagged(self, tag: u64) -> Option<Self> {
        match header(self.0)? {
            (Header::Tag(number), content) if number == tag => Some(Self(content)),
            _ => None,
        }
    }

    /// Returns the elements of an array.
    #[must_use]
    pub fn elements(self) -> Option<Items<'a>> {
        match header(self.0)? {
            (Header::Array(count), rest) => Some(Items { rest, left: count }),
            _ => None,
        }
    }

    /// Returns the entries of a map, as keys and values.
    pub fn entries(self) -> Option<impl Iterator<Item = (Self, Self)>> {
        let mut items = match header(self.0)? {
            // Only a count that exceeds any memory saturates, and a well-formed item is shorter.
            (Header::Map(count), rest) => Items { rest, left: count.map(|count| count.saturating_mul(2)) },
            _ => return None,
        };
        Some(std::iter::from_fn(move || items.next().zip(items.next())))
    }

    /// Returns the members of a map that have these names, in one walk. Returns `None` if the item is not a map, or has
    /// one of the names twice, since readers would differ in which they take (RFC 8949, section 5.6).
    #[must_use]
    pub fn members<const N: usize>(self, names: [&str; N]) -> Option<[Option<Self>; N]> {
        let mut found = [None; N];
        for (key, value) in self.entries()? {
            for (name, found) in names.iter().zip(&mut found) {
                if key.is_text(name) && found.replace(value).is_some() {
                    return None;
                }
            }
        }
        Some(found)
    }
}

/// A sequence of items.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
    /// The number of items that are left, or `None` if a break ends them.
    left: Option<usize>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        // A break is not an item, so it ends the iteration too.
        let (item, rest) = Item::read(self.rest)?;
        self.rest = rest;
        Some(item)
    }
}

/// Reads the header at the beginning of `bytes`, and returns it with the bytes after it.
#[inline]
fn header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let mut decoder = Decoder::from(bytes);
    let header = decoder.pull().ok()?;
    Some((header, bytes.get(decoder.offset()..)?))
}

/// Returns the bytes after the item at the beginning of `bytes`, which may be nested `depth` levels deep.
fn skip(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    // An integer of one byte (RFC 8949, section 3.1). This is the fast path: a body has room for ten million of them.
    if let [0x00..=0x17 | 0x20..=0x37, rest @ ..] = bytes {
        return Some(rest);
    }
    let (header, mut rest) = header(bytes)?;
    let count = match header {
        Header::Positive(_) | Header::Negative(_) | Header::Float(_) | Header::Simple(_) => {
            return Some(rest);
        }
        Header::Bytes(Some(length)) => return rest.get(length..),
        Header::Text(Some(length)) => {
            let (text, rest) = rest.split_at_checked(length)?;
            return str::from_utf8(text).ok().map(|_| rest);
        }
        Header::Bytes(None) | Header::Text(None) => return skip_chunks(rest, header),
        Header::Break => return None,
        Header::Tag(_) => Some(1),
        Header::Array(count) => count,
        Header::Map(Some(count)) => Some(count.checked_mul(2)?),
        Header::Map(None) => None,
    };
    let depth = depth.checked_sub(1)?;
    match count {
        // Each item has at least one byte, so the loop ends with the bytes.
        Some(count) => {
            for _ in 0..count {
                rest = skip(rest, depth)?;
            }
            Some(rest)
        }
        None => loop {
            if let Some(rest) = after_break(rest) {
                return Some(rest);
            }
            rest = skip(rest, depth)?;
            // A key without a value is not an entry.
            if matches!(header, Header::Map(_)) {
                rest = skip(rest, depth)?;
            }
        },
    }
}

/// Returns the bytes after the chunks of a string of indefinite length, which are definite strings of the same kind.
fn skip_chunks(mut rest: &[u8], kind: Header) -> Option<&[u8]> {
    loop {
        if let Some(rest) = after_break(rest) {
            return Some(rest);
        }
        match (kind, header(rest)?.0) {
            (Header::Bytes(_), Header::Bytes(Some(_))) | (Header::Text(_), Header::Text(Some(_))) => {
                rest = skip(rest, 0)?;
            }
            _ => return None,
        }
    }
}

/// Returns the contents of well-formed chunks.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (Header::Bytes(length) | Header::Text(length), content) = header(rest)? else { return None };
        let (content, behind) = content.split_at_checked(length?)?;
        rest = behind;
        Some(content)
    })
}

/// Returns the contents of well-formed chunks as one.
fn joined(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(chunks(bytes).map(<[u8]>::len).sum());
    chunks(bytes).for_each(|chunk| whole.extend_from_slice(chunk));
    whole
}

/// Returns the bytes after a break, if `bytes` begins with one.
fn after_break(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(&[0xff])
}

#[cfg(test)]
mod tests {
    use ciborium::Value;
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Item<'_>> {
        Item::read(bytes).filter(|(_, rest)| rest.is_empty()).map(|(item, _)| item)
    }

    #[test]
    fn the_items_of_the_standard_are_read() {
        // RFC 8949, appendix A.
        assert_eq!(read(b"\x3a\x00\x0f\x42\x3f").unwrap().integer(), Some(-1_000_000));
        assert_eq!(read(b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff").unwrap().integer(), Some(u64::MAX.into()));
        assert_eq!(read(b"\x7f\x65strea\x64ming\xff").unwrap().text().as_deref(), Some("streaming"));
        let streaming = read(b"\x7f\x65strea\x64ming\xff").unwrap();
        assert!(
            streaming.is_text("streaming")
                && !streaming.is_text("stream")
                && !streaming.is_text("streamings")
        );
        assert_eq!(
            read(b"\x5f\x42\x01\x02\x43\x03\x04\x05\xff").unwrap().bytes().as_deref(),
            Some(&[1, 2, 3, 4, 5][..])
        );
        assert!(read(b"\xf6").unwrap().is_null());
        assert_eq!(
            read(b"\xc1\x1a\x51\x4b\x67\xb0").unwrap().tagged(1).unwrap().integer(),
            Some(1_363_896_240)
        );
        for array in [&b"\x83\x01\x82\x02\x03\x82\x04\x05"[..], b"\x9f\x01\x82\x02\x03\x9f\x04\x05\xff\xff"] {
            let lengths: Vec<usize> =
                read(array).unwrap().elements().unwrap().map(|item| item.encoded().len()).collect();
            assert_eq!(lengths.len(), 3, "{lengths:?}");
        }
        for map in [&b"\xa2\x61a\x01\x61b\x82\x02\x03"[..], b"\xbf\x61a\x01\x61b\x9f\x02\x03\xff\xff"] {
            let [b, a, c] = read(map).unwrap().members(["b", "a", "c"]).unwrap();
            assert_eq!(
                (a.and_then(Item::integer), b.unwrap().elements().unwrap().count(), c),
                (Some(1), 2, None)
            );
        }
    }

    #[test]
    fn what_is_not_well_formed_is_no_item() {
        // RFC 8949, appendix F: items that are too short or reserved, misplaced breaks, chunks of another kind.
        for bytes in [
            &b""[..],
            b"\x18",
            b"\x1a\x01\x02",
            b"\x41",
            b"\x62a",
            b"\x81",
            b"\xa1\x01",
            b"\xc0",
            b"\x9f\x01",
            b"\xbf\x01\xff",
            b"\x1c",
            b"\xff",
            b"\x81\xff",
            b"\x5f\x61a\xff",
            b"\x7f\x7f\x61a\xff\xff",
            b"\x5f\x00\xff",
            b"\x5f\x5f\x41a\xff\xff",
            b"\x61\xff",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00",
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x00",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x00",
        ] {
            assert_eq!(Item::read(bytes), None, "{bytes:x?}");
        }
    }

    #[test]
    fn depth_is_bounded_for_everything_that_nests() {
        for (open, close) in
            [(&b"\x81"[..], &b""[..]), (b"\x9f", b"\xff"), (b"\xa1\x01", b""), (b"\xd9\xd9\xf7", b"")]
        {
            let nested = |depth: usize| [open.repeat(depth), vec![1], close.repeat(depth)].concat();
            assert!(Item::read(&nested(MAX_CBOR_DEPTH)).is_some(), "{open:x?}");
            assert!(Item::read(&nested(MAX_CBOR_DEPTH + 1)).is_none(), "{open:x?}");
            assert!(Item::read(&nested(1_000_000)).is_none(), "{open:x?}");
        }
    }

    #[test]
    fn a_member_that_is_there_twice_is_none() {
        let twice = read(b"\xa2\x61a\x01\x61a\x02").unwrap();
        assert_eq!(twice.members(["a"]), None);
        assert_eq!(twice.members(["b"]), Some([None]));
    }

    proptest! {
        #[test]
        fn what_ciborium_reads_is_read_to_the_same_byte(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut rest = bytes.as_slice();
            // The other decoder accepts chunks within chunks, which section 3.2.3 forbids.
            let has_chunks = bytes.iter().any(|byte| matches!(byte, 0x5f | 0x7f));
            if let Ok(value) = ciborium::from_reader::<Value, _>(&mut rest) && !has_chunks {
                let (item, behind) = Item::read(&bytes).expect("ciborium reads it");
                prop_assert_eq!(behind, rest);
                let text = item.text();
                prop_assert_eq!(text.as_deref(), value.as_text());
                prop_assert_eq!(item.elements().map(Iterator::count), value.as_array().map(Vec::len));
            }
        }
    }
}
