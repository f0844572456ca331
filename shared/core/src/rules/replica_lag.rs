//! The rules for when a provider counts as behind: the flag in its row, and the repairs that keep it raised.
//!
//! A writer that leaves something stale readable at a provider raises the flag before anybody is told of the write, and
//! puts the mark of the repair that it queues into the row. A repair that is done takes its mark out, and with the last
//! mark the flag goes down. So the flag stays up
//!
//! * if a process ends between raising the flag and queueing the message: nobody takes that mark out;
//! * if a message becomes a dead letter: its mark stays until the message is put back and its repair is done;
//! * if a message is delivered twice, or after the flag was raised anew: its repair takes out its own mark, and no
//!   other.
//!
//! A row holds up to [`MAX_REPAIRS`] marks. With more, and where many processes raise the flag at once, the flag stays
//! up for [`STANDS_SECONDS`] whatever is repaired, and nothing is written for each repair. No flag stays up longer than
//! that without being raised again: by then no queue holds the message any longer.

use std::collections::BTreeSet;

use crate::repair_mark::RepairMark;
use crate::replica::Replica;
use crate::row::ReplicaRow;
use crate::time::Timestamp;

/// Longest time that a flag stays up, in seconds: 14 days, the longest that a message waits in a queue.
pub const STANDS_SECONDS: u64 = 14 * 86_400;
/// Most marks in one row: 500 of 32 bytes make it 18 KB, which is 18 write units of DynamoDB.
pub const MAX_REPAIRS: usize = 500;
/// Age at which a flag that stays up by time is renewed, in seconds: a day.
const RENEWED_SECONDS: u64 = 86_400;
/// Age at which a mark that no repair has taken out is dropped, in seconds: twice as long as a message waits, so that
/// even a clock that is two weeks ahead drops no mark too early.
const DROPPED_SECONDS: u64 = 2 * STANDS_SECONDS;

/// Returns `true` if the provider of this row counts as behind. A flag that was lowered is down by every clock.
#[must_use]
pub fn stands(row: &ReplicaRow, now: Timestamp) -> bool {
    row.until > row.since && row.until > now
}

/// Returns the row after the flag of `replica` was raised for the repair of `mark`, as the successor of `before`.
/// Returns `None` if the flag stays up by time for long enough, and nothing must be written. Without a mark the flag
/// stays up by time from then on.
#[must_use]
pub fn raise(
    replica: Replica,
    before: Option<&ReplicaRow>,
    mark: Option<RepairMark>,
    now: Timestamp,
) -> Option<ReplicaRow> {
    let standing = before.filter(|row| stands(row, now));
    let by_time = standing.filter(|row| row.repairs.is_empty());
    if by_time.is_some_and(|row| row.until >= now.plus_seconds(STANDS_SECONDS - RENEWED_SECONDS)) {
        return None;
    }
    let version = before.map_or(0, |row| row.version) + 1;
    let repairs = match (mark, by_time) {
        (Some(mark), None) => {
            let kept = standing.map(|row| row.repairs.iter().copied()).into_iter().flatten();
            let oldest = now.minus_seconds(DROPPED_SECONDS);
            kept.filter(|kept| kept.made() >= oldest).chain([mark]).collect()
        }
        _ => BTreeSet::new(),
    };
    Some(ReplicaRow {
        replica,
        version,
        since: standing.map_or(now, |row| row.since),
        // A process whose clock is behind must not shorten the time.
        until: standing.map_or(now, |row| row.until).max(now.plus_seconds(STANDS_SECONDS)),
        raised: standing.map_or(version, |row| row.raised),
        repairs: if repairs.len() > MAX_REPAIRS { BTreeSet::new() } else { repairs },
    })
}

/// Returns the row after the repair of `mark` was done, or `None` if the row does not have the mark.
#[must_use]
pub fn done(row: &ReplicaRow, mark: RepairMark) -> Option<ReplicaRow> {
    let mut after = row.clone();
    if !after.repairs.remove(&mark) {
        return None;
    }
    after.version += 1;
    if after.repairs.is_empty() {
        after.until = after.since;
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_milliseconds(1_800_000_000_000).plus_seconds(seconds)
    }

    fn mark(number: u64) -> RepairMark {
        RepairMark::new(at(0), number)
    }

    fn raised(before: Option<&ReplicaRow>, number: u64, now: Timestamp) -> ReplicaRow {
        raise(Replica::Fallback, before, Some(mark(number)), now).unwrap()
    }

    #[test]
    fn the_flag_goes_down_with_the_last_repair_and_not_before() {
        let one = raised(None, 1, at(0));
        assert!(stands(&one, at(1)));
        let two = raised(Some(&one), 2, at(9));
        assert_eq!((two.version, two.since, two.raised), (2, at(0), 1));
        let left = done(&two, mark(1)).unwrap();
        assert!(stands(&left, at(10)));
        assert_eq!(done(&left, mark(1)), None, "a message that is handed out twice");
        assert_eq!(done(&left, mark(3)), None);
        let down = done(&left, mark(2)).unwrap();
        assert!(!stands(&down, at(10)) && !stands(&down, Timestamp::from_milliseconds(0)));
        assert_eq!(down.version, 4);
        // A flag that is raised again is another flag, which an old message does not lower.
        let again = raised(Some(&down), 4, at(20));
        assert_eq!((again.since, again.raised), (at(20), 5));
        assert_eq!(done(&again, mark(2)), None);
    }

    #[test]
    fn too_many_repairs_leave_the_flag_to_time() {
        let mut row = raised(None, 0, at(0));
        for number in 1..MAX_REPAIRS as u64 {
            row = raised(Some(&row), number, at(1));
        }
        assert_eq!(row.repairs.len(), MAX_REPAIRS);
        let full = raised(Some(&row), MAX_REPAIRS as u64, at(2));
        assert!(full.repairs.is_empty() && stands(&full, at(14 * DAY + 1)));
        assert_eq!(done(&full, mark(1)), None);
        // From then on nothing is written for each repair, but once a day.
        assert_eq!(raise(Replica::Fallback, Some(&full), Some(mark(7)), at(DAY)), None);
        let renewed = raised(Some(&full), 7, at(DAY + 3));
        assert!(renewed.repairs.is_empty());
        assert_eq!((renewed.until, renewed.raised), (at(15 * DAY + 3), 1));
        // The flag goes down when its time is over, and the next one counts marks again.
        assert_eq!(raised(Some(&full), 8, at(15 * DAY)).repairs.len(), 1);
    }

    #[test]
    fn a_flag_without_a_mark_stands_by_time() {
        let counted = raised(None, 1, at(0));
        let by_time = raise(Replica::Fallback, Some(&counted), None, at(1)).unwrap();
        assert!(by_time.repairs.is_empty() && stands(&by_time, at(14 * DAY)));
        assert_eq!(by_time.raised, 1);
    }

    #[test]
    fn a_mark_that_nobody_takes_out_holds_up_nothing_for_ever() {
        let lost = raised(None, 1, at(0));
        assert!(!stands(&lost, at(14 * DAY)));
        let mut row = lost;
        for day in 1..=29 {
            row = raised(Some(&row), 1_000 + day, at(day * DAY));
            row = done(&row, mark(1_000 + day)).unwrap();
            assert_eq!(stands(&row, at(day * DAY)), day <= 28, "{day}");
        }
    }

    #[test]
    fn a_clock_that_is_behind_shortens_nothing() {
        let row = raised(None, 1, at(10 * DAY));
        let other = raised(Some(&row), 2, at(0));
        assert_eq!((other.until, other.since), (row.until, row.since));
    }
}
