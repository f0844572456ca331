//! The header that identifies an answer as the API's own.

use http::HeaderName;

/// The header in every answer of the API, with its version. No gateway, proxy or web server in its place sends it, and
/// neither does the edge.
pub const MARK: HeaderName = HeaderName::from_static("credlink-api");
