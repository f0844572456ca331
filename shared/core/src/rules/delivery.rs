//! The delivery of a file's bytes: from its record, the name in the address and `Accept` to an object and its headers.
//!
//! That the caller may read it is decided before ([`file_access`](super::file_access)): `original` is another action than a
//! rendition.

use http::header::{
    ACCEPT, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, LAST_MODIFIED, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::cache_policy::CachePolicy;
use crate::collection::Cache;
use crate::file::{Access, FileType, Format, MediaName, ProfileName};
use crate::file_record::{RenditionRecord, ServedFile};
use crate::hash::Digest;
use crate::http::conditional::{
    Outcome, Validators, entity_tag, evaluate_read, http_date, range_applies, single,
};
use crate::http::negotiation::weight;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::range::{RequestedRange, wanted};
use crate::http::reply::{Body, Reply};
use crate::object::{MediaKey, ObjectKey};
use crate::rules::expiry::{expired, has_expired};
use crate::rules::file_access::Action;
use crate::time::Timestamp;

/// The header by which Cloudflare's cache is told what to purge an answer with.
pub const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// A part of a file that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The key of the object with the bytes.
    pub key: ObjectKey,
    /// The type of the bytes.
    pub kind: FileType,
    /// The number of bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// The cache policy.
    pub cache: CachePolicy,
    /// `true` if another `Accept` would get other bytes.
    pub varies: bool,
    /// The tags by which caches are told of a change.
    pub tags: [String; 2],
}

impl MediaName {
    /// Returns the action that reading this part of a file is.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::Original => Action::ReadOriginal,
            Self::Rendition(..) => Action::Read,
        }
    }
}

/// Returns the part of a file that `name` names, in the format that suits the client best.
///
/// # Errors
/// 404 if the file has no such part, and 410 if it has expired by `now`.
pub fn deliver(
    file: &ServedFile<'_>,
    name: &MediaName,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Delivery, Problem> {
    if let Some(expires) = file.expires.filter(|expires| has_expired(*expires, now)) {
        return Err(expired(expires));
    }
    let MediaName::Rendition(profile, format) = name else {
        return Ok(Delivery {
            key: ObjectKey::Media(MediaKey::Original(file.blob)),
            kind: file.kind,
            bytes: file.bytes,
            sha256: *file.media_hash.digest(),
            cache: file.cache_policy(file.kind, file.shows_original),
            varies: false,
            tags: file.purge_tags(),
        });
    };
    let own = file.same.get(profile).unwrap_or(profile);
    let made: Vec<&RenditionRecord> =
        file.renditions.iter().filter(|rendition| rendition.name.profile == *own).collect();
    let (found, varies) = match format {
        Some(format) => (made.iter().find(|rendition| rendition.name.format == *format), false),
        None => (best(&made, headers), made.len() > 1),
    };
    let rendition = found.ok_or_else(|| no_part(file, name))?;
    let kind = rendition.name.format.file_type();
    Ok(Delivery {
        key: ObjectKey::Media(MediaKey::Rendition(file.blob, rendition.name.clone())),
        kind,
        bytes: rendition.bytes,
        sha256: rendition.sha256,
        cache: file.cache_policy(kind, true),
        varies,
        tags: file.purge_tags(),
    })
}

impl ServedFile<'_> {
    /// Returns the policy for bytes of this type. An original that only its owner gets is kept by nobody, though the file
    /// is public. Stored objects have the same policy in their attributes.
    #[must_use]
    pub fn cache_policy(&self, kind: FileType, is_for_readers: bool) -> CachePolicy {
        match (self.access, self.cache) {
            (Access::Public, Cache::ByType) if is_for_readers => CachePolicy::of(kind.class()),
            _ => CachePolicy::Nothing,
        }
    }
}

/// Returns the rendition whose format the client likes best; of those that it likes as much, the smallest. A format that
/// not every reader shows is sent only to clients that name it. A client that accepts nothing of what there is gets what
/// every reader shows (RFC 9110, section 12.5.1, allows to disregard the header).
fn best<'a, 'b>(made: &'b [&'a RenditionRecord], headers: &HeaderMap) -> Option<&'b &'a RenditionRecord> {
    let rank = |rendition: &RenditionRecord| {
        let format = rendition.name.format;
        let weight = weight(headers, format.file_type().media_type());
        let is_shown = format.is_universal() || weight.is_named && weight.thousandths > 0;
        is_shown.then_some((weight.thousandths, smallness(format)))
    };
    made.iter()
        .filter_map(|made| Some((rank(made)?, made)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, made)| made)
}

/// Returns the order of formats by the size of the same picture: the last is the smallest.
const fn smallness(format: Format) -> u8 {
    match format {
        Format::Png => 0,
        Format::Jpeg => 1,
        Format::Webp => 2,
        Format::Avif => 3,
    }
}

