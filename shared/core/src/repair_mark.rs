//! Repair marks, which tie a repair that waits in a queue to the flag of the provider that needs it.
//!
//! A writer that leaves a provider behind puts a mark into that provider's row, and the same mark into the message that
//! it queues. Once the work of the message is done, its mark is taken out again (see
//! [`rules::replica_lag`](crate::rules::replica_lag)).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::serde_as_text;
use crate::time::Timestamp;

/// The mark of one repair: the time at which it was made, and a random number. It is written as 15 digits of
/// milliseconds, a hyphen and 16 lower-case hexadecimal digits, so that marks sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepairMark {
    made: Timestamp,
    chance: u64,
}

/// The length of a mark's text.
const LENGTH: usize = 15 + 1 + 16;

/// The error for text that is not a repair mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mark of a repair is 15 digits, a hyphen and 16 lower-case hexadecimal digits")]
pub struct RepairMarkError;

impl RepairMark {
    /// Returns a mark made at `made`. `chance` is a random number that differs for any two marks of one instant.
    #[must_use]
    pub const fn new(made: Timestamp, chance: u64) -> Self {
        Self { made, chance }
    }

    /// Returns the time at which the mark was made, by the clock of its maker.
    #[must_use]
    pub const fn made(self) -> Timestamp {
        self.made
    }
}

impl fmt::Display for RepairMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:015}-{:016x}", self.made.milliseconds(), self.chance)
    }
}

impl FromStr for RepairMark {
    type Err = RepairMarkError;

    fn from_str(text: &str) -> Result<Self, RepairMarkError> {
        if text.len() != LENGTH {
            return Err(RepairMarkError);
        }
        let (made, chance) = text.split_once('-').ok_or(RepairMarkError)?;
        let made = made.parse().map_err(|_| RepairMarkError)?;
        let chance = u64::from_str_radix(chance, 16).map_err(|_| RepairMarkError)?;
        let mark = Self { made: Timestamp::from_milliseconds(made), chance };
        // Each mark has one spelling: `+1`, `AB` and an instant out of bounds are refused.
        if mark.to_string() == text { Ok(mark) } else { Err(RepairMarkError) }
    }
}

serde_as_text!(RepairMark);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_has_one_text() {
        let mark = RepairMark::new(Timestamp::from_milliseconds(1_800_000_000_123), 0xab);
        assert_eq!(mark.to_string(), "001800000000123-00000000000000ab");
        assert_eq!(mark.to_string().parse(), Ok(mark));
        let last = RepairMark::new(Timestamp::from_milliseconds(i64::MAX), u64::MAX);
        assert_eq!(last.to_string().parse(), Ok(last));
        assert_eq!(serde_json::from_str::<RepairMark>(&format!("\"{mark}\"")).unwrap(), mark);
        for bad in [
            "",
            "001800000000123",
            "001800000000123-00000000000000AB",
            "001800000000123-+0000000000000ab",
            "-01800000000123-00000000000000ab",
            "+01800000000123-00000000000000ab",
            "999999999999999-00000000000000ab",
            "001800000000123-00000000000000abc",
        ] {
            assert_eq!(bad.parse::<RepairMark>(), Err(RepairMarkError), "{bad}");
        }
    }

    #[test]
    fn marks_sort_by_time_as_values_and_as_text() {
        let mark = |milliseconds, chance| RepairMark::new(Timestamp::from_milliseconds(milliseconds), chance);
        let (early, late) = (mark(9, u64::MAX), mark(10, 0));
        assert!(early < late && early.to_string() < late.to_string());
    }
}
