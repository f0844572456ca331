//! Legacy ids: from one to the proof that it names.

use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};
use serde::Deserialize;

use super::body::json;
use crate::bounds::MAX_JSON_DEPTH;
use crate::http::problem::{Kind, Problem};
use crate::http::reply::Reply;
use crate::legacy::LegacyId;
use crate::proof_id::ProofId;

/// How long a redirect may be kept, in seconds: an hour. An id changes its proof only where that one is gone, or an operator
/// gives it to another.
pub const FRESH_SECONDS: u64 = 3_600;

/// The body of `PUT /v1/aliases/{legacy id}`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AliasBody {
    /// The proof that the id shall lead to.
    pub proof: ProofId,
    /// Whether it shall lead there wherever it leads or led before, whichever tenants these are. This needs the scope
    /// `operator`.
    #[serde(default)]
    pub reassign: bool,
}

impl AliasBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 with what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        json(body, MAX_JSON_DEPTH)
    }
}

/// The answer to a request of a legacy id that names `proof`: a redirect that keeps method and form (RFC 9110, section
/// 15.4.9), to a reference that is relative to the path (RFC 3986, section 4.2), so that it is right under every prefix.
#[must_use]
pub fn alias_reply(proof: &ProofId) -> Reply {
    Reply::empty(StatusCode::PERMANENT_REDIRECT)
        .with(LOCATION, &proof.to_string())
        .with(CACHE_CONTROL, &format!("public, max-age={FRESH_SECONDS}"))
}

/// The same for a proof that is private: a redirect that nobody keeps for others.
#[must_use]
pub fn private_alias_reply(proof: &ProofId) -> Reply {
    Reply::empty(StatusCode::PERMANENT_REDIRECT)
        .with(LOCATION, &proof.to_string())
        .with(CACHE_CONTROL, "private, no-store")
}

/// The answer when nothing has this id, and when what has it is not for the caller to read.
#[must_use]
pub fn alias_absent(id: &LegacyId) -> Problem {
    Problem::new(Kind::NotFound, format!("`{id}` is not a proof id, and no proof has it as its legacy id"))
}
