//! Conditional requests (RFC 9110, section 13), entity tags (section 8.8.3) and dates (section 5.6.7).

use http::HeaderMap;
use http::header::{ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

use super::problem::Problem;
use super::reply::Reply;
use crate::bounds::MAX_ENTITY_TAGS;
use crate::encoding::Coding;
use crate::hash::Digest;
use crate::time::Timestamp;

/// The properties of a representation that a conditional request compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validators {
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// The content coding of the representation that would be sent.
    pub coding: Option<Coding>,
    /// Time at which the content was stored.
    pub modified: Timestamp,
}

/// The outcome of a read's conditions, before any range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The content is sent.
    Proceed,
    /// 304: the client already has the content.
    NotModified,
    /// 412: the content is not the one that the client wants.
    Failed,
}

/// Returns the strong entity tag of content with this digest: the digest, with a suffix for the gzip coding, because
/// the two representations differ in their bytes (RFC 9110, section 8.8.3.3).
#[must_use]
pub fn entity_tag(sha256: &Digest, coding: Option<Coding>) -> String {
    match coding {
        None => format!("\"{sha256}\""),
        Some(Coding::Gzip) => format!("\"{sha256}{GZIP_SUFFIX}\""),
    }
}

const GZIP_SUFFIX: &str = ".gz";

/// Returns the answer with the `ETag` of uncompressed content with this digest.
#[must_use]
pub fn with_tag(reply: Reply, sha256: &Digest) -> Reply {
    reply.with(ETAG, &entity_tag(sha256, None))
}

/// Returns an instant as HTTP writes it, to the second.
#[must_use]
pub fn http_date(instant: Timestamp) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(instant.seconds()))
}

/// Returns the value of a header that is not a list, if it occurs once. Sections 13.1.3 and 13.1.4 require that a date
/// with more than one member is ignored, and a gateway may join several lines to such a value.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

/// Returns the whole seconds since 1970 of a date in any of HTTP's three formats. Other text is not a date, and is
/// ignored as sections 13.1.3 and 13.1.4 require.
fn parse_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// A list of entity tags, or `*`.
enum Tags<'a> {
    Any,
    List(Vec<Tag<'a>>),
}

struct Tag<'a> {
    weak: bool,
    opaque: &'a str,
}

impl<'a> Tags<'a> {
    /// Reads all lines of a header. Returns `None` if the header is absent.
    fn read(headers: &'a HeaderMap, name: &http::HeaderName) -> Result<Option<Self>, Problem> {
        let mut list = Vec::new();
        let mut seen = false;
        for value in headers.get_all(name) {
            seen = true;
            let text = value.to_str().map_err(|_| malformed(name))?;
            if text.trim() == "*" {
                return Ok(Some(Self::Any));
            }
            parse_list(text, &mut list).ok_or_else(|| malformed(name))?;
        }
        Ok(seen.then_some(Self::List(list)))
    }

    /// Returns `true` if one of the tags belongs to this content, in either coding, since the client named the content
    /// and both codings change together. `strong` leaves weak tags out (section 8.8.3.2).
    fn include(&self, sha256: &Digest, strong: bool) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => {
                let digest = sha256.to_string();
                tags.iter()
                    .filter(|tag| !(strong && tag.weak))
                    .any(|tag| tag.opaque.strip_suffix(GZIP_SUFFIX).unwrap_or(tag.opaque) == digest)
            }
        }
    }
}

fn malformed(name: &http::HeaderName) -> Problem {
    Problem::field(
        name.as_str(),
        format!(
            "`*`, or up to {MAX_ENTITY_TAGS} entity tags in double quotes, such as the ETag of an earlier answer"
        ),
    )
}

