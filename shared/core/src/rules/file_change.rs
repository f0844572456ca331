//! Changes to a file: the body of `PATCH /v1/files/{id}`, and the record that comes of it.

use serde::{Deserialize, Deserializer};

use super::body::{json, whole};
use super::renditions::RenditionPlan;
use super::store::tags::{Tags, tags};
use crate::audit::is_audited;
use crate::bounds::{MAX_ALT_CHARS, MAX_JSON_DEPTH, MAX_LIFETIME_SECONDS};
use crate::collection::Collection;
use crate::file::{Access, FocalPoint};
use crate::file_record::FileRecord;
use crate::http::problem::Problem;
use crate::time::Timestamp;

/// The body of `PATCH /v1/files/{id}` (RFC 7396): a member that is missing stays as it is, and `null` removes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileChangeBody {
    /// The readers. The collection may forbid to widen them.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Access))]
    access: Option<Option<Access>>,
    /// The point of the picture that a crop keeps.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FocalPoint>))]
    focal: Option<Option<FocalPoint>>,
    /// The description of a picture for those who do not see it.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 1000))]
    alt: Option<Option<String>>,
    /// The tags, all together.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, String>>))]
    tags: Option<Option<Tags>>,
    /// The lifetime of the file from now on, in seconds. `null` lets it live for ever, if its collection does.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    expires_in: Option<Option<serde_json::Number>>,
}

/// Reads a member that is there, so that `null` differs from nothing.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The outcome of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// The next record.
    pub record: FileRecord,
    /// `true` if renditions have to be made again: parts of the picture are cut around another point.
    pub cuts_anew: bool,
}

/// Returns what the body of `PATCH /v1/files/{id}` makes of `record` at `now`, or `None` if it is so already. `collection`
/// has the present rules, or is `None` if there are no longer any: then access may only be narrowed.
///
/// # Errors
/// 400 with what is wrong.
pub fn change(
    body: &[u8],
    record: &FileRecord,
    collection: Option<&Collection>,
    now: Timestamp,
) -> Result<Option<ChangedFile>, Problem> {
    let body: FileChangeBody = json(body, MAX_JSON_DEPTH)?;
    let mut next = record.clone();
    if let Some(access) = body.access {
        let Some(access) = access else {
            let detail = "it cannot be removed; allowed is `public`, `authenticated` or `private`";
            return Err(Problem::field("access", detail));
        };
        let widest = collection.map_or(record.access, Collection::widest_access);
        if access > widest && access > record.access {
            let name = &record.collection.name;
            let detail = format!("a file of the collection `{name}` is at most `{widest}`, not `{access}`");
            return Err(Problem::field("access", detail));
        }
        next.access = access;
        next.audited = is_audited(access, collection.map(|rules| rules.access));
    }
    if let Some(focal) = body.focal {
        next.focal = focal;
    }
    if let Some(alt) = body.alt {
        next.alt = alt.map(description).transpose()?;
    }
    if let Some(given) = body.tags {
        next.tags = given.map(tags).transpose()?.unwrap_or_default();
    }
    if let Some(expires_in) = body.expires_in {
        next.expires = expiry(expires_in, record, collection, now)?;
    }
    if next == *record {
        return Ok(None);
    }
    next.revision = record.revision.saturating_add(1);
    let cuts_anew = cuts_otherwise(&next, record, collection);
    Ok(Some(ChangedFile { record: next, cuts_anew }))
}

/// Returns `true` if a body that is valid says who may read the file, even if it is so already.
#[must_use]
pub fn names_access(body: &[u8]) -> bool {
    json::<FileChangeBody>(body, MAX_JSON_DEPTH).is_ok_and(|body| body.access.is_some())
}

/// Returns `true` if parts of the picture are cut around another point than before. If the collection was removed, nobody
/// knows which.
fn cuts_otherwise(next: &FileRecord, record: &FileRecord, collection: Option<&Collection>) -> bool {
    let point = |record: &FileRecord| record.focal.unwrap_or(FocalPoint::CENTRE);
    let Some(rules) = collection else { return point(next) != point(record) };
    let (width, height) = (record.width.unwrap_or_default(), record.height.unwrap_or_default());
    let plan = |record: &FileRecord| RenditionPlan::of(rules, record.kind, width, height, point(record)).made;
    plan(next) != plan(record)
}

fn description(text: String) -> Result<String, Problem> {
    let is_plain = !text.chars().any(|character| character.is_control() && character != '\n');
    if is_plain && (1..=MAX_ALT_CHARS).contains(&text.chars().count()) {
        return Ok(text);
    }
    let detail = format!("a text of 1 to {MAX_ALT_CHARS} characters without control characters, or `null`");
    Err(Problem::field("alt", detail))
}

