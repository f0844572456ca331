//! A median and the range of the rounds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of several rounds of one measurement.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The minimum.
    pub least: f64,
    /// The maximum.
    pub greatest: f64,
}

impl Spread {
    /// The spread of these values, all zero if there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let (count, middle) = (values.len(), values.len() / 2);
        let median =
            if count % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.max(1) - 1), at(middle)) };
        Self { median, least: at(0), greatest: at(count.max(1) - 1) }
    }
}

/// The value that this share of the values does not exceed, or zero if there are none.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or_default()
}

/// The median, and the range in brackets if there is one.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, least, greatest) = (figure(self.median), figure(self.least), figure(self.greatest));
        if least == greatest { f.write_str(&median) } else { write!(f, "{median} ({least}–{greatest})") }
    }
}

/// Formats a number with at least three significant digits, and a comma between thousands.
#[must_use]
pub fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    grouped(whole) + rest
}

/// Digits with a comma between thousands.
#[must_use]
pub fn grouped(whole: &str) -> String {
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut grouped = String::from(sign);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers_of_rounds() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).to_string(), "2.00 (1.00–3.00)");
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).to_string(), "2.50 (1.00–4.00)");
        assert_eq!(Spread::of([7.0]).to_string(), "7.00");
        assert_eq!(Spread::of([]).to_string(), "0");
    }

    #[test]
    fn quantiles_are_values() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        for (share, value) in [(0.0, 1.0), (0.5, 10.0), (0.95, 19.0), (1.0, 20.0), (0.51, 11.0)] {
            assert_eq!(quantile(&values, share), value);
        }
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn figures_are_short_and_grouped() {
        for (value, text) in [
            (0.0, "0"),
            (0.0123, "0.012"),
            (9.876, "9.88"),
            (98.76, "98.8"),
            (987.6, "988"),
            (1_234_567.8, "1,234,568"),
            (-1_234.0, "-1,234"),
        ] {
            assert_eq!(figure(value), text);
        }
    }
}