/// Reads a list such as `"a", W/"b"`. Tags may hold commas, so the list is read from the left. Empty elements are
/// skipped (section 5.6.1.2).
fn parse_list<'a>(text: &'a str, into: &mut Vec<Tag<'a>>) -> Option<()> {
    let next = |rest: &'a str| rest.trim_start_matches([',', ' ', '\t']);
    let mut rest = next(text.trim());
    while !rest.is_empty() {
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if into.len() == MAX_ENTITY_TAGS {
            return None;
        }
        into.push(Tag { weak, opaque });
        let after = after.trim_start();
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = next(after);
    }
    Some(())
}

/// Evaluates the conditions of a GET or HEAD in the order of section 13.2.2.
///
/// An `If-None-Match` that is not a list of entity tags names nothing that the client has. The answer is the content,
/// as for a cache that has nothing.
///
/// # Errors
/// Fails if an `If-Match` is not a list of entity tags.
pub fn evaluate_read(headers: &HeaderMap, validators: &Validators) -> Result<Outcome, Problem> {
    let modified = validators.modified.seconds();
    let date = |name| single(headers, &name).and_then(parse_date);
    if let Some(tags) = Tags::read(headers, &IF_MATCH)? {
        if !tags.include(&validators.sha256, true) {
            return Ok(Outcome::Failed);
        }
    } else if date(IF_UNMODIFIED_SINCE).is_some_and(|since| modified > since) {
        return Ok(Outcome::Failed);
    }
    if headers.contains_key(IF_NONE_MATCH) {
        let tags = Tags::read(headers, &IF_NONE_MATCH).ok().flatten();
        if tags.is_some_and(|tags| tags.include(&validators.sha256, false)) {
            return Ok(Outcome::NotModified);
        }
    } else if date(IF_MODIFIED_SINCE).is_some_and(|since| modified <= since) {
        return Ok(Outcome::NotModified);
    }
    Ok(Outcome::Proceed)
}

/// Returns `true` if a `Range` header applies (section 13.1.5): there is no `If-Range`, or it names exactly the
/// representation that would be sent.
#[must_use]
pub fn range_applies(headers: &HeaderMap, validators: &Validators) -> bool {
    if !headers.contains_key(IF_RANGE) {
        return true;
    }
    let Some(text) = single(headers, &IF_RANGE) else { return false };
    if text.starts_with('"') {
        text == entity_tag(&validators.sha256, validators.coding)
    } else {
        !text.starts_with("W/") && parse_date(text) == Some(validators.modified.seconds())
    }
}

/// Checks, before any look-up, that a replacement has its `If-Match`, in a valid form.
///
/// # Errors
/// 428 if the header is missing (RFC 6585, section 3), 400 if it is malformed.
pub fn check_replacement_form(headers: &HeaderMap) -> Result<(), Problem> {
    use super::problem::ProblemKind;
    if headers.contains_key(IF_MATCH) {
        return check_removal_form(headers);
    }
    Err(Problem::new(
        ProblemKind::PreconditionRequired,
        "`if-match`: a replacement names the revision that it replaces, by the ETag of the record; or `*` for \
         whichever is current",
    )
    .at("if-match"))
}

/// Checks, before any look-up, the form of the `If-Match` that a deletion may have.
///
/// # Errors
/// 400 if the header is malformed, or names nothing.
pub fn check_removal_form(headers: &HeaderMap) -> Result<(), Problem> {
    match Tags::read(headers, &IF_MATCH)? {
        Some(Tags::List(list)) if list.is_empty() => Err(malformed(&IF_MATCH)),
        _ => Ok(()),
    }
}

/// Checks the `If-Match` of a replacement against the current content.
///
/// # Errors
/// The errors of [`check_replacement_form`], and 412 if the condition does not hold.
pub fn check_write(headers: &HeaderMap, current: &Digest) -> Result<(), Problem> {
    check_replacement_form(headers)?;
    check_removal(headers, current)
}

