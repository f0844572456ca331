//! The rate at which uploads are announced. What an owner has used of it is in the row of the quota, and changes in the
//! commit of the announcement, so that it is counted across all processes. An announcement that is refused is not
//! counted.

use http::HeaderValue;
use http::header::RETRY_AFTER;

use crate::http::problem::{Problem, ProblemKind};
use crate::row::QuotaRow;
use crate::time::Timestamp;

/// A minute in milliseconds.
const MINUTE: i64 = 60_000;

/// Returns the row after an announcement at `now`, with the same version. A minute's share may be used at once, and grows
/// back evenly. More than 60,000 announcements in a minute are not limited, because time is counted in milliseconds.
///
/// # Errors
/// 429 with `Retry-After` if the share is used up.
pub fn admit(row: &QuotaRow, per_minute: u32, now: Timestamp) -> Result<QuotaRow, Problem> {
    let cost = MINUTE / i64::from(per_minute.max(1));
    let now = now.milliseconds();
    let latest = now.saturating_add(MINUTE);
    // A time that is further away comes from a clock that was ahead, and counts for nothing.
    let rested = row.rested.map(Timestamp::milliseconds).filter(|rested| *rested <= latest);
    let rested = rested.map_or(now, |rested| rested.max(now));
    let next = rested.saturating_add(cost);
    let beyond = u64::try_from(next.saturating_sub(latest)).unwrap_or_default();
    if beyond == 0 {
        return Ok(QuotaRow { rested: Some(Timestamp::from_milliseconds(next)), ..row.clone() });
    }
    let seconds = beyond.div_ceil(1_000);
    let uploads = if per_minute == 1 { "one upload".to_owned() } else { format!("{per_minute} uploads") };
    let whose = if row.owner.is_some() { "of one owner" } else { "without an owner" };
    let detail = format!(
        "at most {uploads} {whose} may be announced at once, and {}; try again in {seconds} s",
        growth(per_minute)
    );
    let mut problem = Problem::new(ProblemKind::TooManyRequests, detail);
    problem.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
    Err(problem)
}

/// Returns the words for how a share of `per_minute` grows back.
fn growth(per_minute: u32) -> String {
    match per_minute {
        0 | 1 => "one more each minute".to_owned(),
        60 => "one more each second".to_owned(),
        each if each.is_multiple_of(60) => format!("{} more each second", each / 60),
        each if 60_u32.is_multiple_of(each) => format!("one more every {} s", 60 / each),
        each => format!("{each} more each minute, evenly"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::Tenant;

    #[test]
    fn a_share_may_be_used_at_once_and_grows_back() {
        let mut row = QuotaRow::empty(Tenant::default(), Some("anna".parse().unwrap()));
        let mut announce = |milliseconds: i64| {
            let now = Timestamp::from_milliseconds(1_798_761_600_000 + milliseconds);
            let admitted = admit(&row, 3, now);
            admitted
                .map(|next| row = next)
                .map_err(|problem| problem.headers[0].1.to_str().unwrap().to_owned())
        };
        for _ in 0..3 {
            assert_eq!(announce(0), Ok(()));
        }
        assert_eq!(announce(0), Err("20".to_owned()));
        assert_eq!(announce(15_000), Err("5".to_owned()));
        assert_eq!(announce(20_000), Ok(()));
        assert_eq!(announce(20_000), Err("20".to_owned()));
        for _ in 0..3 {
            assert_eq!(announce(200_000), Ok(()), "no more than a minute's share is saved");
        }
        assert!(announce(200_000).is_err());
        // The clock is set back by an hour.
        for _ in 0..3 {
            assert_eq!(announce(-3_600_000), Ok(()));
        }
        assert_eq!(announce(-3_600_000), Err("20".to_owned()));
    }

    #[test]
    fn a_refusal_says_whose_share_it_is() {
        let now = Timestamp::from_milliseconds(1_798_761_600_000);
        let row = admit(&QuotaRow::empty(Tenant::default(), None), 1, now).unwrap();
        assert_eq!(row.version, 0);
        let refused = admit(&row, 1, now).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::TooManyRequests);
        assert!(
            refused.detail.starts_with(
                "at most one upload without an owner may be announced at once, and one more each minute;"
            ),
            "{refused}"
        );
        for (per_minute, words) in [
            (60, "at once, and one more each second; try again in 1 s"),
            (120, "at once, and 2 more each second; try again in 1 s"),
            (6, "at once, and one more every 10 s; try again in 10 s"),
            (7, "at once, and 7 more each minute, evenly; try again in 9 s"),
        ] {
            let mut row = QuotaRow::empty(Tenant::default(), None);
            for _ in 0..per_minute {
                row = admit(&row, per_minute, now).unwrap();
            }
            let refused = admit(&row, per_minute, now).unwrap_err().detail;
            assert_eq!(
                refused,
                format!("at most {per_minute} uploads without an owner may be announced {words}")
            );
        }
        assert!(admit(&row, u32::MAX, now.plus_seconds(60)).is_ok());
    }
}
