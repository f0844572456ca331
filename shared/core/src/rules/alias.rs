//! Legacy IDs: from an ID to the proof that it leads to.

use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};
use serde::Deserialize;

use super::body::json;
use crate::bounds::MAX_JSON_DEPTH;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::reply::Reply;
use crate::legacy::LegacyId;
use crate::proof_id::ProofId;

/// Freshness lifetime of a redirect, in seconds: an hour. An ID changes its proof only if that proof is gone, or an
/// operator reassigns the ID.
pub const FRESH_SECONDS: u64 = 3_600;

/// The body of `PUT /v1/aliases/{legacy id}`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AliasBody {
    /// The proof that the ID shall lead to.
    pub proof: ProofId,
    /// `true` if the ID shall lead there wherever it leads or led before, and whichever tenants these are. This needs
    /// the scope `operator`.
    #[serde(default)]
    pub reassign: bool,
}

impl AliasBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400, with what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        json(body, MAX_JSON_DEPTH)
    }
}

/// Returns the answer to a request for a legacy ID that leads to `proof`: a redirect that keeps method and form (RFC
/// 9110, section 15.4.9), to a reference relative to the path (RFC 3986, section 4.2), so that it is right under every
/// prefix.
#[must_use]
pub fn alias_reply(proof: &ProofId) -> Reply {
    Reply::empty(StatusCode::PERMANENT_REDIRECT)
        .with(LOCATION, &proof.to_string())
        .with(CACHE_CONTROL, &format!("public, max-age={FRESH_SECONDS}"))
}

/// Returns the answer for a private proof: a redirect that no shared cache keeps.
#[must_use]
pub fn private_alias_reply(proof: &ProofId) -> Reply {
    Reply::empty(StatusCode::PERMANENT_REDIRECT)
        .with(LOCATION, &proof.to_string())
        .with(CACHE_CONTROL, "private, no-store")
}

/// Returns the answer if nothing has this ID, or if the caller may not read what it leads to.
#[must_use]
pub fn alias_absent(id: &LegacyId) -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        format!("`{id}` is not a proof id, and no proof has it as its legacy id"),
    )
}
