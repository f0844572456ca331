//! Conditional requests: RFC 9110, section 13, entity tags (8.8.3) and dates (5.6.7).

use credlink_core::encoding::Coding;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};

use super::seeds::Seed;
use super::table::Expected::{Beyond, Failed, Malformed, NotModified, Part, Whole};
use super::table::{Row, row};

/// A date before the seeds were stored, by one second, and a date long after.
pub const BEFORE: &str = "Thu, 01 Jan 2026 11:59:59 GMT";
pub const AFTER: &str = "Wed, 01 Jan 2076 12:00:00 GMT";
/// The second in which the seeds were stored, in the two obsolete formats of section 5.6.7.
const RFC_850: &str = "Thursday, 01-Jan-26 12:00:00 GMT";
const ASCTIME: &str = "Thu Jan  1 12:00:00 2026";
const OTHER: &str = "\"other\"";

pub fn rows(seed: &Seed) -> Vec<Row> {
    [of_tags(seed), of_dates(seed), of_order(seed)].into_iter().flatten().collect()
}

fn of_tags(seed: &Seed) -> Vec<Row> {
    let (tag, gzip) = (&seed.tag(None), &seed.tag(Some(Coding::Gzip)));
    let list = &format!("\"a,b\" , W/\"c\",{tag}");
    let none = |name, value: &str, expected| row("13.1.2", name, IF_NONE_MATCH, value, expected);
    let some = |name, value: &str, expected| row("13.1.1", name, IF_MATCH, value, expected);
    vec![
        none("the tag", tag, NotModified),
        none("the tag, by HEAD", tag, NotModified).head(),
        none("another tag", OTHER, Whole),
        none("another tag, by HEAD", OTHER, Whole).head(),
        none("whatever is there", "*", NotModified),
        none("a list with it", list, NotModified),
        none("a list without it", "\"a\", W/\"b\"", Whole),
        none("the tag of the content's other coding", gzip, NotModified),
        none("no list at all", "", Whole),
        row("8.8.3.2", "the tag, compared weakly", IF_NONE_MATCH, &format!("W/{tag}"), NotModified),
        row("8.8.3.2", "the tag, compared strongly", IF_MATCH, &format!("W/{tag}"), Failed),
        row("8.8.3", "the tag without its quotes", IF_NONE_MATCH, tag.trim_matches('"'), Whole),
        row("8.8.3", "a tag that does not end", IF_NONE_MATCH, "\"a", Whole),
        row("8.8.3", "a mark of weakness in lower case", IF_NONE_MATCH, "w/\"a\"", Whole),
        row("5.3", "a list in two lines", IF_NONE_MATCH, OTHER, NotModified).and(IF_NONE_MATCH, tag),
        row(
            "5.6.1.2",
            "a list with empty elements",
            IF_NONE_MATCH,
            &format!(", \"a\",, {tag},"),
            NotModified,
        ),
        some("the tag", tag, Whole),
        some("the tag, by HEAD", tag, Whole).head(),
        some("another tag", OTHER, Failed),
        some("another tag, by HEAD", OTHER, Failed).head(),
        some("whatever is there", "*", Whole),
        some("a list with it", list, Whole),
        some("a list without it", "\"a\", \"b\"", Failed),
        some("the tag of the content's other coding", gzip, Whole),
        some("no tag", "a", Malformed),
    ]
}

fn of_dates(seed: &Seed) -> Vec<Row> {
    let (tag, modified) = (&seed.tag(None), &seed.modified());
    let since = |name, value: &str, expected| row("13.1.3", name, IF_MODIFIED_SINCE, value, expected);
    let until = |name, value: &str, expected| row("13.1.4", name, IF_UNMODIFIED_SINCE, value, expected);
    let date = |name, value: &str| row("5.6.7", name, IF_MODIFIED_SINCE, value, NotModified);
    vec![
        since("modified in this second", modified, NotModified),
        since("modified in this second, by HEAD", modified, NotModified).head(),
        since("modified before", AFTER, NotModified),
        since("modified after", BEFORE, Whole),
        since("no date", "yesterday", Whole),
        since("a date of another zone", "Thu, 01 Jan 2026 12:00:00 CET", Whole),
        since("two dates", modified, Whole).and(IF_MODIFIED_SINCE, modified),
        since("beside If-None-Match", modified, Whole).and(IF_NONE_MATCH, OTHER),
        date("a date of RFC 850", RFC_850),
        date("a date of asctime", ASCTIME),
        until("modified in this second", modified, Whole),
        until("modified before", AFTER, Whole),
        until("modified after", BEFORE, Failed),
        until("no date", "yesterday", Whole),
        until("two dates", BEFORE, Whole).and(IF_UNMODIFIED_SINCE, BEFORE),
        until("beside If-Match", BEFORE, Whole).and(IF_MATCH, tag),
    ]
}

fn of_order(seed: &Seed) -> Vec<Row> {
    let (tag, modified) = (&seed.tag(None), &seed.modified());
    let beyond = &format!("bytes={}-", seed.content.len());
    let order = |name, header, value: &str, expected| row("13.2.2", name, header, value, expected);
    vec![
        order("a failed If-Match comes first", IF_MATCH, OTHER, Failed).and(IF_NONE_MATCH, tag),
        order("then If-None-Match", IF_MATCH, tag, NotModified).and(IF_NONE_MATCH, tag),
        order("a failed If-Unmodified-Since comes first", IF_UNMODIFIED_SINCE, BEFORE, Failed)
            .and(IF_NONE_MATCH, tag),
        order("then If-Modified-Since", IF_UNMODIFIED_SINCE, modified, NotModified)
            .and(IF_MODIFIED_SINCE, modified),
        order("then the range", IF_MATCH, tag, Part(2..5)).and(RANGE, "bytes=2-4"),
        order("a range of what the client has", IF_NONE_MATCH, tag, NotModified).and(RANGE, "bytes=2-4"),
        order("a range beyond the end of what has changed", IF_MATCH, OTHER, Failed).and(RANGE, beyond),
        order("a range beyond the end of what the client has", IF_NONE_MATCH, tag, NotModified)
            .and(RANGE, beyond),
        order("a range beyond the end, otherwise", IF_NONE_MATCH, OTHER, Beyond).and(RANGE, beyond),
        order("If-Range last of all", IF_NONE_MATCH, tag, NotModified)
            .and(IF_RANGE, tag)
            .and(RANGE, "bytes=2-4"),
    ]
}
