//! Figures for people: bytes, times and rates.

/// Formats a number of bytes for people.
pub(super) fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut size, mut unit) = (bytes, 0);
    while size >= 1_000.0 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1_000.0, unit + 1);
    }
    let decimals = usize::from(unit > 0 && size < 100.0);
    format!("{size:.decimals$} {}", UNITS[unit])
}

/// Returns the time left at the rate so far.
pub(super) fn left(done: u64, total: u64, seconds: f64) -> Option<String> {
    if done == 0 || total <= done {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 52 bits")]
    let left = seconds * (total - done) as f64 / done as f64;
    Some(time(left))
}

/// Formats a time for people.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        short if short < 1.0 => format!("{:.0} ms", short * 1_000.0),
        short if short < 90.0 => format!("{short:.0} s"),
        long if long < 5_400.0 => format!("{:.0} min", long / 60.0),
        long => format!("{:.1} h", long / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_for_people() {
        assert_eq!([size(999.0), size(20_000.0), size(2e8)], ["999 B", "20.0 KB", "200 MB"]);
        assert_eq!([time(0.25), time(80.0), time(600.0), time(9e3)], ["250 ms", "80 s", "10 min", "2.5 h"]);
        assert_eq!(left(50, 100, 10.0).as_deref(), Some("10 s"));
        assert_eq!((left(0, 100, 1.0), left(100, 100, 1.0)), (None, None));
    }
}
