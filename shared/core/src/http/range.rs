//! Byte ranges (RFC 9110, section 14).

use std::ops::Range;

/// The part that a `Range` header asks for, of content of some length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedRange {
    /// The whole content: there is no range, or one that is not understood and therefore ignored (section 14.2).
    /// Several ranges at once are ignored too, as section 14.2 allows.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes beyond the end.
    Unsatisfiable,
}

/// Reads a `Range` header for content of `length` bytes.
#[must_use]
pub fn wanted(header: &str, length: u64) -> RequestedRange {
    let Some((unit, set)) = header.split_once('=') else { return RequestedRange::All };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return RequestedRange::All;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return RequestedRange::All };
    match (number(first), number(last)) {
        // `bytes=-5`: the last five.
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 || length == 0 {
                RequestedRange::Unsatisfiable
            } else {
                RequestedRange::Part(length.saturating_sub(suffix)..length)
            }
        }
        (Some(first), None) if last.is_empty() => part(first, length, length),
        (Some(first), Some(last)) if first <= last => part(first, last.saturating_add(1), length),
        _ => RequestedRange::All,
    }
}

fn part(first: u64, end: u64, length: u64) -> RequestedRange {
    if first < length { RequestedRange::Part(first..end.min(length)) } else { RequestedRange::Unsatisfiable }
}

/// Returns digits as a number. A number that is too large for 64 bits lies beyond every end.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_the_rfc() {
        for (header, expected) in [
            ("bytes=0-0", RequestedRange::Part(0..1)),
            ("bytes=2-4", RequestedRange::Part(2..5)),
            ("bytes=5-", RequestedRange::Part(5..10)),
            ("bytes=-3", RequestedRange::Part(7..10)),
            ("bytes=-30", RequestedRange::Part(0..10)),
            ("bytes=8-99999999999999999999999", RequestedRange::Part(8..10)),
            ("Bytes=9-9", RequestedRange::Part(9..10)),
            ("bytes=10-", RequestedRange::Unsatisfiable),
            ("bytes=-0", RequestedRange::Unsatisfiable),
            ("bytes=4-2", RequestedRange::All),
            ("bytes=0-1,3-4", RequestedRange::All),
            ("bytes=a-b", RequestedRange::All),
            ("bytes=-", RequestedRange::All),
            ("bytes", RequestedRange::All),
            ("items=0-1", RequestedRange::All),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), RequestedRange::Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), RequestedRange::Unsatisfiable);
    }
}
