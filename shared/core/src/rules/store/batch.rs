//! Deleting many at once.

use serde::Deserialize;

use super::members::json;
use crate::bounds::{MAX_BATCH, MAX_JSON_DEPTH};
use crate::http::problem::Problem;

/// The body of `POST /v1/proofs/batch-delete`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchDeleteBody {
    /// 1 to 1,000 proof ids.
    pub ids: Vec<String>,
}

impl BatchDeleteBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 with what is wrong. A malformed id is no error here: it fails by itself.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let body: Self = json(body, MAX_JSON_DEPTH)?;
        match body.ids.len() {
            1..=MAX_BATCH => Ok(body),
            count => Err(Problem::field("ids", format!("1 to {MAX_BATCH} ids; these are {count}"))),
        }
    }
}
