//! Byte ranges (RFC 9110, section 14).

use std::ops::Range;

/// The part that a `Range` header asks for, of content of some length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
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
pub fn wanted(header: &str, length: u64) -> Wanted {
    let Some((unit, set)) = header.split_once('=') else { return Wanted::All };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Wanted::All;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Wanted::All };
    match (number(first), number(last)) {
        // `bytes=-5`: the last five.
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 || length == 0 {
                Wanted::Unsatisfiable
            } else {
                Wanted::Part(length.saturating_sub(suffix)..length)
            }
        }
        (Some(first), None) if last.is_empty() => part(first, length, length),
        (Some(first), Some(last)) if first <= last => part(first, last.saturating_add(1), length),
        _ => Wanted::All,
    }
}

fn part(first: u64, end: u64, length: u64) -> Wanted {
    if first < length { Wanted::Part(first..end.min(length)) } else { Wanted::Unsatisfiable }
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
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-4", Wanted::Part(2..5)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=8-99999999999999999999999", Wanted::Part(8..10)),
            ("Bytes=9-9", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=4-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes", Wanted::All),
            ("items=0-1", Wanted::All),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), Wanted::Unsatisfiable);
    }
}