fn no_part(file: &ServedFile<'_>, name: &MediaName) -> Problem {
    let mut profiles: Vec<&ProfileName> = Vec::new();
    for profile in file.renditions.iter().map(|made| &made.name.profile).chain(file.same.keys()) {
        // Sorting would be several kilobytes of the edge's program.
        if let Err(at) = profiles.binary_search(&profile) {
            profiles.insert(at, profile);
        }
    }
    let names: Vec<String> = profiles.into_iter().map(|profile| format!("`{profile}`")).collect();
    let there = if names.is_empty() {
        "it has no renditions".to_owned()
    } else {
        format!("it has {}", names.join(", "))
    };
    Problem::new(ProblemKind::NotFound, format!("the file {} has no `{name}`; {there}", file.id))
}

impl Delivery {
    /// Returns the answer to a `GET` or `HEAD` with these headers. Its body is described, not held. `created` is the time at
    /// which the file became ready.
    ///
    /// # Errors
    /// 412 and 416 as RFC 9110 requires, and 400 for a malformed `If-Match`.
    pub fn respond(
        &self,
        method: &Method,
        headers: &HeaderMap,
        created: Timestamp,
        is_download: bool,
    ) -> Result<Reply, Problem> {
        let validators = Validators { sha256: self.sha256, coding: None, modified: created };
        let reply = Reply { status: StatusCode::OK, headers: self.headers(is_download), body: Body::Empty };
        let mut reply = reply.with(LAST_MODIFIED, &http_date(created));
        match evaluate_read(headers, &validators)? {
            Outcome::Proceed => {}
            Outcome::NotModified => {
                reply.headers.remove(CONTENT_TYPE);
                return Ok(Reply { status: StatusCode::NOT_MODIFIED, ..reply });
            }
            Outcome::Failed => {
                let detail = "the content is not the one that was asked for";
                let problem = Problem::new(ProblemKind::PreconditionFailed, detail);
                return Err(problem.etag(&entity_tag(&self.sha256, None)));
            }
        }
        // Section 14.2: Range applies to GET only.
        let asked = single(headers, &RANGE)
            .filter(|_| *method == Method::GET && range_applies(headers, &validators))
            .map_or(RequestedRange::All, |header| wanted(header, self.bytes));
        let (range, length) = match asked {
            RequestedRange::All => (None, self.bytes),
            RequestedRange::Unsatisfiable => return Err(Problem::range_not_satisfiable(self.bytes)),
            RequestedRange::Part(part) => {
                let (first, last, length) = (part.start, part.end - 1, part.end - part.start);
                reply.status = StatusCode::PARTIAL_CONTENT;
                reply = reply.with(CONTENT_RANGE, &format!("bytes {first}-{last}/{}", self.bytes));
                (Some(part), length)
            }
        };
        reply = reply.with(ACCEPT_RANGES, "bytes").with(CONTENT_LENGTH, &length.to_string());
        if *method != Method::HEAD {
            reply.body = Body::Stored { decode: false, range };
        }
        Ok(reply)
    }

    /// Returns the headers of the answer, without those that follow from the bytes sent. `is_download` asks the browser to
    /// save the file instead of showing it.
    #[must_use]
    pub fn headers(&self, is_download: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(CONTENT_TYPE, self.kind.media_type());
        set(CACHE_CONTROL, self.cache.header());
        set(ETAG, &entity_tag(&self.sha256, None));
        // The content was checked, and a browser that guessed another type would be wrong.
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        if self.varies {
            set(VARY, ACCEPT.as_str());
        }
        if is_download {
            set(CONTENT_DISPOSITION, "attachment");
        }
        if self.cache != CachePolicy::Nothing {
            set(CACHE_TAG, &self.tags.join(","));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_record::FileRecord;
    use crate::file_record::tests::record;

    const CHROMIUM: &str = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";

    fn now() -> Timestamp {
        record().created
    }

    fn delivered(record: &FileRecord, name: &str, accept: &str) -> Result<Delivery, Problem> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(ACCEPT, accept.parse().unwrap());
        }
        deliver(&record.served(), &name.parse().unwrap(), &headers, now())
    }