/// Returns the instant at which the file expires. No file of a collection with a lifetime outlives that.
fn expiry(
    expires_in: Option<serde_json::Number>,
    record: &FileRecord,
    collection: Option<&Collection>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Problem> {
    let last = collection.and_then(|rules| rules.expires_in).map(|life| record.created.plus_seconds(life));
    let Some(number) = expires_in else { return Ok(last) };
    let seconds = whole(&number).filter(|seconds| (1..=MAX_LIFETIME_SECONDS).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        let detail =
            format!("a whole number of seconds from 1 to {MAX_LIFETIME_SECONDS}, or `null`, not {number}");
        Problem::field("expires_in", detail)
    })?;
    let expires = now.plus_seconds(seconds);
    match last {
        Some(last) if expires > last => {
            let detail =
                format!("files of the collection `{}` expire, this one on {last}", record.collection.name);
            Err(Problem::field("expires_in", detail))
        }
        _ => Ok(Some(expires)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Collections;
    use crate::file_record::tests::record;

    fn rules(name: &str) -> Collection {
        Collections::default().get(&name.parse().unwrap()).unwrap().clone()
    }

    fn changed(body: &str) -> Result<Option<ChangedFile>, Problem> {
        change(body.as_bytes(), &record(), Some(&rules("item-photo")), record().created)
    }

    #[test]
    fn access_is_named_whether_it_changes_or_not() {
        for (body, expected) in [
            (r#"{"access":"public"}"#, true),
            (r#"{"access":"private","alt":null}"#, true),
            (r#"{"alt":"access"}"#, false),
            ("{}", false),
            ("access", false),
        ] {
            assert_eq!(names_access(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn what_is_missing_stays_and_null_removes() {
        let same = r#"{"access":"public","alt":"A red bicycle","focal":{"x":0.5,"y":0.5},"tags":{"season":"spring"}}"#;
        for body in ["{}", same] {
            assert_eq!(changed(body), Ok(None), "{body}");
        }
        for (body, expected, cuts_anew) in [
            (
                r#"{"access":"private"}"#,
                FileRecord { access: Access::Private, audited: true, ..record() },
                false,
            ),
            (r#"{"alt":null}"#, FileRecord { alt: None, ..record() }, false),
            (r#"{"alt":"Käse\n7"}"#, FileRecord { alt: Some("Käse\n7".to_owned()), ..record() }, false),
            (r#"{"tags":null}"#, FileRecord { tags: Default::default(), ..record() }, false),
            (r#"{"tags":{}}"#, FileRecord { tags: Default::default(), ..record() }, false),
            (r#"{"focal":null}"#, FileRecord { focal: None, ..record() }, false),
            (
                r#"{"focal":{"x":0,"y":1}}"#,
                FileRecord { focal: Some(FocalPoint::new(0.0, 1.0).unwrap()), ..record() },
                false,
            ),
            (r#"{"expires_in":null}"#, FileRecord { expires: None, ..record() }, false),
            (
                r#"{"expires_in":60.0}"#,
                FileRecord { expires: Some(record().created.plus_seconds(60)), ..record() },
                false,
            ),
        ] {
            let found = changed(body).unwrap().expect(body);
            assert_eq!(
                found,
                ChangedFile { record: FileRecord { revision: 3, ..expected }, cuts_anew },
                "{body}"
            );
        }
    }

    #[test]
    fn renditions_are_made_again_if_a_part_is_cut_otherwise() {
        let squares = rules("profile-photo");
        for (rules, focal, expected) in [
            (Some(&squares), r#"{"x":0.3,"y":0.5}"#, true),
            // All of the height is in the square, and the point beside the centre cuts the same one.
            (Some(&squares), r#"{"x":0.5,"y":1}"#, false),
            (Some(&squares), r#"{"x":0.505,"y":0}"#, false),
            (Some(&rules("item-photo")), r#"{"x":0.3,"y":0.5}"#, false),
            (None, r#"{"x":0.3,"y":0.5}"#, true),
        ] {
            let body = format!(r#"{{"focal":{focal}}}"#);
            let found = change(body.as_bytes(), &record(), rules, record().created).unwrap().unwrap();
            assert_eq!(found.cuts_anew, expected, "{focal}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (body, field, part) in [
            (r#"{"access":"all"}"#, "access", "`public`, `authenticated` or `private`, not `all`"),
            (r#"{"focal":{"x":2,"y":0}}"#, "focal", "each a number from 0 to 1"),
            (r#"{"alt":""}"#, "alt", "a text of 1 to 1000 characters"),
            (r#"{"alt":"\u0000"}"#, "alt", "without control characters"),
            (r#"{"tags":{"":"x"}}"#, "tags.", "a tag has a key of 1 to"),
            (r#"{"tags":{"a":"1","a":"2"}}"#, "tags", "given twice"),
            (r#"{"expires_in":0}"#, "expires_in", "a whole number of seconds from 1 to"),
            (r#"{"owner":"bob"}"#, "owner", "unknown field `owner`"),
        ] {
            let problem = changed(body).expect_err(body);
            assert_eq!(problem.field.as_deref(), Some(field), "{problem}");
            assert!(problem.detail.contains(part), "{problem}\nwithout {part}");
        }
        let private = FileRecord { access: Access::Private, ..record() };
        let documents = rules("verification-document");
        for (rules, access, is_allowed) in [
            (Some(&documents), "public", false),
            (Some(&documents), "private", true),
            (None, "authenticated", false),
            (None, "private", true),
        ] {
            let body = format!(r#"{{"access":"{access}"}}"#);
            let found = change(body.as_bytes(), &private, rules, record().created);
            assert_eq!(found.is_ok(), is_allowed, "{access}");
        }
        let temporary = rules("temp");
        let ask = |seconds: u64| {
            let body = format!(r#"{{"expires_in":{seconds}}}"#);
            change(body.as_bytes(), &record(), Some(&temporary), record().created)
        };
        assert!(ask(86_400).is_ok());
        assert!(ask(86_401).unwrap_err().detail.contains("files of the collection `item-photo` expire"));
    }
}
