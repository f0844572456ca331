//! The bytes of a legacy record, unpacked within a size limit.

use std::borrow::Cow;

use bytes::Bytes;
use credlink_core::bounds::MAX_LEGACY_RECORD_BYTES;
use credlink_core::encoding::Coding;
use credlink_core::encoding::{DecodeError, decode};
use credlink_ports::migration::Content;

/// The first bytes of gzip data (RFC 1952, section 2.3.1). No JSON begins with them.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Length of the longest stored form that is read, in bytes: gzip adds at most 5 bytes for each 16 KB of content (RFC
/// 1951, section 3.2.4), and a header that may contain a name.
pub(super) const MAX_STORED_BYTES: usize = MAX_LEGACY_RECORD_BYTES + MAX_LEGACY_RECORD_BYTES / 1_024 + 65_536;

/// Reads a record from these bytes, gzipped or not, whatever the object's headers say.
pub(super) fn legacy(bytes: Bytes) -> Content {
    if let Some(why) = other_encoding(&bytes) {
        return Content::Unreadable(why);
    }
    if !bytes.starts_with(&GZIP) {
        return if bytes.len() > MAX_LEGACY_RECORD_BYTES {
            too_long(bytes.len() as u64)
        } else {
            Content::Legacy(bytes)
        };
    }
    match decode(&bytes, Some(Coding::Gzip), MAX_LEGACY_RECORD_BYTES) {
        Ok(Cow::Owned(content)) => Content::Legacy(content.into()),
        Ok(Cow::Borrowed(content)) => Content::Legacy(Bytes::copy_from_slice(content)),
        Err(error @ (DecodeError::TooLong(_) | DecodeError::TooManyMembers | DecodeError::Damaged(_))) => {
            Content::Unreadable(error.to_string())
        }
    }
}

/// Describes a text that an editor has saved in another encoding. JSON is UTF-8 without a byte order mark (RFC 8259,
/// section 8.1).
fn other_encoding(bytes: &[u8]) -> Option<String> {
    let found = match bytes {
        [0xef, 0xbb, 0xbf, ..] => "a byte order mark",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the byte order mark of UTF-16",
        _ => return None,
    };
    Some(format!("it begins with {found}; a legacy record is UTF-8 without one"))
}

/// Describes content that is longer than any record.
pub(super) fn too_long(length: u64) -> Content {
    Content::Unreadable(format!(
        "a legacy record has at most {MAX_LEGACY_RECORD_BYTES} bytes; this has {length}"
    ))
}

#[cfg(test)]
mod tests {
    use credlink_core::encoding::at_rest_again;

    use super::*;

    #[test]
    fn gzip_is_known_by_its_first_bytes() {
        let packed = at_rest_again(b"{}", 1).bytes.into_owned();
        assert_eq!(legacy(packed.clone().into()), Content::Legacy(Bytes::from_static(b"{}")));
        assert_eq!(legacy(Bytes::from_static(b"{}")), Content::Legacy(Bytes::from_static(b"{}")));
        let cut = Bytes::copy_from_slice(&packed[..packed.len() - 4]);
        assert!(matches!(legacy(cut), Content::Unreadable(why) if why.contains("the gzip data is damaged")));
    }

    #[test]
    fn a_byte_order_mark_is_called_one() {
        for (bytes, says) in
            [(&b"\xef\xbb\xbf{}"[..], "with a byte order mark"), (b"\xff\xfe{\0}\0", "of UTF-16")]
        {
            let found = legacy(Bytes::from_static(bytes));
            assert!(matches!(&found, Content::Unreadable(why) if why.contains(says)), "{found:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_unpacked() {
        let bomb = at_rest_again(&vec![b' '; MAX_LEGACY_RECORD_BYTES + 1], 1).bytes.into_owned();
        assert!(matches!(legacy(bomb.into()), Content::Unreadable(why) if why.contains("holds more than")));
        let plain = vec![b' '; MAX_LEGACY_RECORD_BYTES + 1];
        assert!(matches!(legacy(plain.into()), Content::Unreadable(why) if why.contains("at most")));
    }
}