    #[test]
    fn the_name_and_the_client_decide_the_rendition() {
        for (name, accept, end, varies) in [
            ("medium", CHROMIUM, "medium-2.webp", true),
            ("medium", "", "medium-2.jpg", true),
            ("medium", "*/*", "medium-2.jpg", true),
            ("medium", "image/*", "medium-2.jpg", true),
            ("medium", "image/webp", "medium-2.webp", true),
            ("medium", "image/webp;q=0.5, image/jpeg", "medium-2.jpg", true),
            ("medium", "image/webp, image/jpeg", "medium-2.webp", true),
            ("medium", "image/webp;q=0, */*", "medium-2.jpg", true),
            ("medium", "text/html", "medium-2.jpg", true),
            ("medium.jpg", CHROMIUM, "medium-2.jpg", false),
            ("medium.webp", "", "medium-2.webp", false),
            // The picture is too small for a large rendition of its own.
            ("large", CHROMIUM, "medium-2.webp", true),
            ("large.jpg", "", "medium-2.jpg", false),
            ("original", CHROMIUM, "original", false),
        ] {
            let found = delivered(&record(), name, accept).unwrap();
            assert_eq!(found.key.to_string(), format!("media/{}/{end}", record().blob), "{name} {accept}");
            assert_eq!(found.varies, varies, "{name} {accept}");
        }
        for name in ["huge", "medium.avif", "medium.png", "huge.jpg"] {
            let problem = delivered(&record(), name, "").unwrap_err();
            assert_eq!(problem.kind, ProblemKind::NotFound, "{name}");
            let there = format!("has no `{name}`; it has `large`, `medium`, `thumbnail`");
            assert!(problem.detail.ends_with(&there), "{problem}");
        }
        let bare = FileRecord { renditions: Vec::new(), same: Default::default(), ..record() };
        assert!(delivered(&bare, "medium", "").unwrap_err().detail.ends_with("it has no renditions"));
        let (record, none) = (record(), HeaderMap::new());
        let late = deliver(&record.served(), &MediaName::Original, &none, record.expires.unwrap());
        assert_eq!(late.unwrap_err().kind, ProblemKind::Expired);
    }

    #[test]
    fn the_headers_follow_from_file_and_kind() {
        let month = "public, max-age=2592000, immutable";
        let week = "public, max-age=604800, immutable";
        let none = "private, no-store";
        let pdf = FileRecord { kind: FileType::Pdf, shows_original: true, ..record() };
        let video = FileRecord { kind: FileType::Mp4, shows_original: true, ..record() };
        for (name, record, cache) in [
            ("medium", record(), month),
            ("original", record(), none),
            ("medium", FileRecord { access: Access::Authenticated, ..record() }, none),
            ("medium", FileRecord { access: Access::Private, ..record() }, none),
            ("medium", FileRecord { cache: Cache::None, ..record() }, none),
            ("original", pdf.clone(), week),
            ("original", FileRecord { access: Access::Private, ..pdf.clone() }, none),
            ("original", FileRecord { cache: Cache::None, ..pdf }, none),
            ("original", video, month),
        ] {
            let headers = delivered(&record, name, "").unwrap().headers(false);
            assert_eq!(headers[CACHE_CONTROL], cache, "{name} {:?} {}", record.kind, record.access);
            assert_eq!(headers.contains_key(CACHE_TAG), cache != none);
        }
        let headers = delivered(&record(), "large", CHROMIUM).unwrap().headers(true);
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        insta::assert_snapshot!("headers", lines.join("\n"));
        assert_eq!(MediaName::Original.action(), Action::ReadOriginal);
        assert_eq!("large".parse::<MediaName>().unwrap().action(), Action::Read);
    }

    #[test]
    fn conditions_and_ranges_decide_the_answer() {
        let found = delivered(&record(), "medium", "").unwrap();
        let (tag, length) = (entity_tag(&found.sha256, None), found.bytes);
        let ask = |method: &Method, pairs: &[(HeaderName, &str)]| {
            let headers: HeaderMap =
                pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
            found.respond(method, &headers, now(), false)
        };
        let whole = ask(&Method::GET, &[]).unwrap();
        assert_eq!((whole.status, whole.body), (StatusCode::OK, Body::Stored { decode: false, range: None }));
        assert_eq!(whole.headers[CONTENT_LENGTH], length.to_string().as_str());
        let part = ask(&Method::GET, &[(RANGE, "bytes=1-3")]).unwrap();
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.body, Body::Stored { decode: false, range: Some(1..4) });
        assert_eq!(part.headers[CONTENT_RANGE], format!("bytes 1-3/{length}").as_str());
        let other = [(RANGE, "bytes=1-3"), (http::header::IF_RANGE, "\"other\"")];
        assert_eq!(ask(&Method::GET, &other).unwrap().status, StatusCode::OK);
        let head = ask(&Method::HEAD, &[(RANGE, "bytes=1-3")]).unwrap();
        assert_eq!((head.status, head.body), (StatusCode::OK, Body::Empty));
        let beyond = ask(&Method::GET, &[(RANGE, &format!("bytes={length}-"))]).unwrap_err();
        assert_eq!(beyond.kind, ProblemKind::RangeNotSatisfiable);
        let known = ask(&Method::GET, &[(http::header::IF_NONE_MATCH, &tag)]).unwrap();
        assert_eq!((known.status, known.body), (StatusCode::NOT_MODIFIED, Body::Empty));
        let wrong = ask(&Method::GET, &[(http::header::IF_MATCH, "\"other\"")]).unwrap_err();
        assert_eq!(wrong.kind, ProblemKind::PreconditionFailed);
    }
}
