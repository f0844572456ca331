//! The header by which an answer is known to be the API's own.

use http::HeaderName;

/// In every answer of the API, with its version: what no gateway, proxy or web server in its place says. The edge does not say it.
pub const MARK: HeaderName = HeaderName::from_static("credlink-api");
