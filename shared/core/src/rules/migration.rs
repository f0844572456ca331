//! Requests to begin a migration.

use serde::Deserialize;

use super::body::{json, whole};
use crate::bounds::{MAX_JSON_DEPTH, MAX_MESSAGE_ITEMS};
use crate::http::problem::Problem;
use crate::job_name::JobName;

/// The body of `POST /v1/migrations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MigrationBody {
    /// The job's name: 1 to 64 lower-case letters, digits, `-` and `_`.
    pub name: JobName,
    /// The source of the proofs, which must be on the operator's list: `s3://BUCKET/PREFIX` or `r2://BUCKET/PREFIX`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(s3|r2)://"))]
    pub from: String,
    /// Number of items in one message of the queue, 1 to 100. 100 by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>, minimum = 1, maximum = 100))]
    pub batch_size: Option<serde_json::Number>,
}

impl MigrationBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400, with what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let body: Self = json(body, MAX_JSON_DEPTH)?;
        match &body.batch_size {
            Some(size) if body.size().is_none() => Err(Problem::field(
                "batch_size",
                format!("a whole number of items from 1 to {MOST}, not {size}"),
            )),
            _ => Ok(body),
        }
    }

    /// Returns the number of items in one message, or `None` if the body asks for one out of bounds.
    fn size(&self) -> Option<u32> {
        let Some(size) = &self.batch_size else { return Some(MOST) };
        whole(size).and_then(|size| u32::try_from(size).ok()).filter(|size| (1..=MOST).contains(size))
    }

    /// Returns the number of items in one message.
    #[must_use]
    pub fn batch_size(&self) -> u32 {
        self.size().unwrap_or(MOST)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is 100")]
const MOST: u32 = MAX_MESSAGE_ITEMS as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_checked_member_by_member() {
        let body = MigrationBody::parse(br#"{"name":"a-1","from":"s3://old/x"}"#).unwrap();
        assert_eq!((body.name.as_str(), body.from.as_str(), body.batch_size()), ("a-1", "s3://old/x", 100));
        assert_eq!(
            MigrationBody::parse(br#"{"name":"a","from":"x","batch_size":7.0}"#).unwrap().batch_size(),
            7
        );
        for (body, field) in [
            (r#"{"name":"a","from":"x","batch_size":7.5}"#, "batch_size"),
            (r#"{"name":"a","from":"x","batch_size":"7"}"#, "batch_size"),
            (r#"{"name":"A","from":"x"}"#, "name"),
            (r#"{"name":"a"}"#, "from"),
            (r#"{"name":"a","from":7}"#, "from"),
            (r#"{"name":"a","from":"x","batch_size":0}"#, "batch_size"),
            (r#"{"name":"a","from":"x","batch_size":101}"#, "batch_size"),
            (r#"{"name":"a","from":"x","to":"y"}"#, "to"),
        ] {
            let problem = MigrationBody::parse(body.as_bytes()).unwrap_err();
            assert_eq!(problem.kind.status().as_u16(), 400, "{body}");
            assert!(problem.detail.contains(field), "{body}: {problem}");
        }
    }
}
