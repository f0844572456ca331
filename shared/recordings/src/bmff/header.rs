//! The header of a box (ISO/IEC 14496-12, section 4.2.2).

use super::FourCc;
use crate::unplayable::Unplayable;

/// The length of the longest header: size, type, and the size in 64 bits.
pub(crate) const LONGEST: u64 = 16;

/// The header of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoxHeader {
    pub kind: FourCc,
    /// The length of the header itself: 8 or 16 bytes.
    pub length: usize,
    /// The length of the content, or `None` if it goes to the end of what is around the box.
    pub content: Option<u64>,
}

impl BoxHeader {
    /// Reads the header with which `bytes` begin. Returns `None` if they end before it does.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Unplayable> {
        let Some([s0, s1, s2, s3, kind @ ..]) = bytes.first_chunk::<8>() else { return Ok(None) };
        let kind = FourCc(*kind);
        let (length, size) = match u32::from_be_bytes([*s0, *s1, *s2, *s3]) {
            0 => return Ok(Some(Self { kind, length: 8, content: None })),
            1 => match bytes.get(8..16).and_then(|bytes| bytes.first_chunk()) {
                Some(size) => (16, u64::from_be_bytes(*size)),
                None => return Ok(None),
            },
            size => (8, u64::from(size)),
        };
        let content = size.checked_sub(length as u64);
        let content = content.ok_or(Unplayable::malformed(kind, "its size is smaller than its header"))?;
        Ok(Some(Self { kind, length, content: Some(content) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_8_or_16_bytes() {
        let parse = |bytes: &[u8]| BoxHeader::parse(bytes).map_err(|reason| reason.to_string());
        let header = |length, content| Ok(Some(BoxHeader { kind: FourCc(*b"free"), length, content }));
        assert_eq!(parse(b"\0\0\0\x08free"), header(8, Some(0)));
        assert_eq!(parse(b"\xff\xff\xff\xfffree"), header(8, Some(0xffff_fff7)));
        assert_eq!(parse(b"\0\0\0\0free"), header(8, None));
        assert_eq!(parse(b"\0\0\0\x01free\0\0\0\0\0\0\0\x11"), header(16, Some(1)));
        for bytes in [&b""[..], b"\0\0\0\x08fre", b"\0\0\0\x01free\0\0\0\0\0\0\0"] {
            assert_eq!(parse(bytes), Ok(None), "{bytes:?}");
        }
        for bytes in [&b"\0\0\0\x07free"[..], b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f"] {
            assert_eq!(
                parse(bytes),
                Err("its box `free` is damaged: its size is smaller than its header".into())
            );
        }
    }
}
