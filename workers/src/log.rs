//! The log: one line of JSON a request, and one for each failure. No query is in it, and no credential.

use serde::Serialize;

use crate::request::Asked;
use crate::runtime;

/// How an answer came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheState {
    /// Without any object.
    #[default]
    None,
    /// By a fresh entry of the cache.
    Hit,
    /// By a stale one, which is checked afterwards.
    Stale,
    /// By an old one, as R2 and the origin are out of reach.
    Error,
    /// By an entry that says that nothing is there.
    Absent,
    /// From R2 or the origin, and kept.
    Miss,
    /// From R2 or the origin, and not kept.
    #[serde(rename = "miss")]
    Uncached,
    /// By R2 or the origin, which were asked about an old entry.
    Revalidated,
}

impl CacheState {
    /// `Cache-Status` (RFC 9211), where an object was asked for.
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

/// What is said of a request.
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

/// What is said of a failure.
#[derive(Serialize)]
struct Failure<'a> {
    level: &'static str,
    message: &'a str,
    request_id: &'a str,
    reason: &'a str,
}

/// The line of a request that was answered with so many bytes.
pub fn request(asked: &Asked, route: &'static str, status: u16, cache: CacheState, bytes: u64) {
    let took = runtime::now().milliseconds().saturating_sub(asked.now.milliseconds());
    let line = Line {
        level: "info",
        message: "request",
        request_id: &asked.id,
        method: asked.method.as_str(),
        route,
        status,
        cache,
        bytes,
        latency_ms: u64::try_from(took).unwrap_or(0),
    };
    runtime::log(&serde_json::to_string(&line).unwrap_or_default());
}

/// The line of something that somebody has to look at.
pub fn failure(request_id: &str, message: &str, reason: &str) {
    let line = Failure { level: "error", message, request_id, reason };
    runtime::complain(&serde_json::to_string(&line).unwrap_or_default());
}
