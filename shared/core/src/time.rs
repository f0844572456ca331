//! Instants in records and rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::hash::serde_as_text;

/// An instant in UTC, to the millisecond, written as RFC 3339 (`2026-01-31T12:00:00.000Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The error for text that is not a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a timestamp is an RFC 3339 date and time, such as 2026-01-31T12:00:00.000Z")]
pub struct TimestampError;

/// The latest instant: the end of the year 9999 less 26 hours, so that it has four digits of a year at any offset.
const LATEST_MILLISECOND: i64 = 253_402_207_200_000;

impl Timestamp {
    /// Returns the instant `milliseconds` after 1970-01-01T00:00:00Z. An instant before it, or after the year 9999, is
    /// moved to that bound.
    #[must_use]
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds.clamp(0, LATEST_MILLISECOND))
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn milliseconds(self) -> i64 {
        self.0
    }

    /// Returns the whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0.unsigned_abs() / 1000
    }

    /// Returns the instant `seconds` later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let milliseconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        Self::from_milliseconds(self.0.saturating_add(milliseconds))
    }

    /// Returns the instant `seconds` earlier.
    #[must_use]
    pub fn minus_seconds(self, seconds: u64) -> Self {
        let milliseconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        Self::from_milliseconds(self.0.saturating_sub(milliseconds))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millisecond) = (self.0.div_euclid(1000), self.0.rem_euclid(1000));
        let instant = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        let (year, month, day) = instant.to_calendar_date();
        let (hour, minute, second) = instant.to_hms();
        write!(
            f,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z",
            u8::from(month)
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        // RFC 3339, section 5.6: "T", in either case, or a space for readability. The parser takes any character.
        if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
            return Err(TimestampError);
        }
        let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        let seconds = instant.unix_timestamp();
        // A fraction of a millisecond is cut off.
        match seconds.checked_mul(1000).and_then(|whole| whole.checked_add(i64::from(instant.millisecond())))
        {
            Some(milliseconds @ 0..=LATEST_MILLISECOND) => Ok(Self(milliseconds)),
            _ => Err(TimestampError),
        }
    }
}

serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_the_millisecond() {
        let instant = Timestamp::from_milliseconds(1_767_225_600_007);
        assert_eq!(instant.to_string(), "2026-01-01T00:00:00.007Z");
        assert_eq!(instant.to_string().parse(), Ok(instant));
        assert_eq!(Timestamp::from_milliseconds(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_milliseconds(i64::MAX).to_string(), "9999-12-30T22:00:00.000Z");
    }

    #[test]
    fn arithmetic_saturates() {
        let start = Timestamp::from_milliseconds(5_000);
        assert_eq!(start.plus_seconds(1).milliseconds(), 6_000);
        assert_eq!(start.minus_seconds(10).milliseconds(), 0);
        assert_eq!(start.plus_seconds(u64::MAX), Timestamp::from_milliseconds(i64::MAX));
    }

    #[test]
    fn every_spelling_of_rfc_3339_is_read() {
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"),
            ("2026-01-01t00:00:00.1z", "2026-01-01T00:00:00.100Z"),
            ("2026-01-01 01:30:00.0079999+01:30", "2026-01-01T00:00:00.007Z"),
            ("2025-12-31T23:00:00-01:00", "2026-01-01T00:00:00.000Z"),
            ("1970-01-01T00:59:59.999+01:00", ""),
            ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z"),
            ("9999-12-30T22:00:00.000Z", "9999-12-30T22:00:00.000Z"),
            ("9999-12-30T22:00:00.001Z", ""),
        ] {
            let read = text.parse::<Timestamp>().map(|instant| instant.to_string());
            assert_eq!(read.unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn only_dates_with_times_are_timestamps() {
        for bad in [
            "",
            "2026-01-01",
            "yesterday",
            "1969-12-31T23:59:59Z",
            "1969-12-31T23:59:59.9999Z",
            "2026-01-01_00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00Z ",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampError), "{bad}");
        }
    }
}
