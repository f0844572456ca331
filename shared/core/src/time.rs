//! Instants in records and rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::serde_as_text;

/// An instant in UTC, to the millisecond, written as RFC 3339 (`2026-01-31T12:00:00.000Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The error for text that is not a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a timestamp is an RFC 3339 date and time, such as 2026-01-31T12:00:00.000Z")]
pub struct TimestampError;

/// The latest instant that jiff can write: the end of the year 9999, less a day for any offset.
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
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => Err(fmt::Error),
        }
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
        let instant: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        match instant.as_millisecond() {
            // A fraction of a millisecond before 1970 rounds to 0.
            milliseconds @ 0..=LATEST_MILLISECOND if instant >= jiff::Timestamp::UNIX_EPOCH => {
                Ok(Self(milliseconds))
            }
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
    fn only_dates_with_times_are_timestamps() {
        for bad in ["", "2026-01-01", "yesterday", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.9999Z"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampError), "{bad}");
        }
    }
}