/// Checks the `If-Match` that a deletion may have against the current content.
///
/// # Errors
/// 400 if the header is malformed, 412 if the condition does not hold.
pub fn check_removal(headers: &HeaderMap, current: &Digest) -> Result<(), Problem> {
    use super::problem::ProblemKind;
    let tag = entity_tag(current, None);
    match Tags::read(headers, &IF_MATCH)? {
        None => Ok(()),
        Some(tags) if tags.include(current, true) => Ok(()),
        Some(tags) => {
            let detail = if tags.include(current, false) {
                format!(
                    "`if-match`: this is the current ETag, {tag}, marked as weak with `W/`, and a weak tag never matches here \
                     (RFC 9110, section 13.1.1); a proxy that compresses answers may have weakened it; send it without `W/`"
                )
            } else {
                format!("`if-match`: the current ETag is {tag}; read again and decide anew")
            };
            Err(Problem::new(ProblemKind::PreconditionFailed, detail).at("if-match").etag(&tag))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn validators() -> Validators {
        Validators {
            sha256: Digest::of(b"x"),
            coding: None,
            modified: Timestamp::from_milliseconds(1_767_225_600_500),
        }
    }

    fn read(pairs: &[(http::HeaderName, String)]) -> Outcome {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        evaluate_read(&headers, &validators()).unwrap()
    }

    #[test]
    fn conditions_follow_the_order_of_the_rfc() {
        let tag = entity_tag(&validators().sha256, None);
        let gzip = entity_tag(&validators().sha256, Some(Coding::Gzip));
        let (before, same) = ("Wed, 31 Dec 2025 23:59:59 GMT", "Thu, 01 Jan 2026 00:00:00 GMT");
        let cases: Vec<(Vec<(http::HeaderName, String)>, Outcome)> = vec![
            (vec![], Outcome::Proceed),
            (vec![(IF_NONE_MATCH, tag.clone())], Outcome::NotModified),
            (vec![(IF_NONE_MATCH, gzip)], Outcome::NotModified),
            (vec![(IF_NONE_MATCH, format!("W/{tag}"))], Outcome::NotModified),
            (vec![(IF_NONE_MATCH, format!("\"a,b\" , W/\"c\",{tag}"))], Outcome::NotModified),
            (vec![(IF_NONE_MATCH, "*".into())], Outcome::NotModified),
            (vec![(IF_NONE_MATCH, "\"other\"".into())], Outcome::Proceed),
            (vec![(IF_NONE_MATCH, format!(",, \"a\" ,\t, {tag} ,"))], Outcome::NotModified),
            (vec![(IF_NONE_MATCH, " , ".into())], Outcome::Proceed),
            // This is not a list of tags, so it names nothing that the client has.
            (vec![(IF_NONE_MATCH, tag.trim_matches('"').into())], Outcome::Proceed),
            (vec![(IF_NONE_MATCH, format!("{tag} x"))], Outcome::Proceed),
            (vec![(IF_NONE_MATCH, "x".into()), (IF_MODIFIED_SINCE, same.into())], Outcome::Proceed),
            // Section 13.1.3: If-Modified-Since is ignored if If-None-Match is present.
            (vec![(IF_NONE_MATCH, "\"other\"".into()), (IF_MODIFIED_SINCE, same.into())], Outcome::Proceed),
            (vec![(IF_MODIFIED_SINCE, same.into())], Outcome::NotModified),
            (vec![(IF_MODIFIED_SINCE, before.into())], Outcome::Proceed),
            (vec![(IF_MODIFIED_SINCE, "yesterday".into())], Outcome::Proceed),
            (vec![(IF_MATCH, tag.clone())], Outcome::Proceed),
            (vec![(IF_MATCH, format!("W/{tag}"))], Outcome::Failed),
            (vec![(IF_MATCH, "*".into())], Outcome::Proceed),
            (vec![(IF_MATCH, "\"other\"".into()), (IF_NONE_MATCH, tag.clone())], Outcome::Failed),
            (vec![(IF_UNMODIFIED_SINCE, before.into())], Outcome::Failed),
            (vec![(IF_UNMODIFIED_SINCE, same.into())], Outcome::Proceed),
            (vec![(IF_MATCH, tag), (IF_UNMODIFIED_SINCE, before.into())], Outcome::Proceed),
        ];
        for (headers, expected) in cases {
            assert_eq!(read(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_may_stand_once_and_stands_twice_is_ignored() {
        let date = |text: &'static str| HeaderValue::from_static(text);
        let (before, same) = ("Wed, 31 Dec 2025 23:59:59 GMT", "Thu, 01 Jan 2026 00:00:00 GMT");
        for (name, value) in [(IF_MODIFIED_SINCE, same), (IF_UNMODIFIED_SINCE, before)] {
            let mut headers = HeaderMap::from_iter([(name.clone(), date(value))]);
            assert_ne!(evaluate_read(&headers, &validators()), Ok(Outcome::Proceed), "{name}");
            headers.append(&name, date(value));
            assert_eq!(evaluate_read(&headers, &validators()), Ok(Outcome::Proceed), "{name}");
        }
        let mut headers = HeaderMap::from_iter([(IF_RANGE, date(same))]);
        assert!(range_applies(&headers, &validators()));
        headers.append(IF_RANGE, date(same));
        assert!(!range_applies(&headers, &validators()));
    }

    #[test]
    fn if_range_wants_the_exact_representation() {
        let tag = entity_tag(&validators().sha256, None);
        for (value, expected) in [
            (tag.clone(), true),
            (entity_tag(&validators().sha256, Some(Coding::Gzip)), false),
            (format!("W/{tag}"), false),
            ("Thu, 01 Jan 2026 00:00:00 GMT".to_owned(), true),
            ("Thu, 01 Jan 2026 00:00:01 GMT".to_owned(), false),
            ("nonsense".to_owned(), false),
        ] {
            let headers = HeaderMap::from_iter([(IF_RANGE, value.parse().unwrap())]);
            assert_eq!(range_applies(&headers, &validators()), expected, "{value}");
        }
        assert!(range_applies(&HeaderMap::new(), &validators()));
    }

    #[test]
    fn a_replacement_names_what_it_replaces() {
        let check = |value: Option<&str>| {
            let headers = value.map(|value| (IF_MATCH, value.parse().unwrap())).into_iter().collect();
            check_write(&headers, &validators().sha256).map_err(|problem| problem.kind.status().as_u16())
        };
        assert_eq!(check(None), Err(428));
        assert_eq!(check(Some("\"other\"")), Err(412));
        for malformed in ["", " , ", "abc", "\"abc", "\"a\" \"b\"", "\"a\";", "W\"a\""] {
            assert_eq!(check(Some(malformed)), Err(400), "{malformed}");
        }
        assert_eq!(check(Some(&vec!["\"a\""; MAX_ENTITY_TAGS + 1].join(","))), Err(400));
        assert_eq!(check(Some(&entity_tag(&validators().sha256, None))), Ok(()));
        assert_eq!(check(Some("*")), Ok(()));
    }

    #[test]
    fn a_weakened_tag_is_told_apart_from_an_earlier_one() {
        let refused = |value: &str| {
            let headers = HeaderMap::from_iter([(IF_MATCH, value.parse().unwrap())]);
            check_removal(&headers, &validators().sha256).unwrap_err()
        };
        let tag = entity_tag(&validators().sha256, None);
        for weak in [format!("W/{tag}"), format!("\"other\", W/{tag}")] {
            let problem = refused(&weak);
            assert_eq!(problem.kind.status().as_u16(), 412);
            assert!(problem.detail.contains("without `W/`"), "{weak}: {}", problem.detail);
        }
        for other in ["\"other\"", "W/\"other\""] {
            assert!(refused(other).detail.contains("read again and decide anew"), "{other}");
        }
    }
}
