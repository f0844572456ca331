//! Documents about the service itself.

use super::Route;
use super::operation::Operation;
use super::path::{Endpoint, Path, READ_ONLY};
use crate::access::Scope;

/// A document about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Documents {
    /// `GET /v1/health`.
    Health,
    /// `GET /v1/stats`.
    Stats,
    /// `GET /v1/openapi.json`.
    OpenApi,
}

const SHOW_HEALTH: Operation = Operation::open("health");
// The statistics are sums over all tenants.
const STATS: Operation = Operation::needing(Scope::Operator, "stats");
const OPEN_API: Operation = Operation::public_read("openapi");

pub(super) const OPERATIONS: &[Operation] = &[SHOW_HEALTH, STATS, OPEN_API];

/// The path of the only document that the CDN domain has too.
pub(super) const HEALTH: Path = Path {
    segments: &["health"],
    allow: READ_ONLY,
    endpoints: &[Endpoint::get(SHOW_HEALTH, |_| Ok(Route::Documents(Documents::Health)))],
};

pub(super) const PATHS: &[Path] = &[
    HEALTH,
    Path {
        segments: &["stats"],
        allow: READ_ONLY,
        endpoints: &[Endpoint::get(STATS, |_| Ok(Route::Documents(Documents::Stats)))],
    },
    Path {
        segments: &["openapi.json"],
        allow: READ_ONLY,
        endpoints: &[Endpoint::get(OPEN_API, |_| Ok(Route::Documents(Documents::OpenApi)))],
    },
];

impl Documents {
    pub(super) const fn operation(self) -> Operation {
        match self {
            Self::Health => SHOW_HEALTH,
            Self::Stats => STATS,
            Self::OpenApi => OPEN_API,
        }
    }
}
