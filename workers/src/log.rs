//! The log: one line of JSON per request, and one per failure. The log contains no queries and no credentials.

use credlink_core::time::Timestamp;
use serde::Serialize;

use crate::request::Asked;
use crate::runtime;

/// The part that the cache played in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheState {
    /// No object was involved.
    #[default]
    None,
    /// A fresh entry.
    Hit,
    /// A stale entry, which is checked afterwards.
    Stale,
    /// An old entry, because R2 and the origin are out of reach.
    Error,
    /// An entry that records an absence.
    Absent,
    /// R2 or the origin, and the result is cached.
    Miss,
    /// R2 or the origin, and the result is not cached.
    #[serde(rename = "miss")]
    Uncached,
    /// R2 or the origin, which were asked to confirm an old entry.
    Revalidated,
}

impl CacheState {
    /// Returns the value of `Cache-Status` (RFC 9211), if an object was requested.
    pub const fn header(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Hit => Some("credlink; hit"),
            Self::Stale => Some("credlink; hit; detail=stale"),
            Self::Error => Some("credlink; hit; detail=error"),
            Self::Absent => Some("credlink; hit; detail=absent"),
            Self::Miss => Some("credlink; fwd=uri-miss; stored"),
            Self::Uncached => Some("credlink; fwd=uri-miss"),
            Self::Revalidated => Some("credlink; fwd=stale"),
        }
    }
}

/// Facts about a request for its log line, collected while it is answered.
#[derive(Clone, Copy, Default)]
pub struct Course {
    /// The name of the route, if there is one.
    pub route: Option<&'static str>,
    /// The part that the cache played.
    pub cache: CacheState,
}

/// The log line of a request.
#[derive(Serialize)]
struct Line<'a> {
    level: &'static str,
    message: &'static str,
    request_id: &'a str,
    method: &'a str,
    route: &'static str,
    status: u16,
    cache: CacheState,
    bytes: u64,
    latency_ms: u64,
}

/// The log line of a failure.
#[derive(Serialize)]
struct Failure<'a> {
    level: &'static str,
    message: &'a str,
    request_id: &'a str,
    reason: &'a str,
}

/// Returns the line of a request that is answered `now`; `bytes` is the length of the response's body.
pub fn request(asked: &Asked, course: Course, status: u16, bytes: u64, now: Timestamp) -> String {
    let Course { route, cache } = course;
    let took = now.milliseconds().saturating_sub(asked.now.milliseconds());
    let line = Line {
        level: "info",
        message: "request",
        request_id: &asked.id,
        method: asked.method.as_str(),
        route: route.unwrap_or("none"),
        status,
        cache,
        bytes,
        latency_ms: u64::try_from(took).unwrap_or(0),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// Logs a failure that needs an operator's attention.
pub fn failure(request_id: &str, message: &str, reason: &str) {
    let line = Failure { level: "error", message, request_id, reason };
    runtime::complain(&serde_json::to_string(&line).unwrap_or_default());
}
