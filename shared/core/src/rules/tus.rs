//! Uploads by [tus 1.0.0](https://tus.io/protocols/resumable-upload): what the headers of a request say.
//!
//! | to find | look in |
//! |---|---|
//! | the paths, and the request that is asked for | [`TusRoute`] |
//! | the version, the length and the place of bytes | [`check_version`], [`length`], [`offset`] |
//! | `Upload-Metadata`, and the announcement that it is | [`metadata`] |
//! | `Upload-Checksum` | [`checksum`] |
//! | the values of `Tus-Extension` and others | the constants here |
//!
//! Of the extensions, these are left out: `creation-defer-length`, because quotas are reserved with the announcement;
//! `concatenation`, because [`Plan`](super::upload::Plan) has parts that arrive in any order; and `checksum-trailer`.

pub mod checksum;
pub mod metadata;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::file::UploadId;
use crate::http::problem::{Problem, ProblemKind};

/// The version of the protocol.
pub const VERSION: &str = "1.0.0";
/// The extensions, as `Tus-Extension` lists them.
pub const EXTENSIONS: &str = "creation,creation-with-upload,expiration,termination,checksum";
/// The path at which uploads are created. Each has its ID as the next segment.
pub const PATH: &str = "/v1/tus";
/// The content type of a body with bytes of an upload.
pub const OFFSET_TYPE: &str = "application/offset+octet-stream";

/// The version of a request or an answer.
pub const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// The versions of the server.
pub const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
/// The extensions of the server.
pub const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
/// The longest upload.
pub const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
/// The checksums of the server.
pub const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
/// The number of bytes that have arrived.
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// The number of bytes of the upload.
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// The time at which an unfinished upload expires.
pub const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
/// The announcement of an upload whose length is not known.
pub const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
/// The method that is meant, from a client that can only send others.
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// A request of the protocol, by its method and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TusRoute {
    /// `OPTIONS`: what the server can do.
    Options,
    /// `POST`: an upload is created, perhaps with its first bytes.
    Create,
    /// `HEAD`: the place at which an upload goes on.
    Show(UploadId),
    /// `PATCH`: the next bytes of an upload.
    Append(UploadId),
    /// `DELETE`: the end of an upload.
    Terminate(UploadId),
}

impl TusRoute {
    /// Returns `true` if a path belongs to the protocol.
    #[must_use]
    pub fn is_at(path: &str) -> bool {
        path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Reads the head of a request at a path of the protocol.
    ///
    /// # Errors
    /// 404 if the path is not one of an upload, and 405 if it does not take the method.
    pub fn parse(method: &Method, path: &str, headers: &HeaderMap) -> Result<Self, Problem> {
        let rest = path.strip_prefix(PATH).unwrap_or_default().trim_start_matches('/');
        // The override is for clients that can send GET and POST alone.
        let meant = headers.get(METHOD_OVERRIDE).filter(|_| *method == Method::POST);
        let method = meant.map_or(method.as_str(), |meant| meant.to_str().unwrap_or_default());
        if rest.is_empty() {
            return match method {
                "OPTIONS" => Ok(Self::Options),
                "POST" => Ok(Self::Create),
                _ => Err(Problem::method_not_allowed(method, "POST, OPTIONS")),
            };
        }
        if method == "OPTIONS" {
            return Ok(Self::Options);
        }
        let absent = || Problem::new(ProblemKind::NotFound, "there is no such upload");
        let id = rest.parse().map_err(|_| absent())?;
        match method {
            "HEAD" => Ok(Self::Show(id)),
            "PATCH" => Ok(Self::Append(id)),
            "DELETE" => Ok(Self::Terminate(id)),
            _ => Err(Problem::method_not_allowed(method, "HEAD, PATCH, DELETE, OPTIONS")),
        }
    }

    /// Returns the methods of the path of this request.
    #[must_use]
    pub fn allow(path: &str) -> &'static str {
        if path.trim_end_matches('/') == PATH { "POST, OPTIONS" } else { "HEAD, PATCH, DELETE, OPTIONS" }
    }

    /// Returns a short name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Options => "tus_options",
            Self::Create => "tus_create",
            Self::Show(_) => "tus_show",
            Self::Append(_) => "tus_append",
            Self::Terminate(_) => "tus_terminate",
        }
    }
}

