//! Range requests: RFC 9110, section 14, and If-Range (13.1.5).

use credlink_core::encoding::Coding;
use http::Method;
use http::header::{IF_RANGE, RANGE};

use super::conditions::{AFTER, BEFORE};
use super::seeds::Seed;
use super::table::Expected::{Beyond, Part, Whole};
use super::table::{Row, row};

pub fn rows(seed: &Seed) -> Vec<Row> {
    [of_bytes(seed), of_what_is_ignored(seed), of_if_range(seed)].into_iter().flatten().collect()
}

fn of_bytes(seed: &Seed) -> Vec<Row> {
    let length = seed.content.len();
    let range = |name, value: &str, expected| row("14.1.2", name, RANGE, value, expected);
    let beyond = |name, value: &str| row("15.5.17", name, RANGE, value, Beyond);
    vec![
        Row { clause: "14.3", name: "no range", method: Method::GET, headers: Vec::new(), expected: Whole },
        Row {
            clause: "9.3.2",
            name: "no range, by HEAD",
            method: Method::HEAD,
            headers: Vec::new(),
            expected: Whole,
        },
        range("the first byte", "bytes=0-0", Part(0..1)),
        range("the last byte", &format!("bytes={}-{}", length - 1, length - 1), Part(length - 1..length)),
        range("from the middle", "bytes=20-29", Part(20..30)),
        range("everything", &format!("bytes=0-{}", length - 1), Part(0..length)),
        range("an open end", "bytes=100-", Part(100..length)),
        range("everything, with an open end", "bytes=0-", Part(0..length)),
        range("past the end", "bytes=100-99999", Part(100..length)),
        range("to a place that no number holds", "bytes=1-99999999999999999999999", Part(1..length)),
        range("the last ones", "bytes=-3", Part(length - 3..length)),
        range("more of the last ones than there are", "bytes=-99999", Part(0..length)),
        row("14.1", "a unit in capitals", RANGE, "BYTES=2-4", Part(2..5)),
        beyond("behind the end", &format!("bytes={length}-")),
        beyond("far behind the end", "bytes=99999-199999"),
        beyond("the last none", "bytes=-0"),
        beyond("from a place that no number holds", "bytes=99999999999999999999999-"),
    ]
}

fn of_what_is_ignored(seed: &Seed) -> Vec<Row> {
    let length = seed.content.len();
    let ignored = |name, value: &str| row("14.2", name, RANGE, value, Whole);
    vec![
        ignored("by HEAD", "bytes=2-4").head(),
        ignored("behind the end, by HEAD", &format!("bytes={length}-")).head(),
        ignored("of an unknown unit", "items=0-1"),
        ignored("several", "bytes=0-1,3-4"),
        ignored("several, one behind the end", &format!("bytes=0-1, {length}-")),
        ignored("in two lines", "bytes=0-1").and(RANGE, "bytes=3-4"),
        row("14.1.1", "backwards", RANGE, "bytes=4-2", Whole),
        row("14.1.1", "of nothing", RANGE, "bytes=-", Whole),
        row("14.1.1", "without a unit", RANGE, "0-4", Whole),
        row("14.1.1", "without a set", RANGE, "bytes", Whole),
        row("14.1.1", "an empty set", RANGE, "bytes=", Whole),
        row("14.1.1", "of letters", RANGE, "bytes=a-b", Whole),
        row("14.1.1", "with signs", RANGE, "bytes=+1-+2", Whole),
        row("14.1.1", "with fractions", RANGE, "bytes=1.5-2", Whole),
    ]
}

fn of_if_range(seed: &Seed) -> Vec<Row> {
    let (tag, gzip, modified) = (&seed.tag(None), &seed.tag(Some(Coding::Gzip)), &seed.modified());
    let beyond = &format!("bytes={}-", seed.content.len());
    let asked =
        |name, value: &str, expected| row("13.1.5", name, IF_RANGE, value, expected).and(RANGE, "bytes=2-4");
    vec![
        asked("the tag", tag, Part(2..5)),
        asked("another tag", "\"other\"", Whole),
        asked("the tag, weak", &format!("W/{tag}"), Whole),
        asked("the tag of the other coding", gzip, Whole),
        asked("a list with the tag", &format!("\"other\", {tag}"), Whole),
        asked("whatever is there", "*", Whole),
        asked("the date", modified, Part(2..5)),
        asked("a date before", BEFORE, Whole),
        asked("a date after", AFTER, Whole),
        asked("neither a tag nor a date", "yesterday", Whole),
        asked("the tag, by HEAD", tag, Whole).head(),
        row("13.1.5", "without a range", IF_RANGE, "\"other\"", Whole),
        row("14.2", "behind the end of what has changed", IF_RANGE, "\"other\"", Whole).and(RANGE, beyond),
        row("14.2", "behind the end of what has not", IF_RANGE, tag, Beyond).and(RANGE, beyond),
    ]
}
