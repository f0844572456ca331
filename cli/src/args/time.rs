//! Parsing of times.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Parses a number with the unit s, m, h or d. The time must have a number of seconds in `seconds`, which `allowed`
/// describes in words.
pub(super) fn time(text: &str, seconds: RangeInclusive<u64>, allowed: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit =
        match &text[digits.len()..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(
                "a time is a number and s, m, h or d, such as 90s, 15m, 1h or 7d; a plain number is seconds"
                    .to_owned(),
            ),
        };
    let typed = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let typed = typed.filter(|typed| seconds.contains(typed));
    typed.map(Duration::from_secs).ok_or_else(|| format!("a time is {allowed}"))
}