/// Refuses a request of another version. Every request but `OPTIONS` states one.
///
/// # Errors
/// 412 with `Tus-Version`.
pub fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version.as_bytes() == VERSION.as_bytes() => Ok(()),
        _ => {
            let detail = format!("`tus-resumable`: this server supports {VERSION}");
            let mut problem = Problem::new(ProblemKind::UnsupportedVersion, detail).at("tus-resumable");
            problem.headers.push((TUS_VERSION, HeaderValue::from_static(VERSION)));
            Err(problem)
        }
    }
}

/// Returns the length of a new upload.
///
/// # Errors
/// 400 if it is missing, deferred or not a number.
pub fn length(headers: &HeaderMap) -> Result<u64, Problem> {
    if headers.contains_key(UPLOAD_DEFER_LENGTH) {
        let detail = "the length of an upload is stated when it is created, in `upload-length`";
        return Err(Problem::field("upload-defer-length", detail));
    }
    number(headers, &UPLOAD_LENGTH)
}

/// Returns the place at which the bytes of a request begin.
///
/// # Errors
/// 400 if it is missing or not a number.
pub fn offset(headers: &HeaderMap) -> Result<u64, Problem> {
    number(headers, &UPLOAD_OFFSET)
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Problem> {
    let given = headers.get(name).and_then(|value| value.to_str().ok());
    let digits = given.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| Problem::field(name.as_str(), "a number of bytes, in decimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        let id = UploadId::from_random([5; 20]);
        let path = format!("{PATH}/{id}");
        let none = HeaderMap::new();
        let mut meant = HeaderMap::new();
        meant.insert(METHOD_OVERRIDE, HeaderValue::from_static("PATCH"));
        let parse = |method: &Method, path: &str, headers: &HeaderMap| {
            TusRoute::parse(method, path, headers).map_err(|problem| problem.kind.status().as_u16())
        };
        assert_eq!(parse(&Method::POST, PATH, &none), Ok(TusRoute::Create));
        assert_eq!(parse(&Method::POST, "/v1/tus/", &none), Ok(TusRoute::Create));
        assert_eq!(parse(&Method::OPTIONS, PATH, &none), Ok(TusRoute::Options));
        assert_eq!(parse(&Method::OPTIONS, &path, &none), Ok(TusRoute::Options));
        assert_eq!(parse(&Method::HEAD, &path, &none), Ok(TusRoute::Show(id)));
        assert_eq!(parse(&Method::PATCH, &path, &none), Ok(TusRoute::Append(id)));
        assert_eq!(parse(&Method::DELETE, &path, &none), Ok(TusRoute::Terminate(id)));
        assert_eq!(parse(&Method::POST, &path, &meant), Ok(TusRoute::Append(id)));
        assert_eq!(parse(&Method::DELETE, &path, &meant), Ok(TusRoute::Terminate(id)));
        assert_eq!(parse(&Method::GET, &path, &none), Err(405));
        assert_eq!(parse(&Method::PATCH, PATH, &none), Err(405));
        assert_eq!(parse(&Method::HEAD, "/v1/tus/x", &none), Err(404));
        assert_eq!(parse(&Method::HEAD, &format!("{path}/x"), &none), Err(404));
        for (at, is_at) in [(PATH, true), (path.as_str(), true), ("/v1/tusk", false), ("/tus", false)] {
            assert_eq!(TusRoute::is_at(at), is_at, "{at}");
        }
    }

    #[test]
    fn numbers_are_digits() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1.0", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(UPLOAD_OFFSET, HeaderValue::from_str(text).unwrap());
            assert_eq!(offset(&headers).ok(), expected, "{text:?}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(length(&headers).unwrap_err().field.as_deref(), Some("upload-length"));
        headers.insert(UPLOAD_LENGTH, HeaderValue::from_static("5"));
        assert_eq!(length(&headers), Ok(5));
        headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1"));
        assert_eq!(length(&headers).unwrap_err().field.as_deref(), Some("upload-defer-length"));
    }

    #[test]
    fn versions_are_exact() {
        let mut headers = HeaderMap::new();
        assert_eq!(check_version(&headers).unwrap_err().kind.status().as_u16(), 412);
        headers.insert(TUS_RESUMABLE, HeaderValue::from_static("0.2.2"));
        assert!(check_version(&headers).is_err());
        headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
        assert_eq!(check_version(&headers), Ok(()));
    }
}
