//! The body of `POST /v1/uploads/{id}/parts`, which asks for the addresses of parts.

use serde::Deserialize;

use super::{Part, Plan};
use crate::bounds::{MAX_JSON_DEPTH, MAX_PART_ADDRESSES};
use crate::http::problem::Problem;
use crate::rules::body::{json, whole};

/// The body of `POST /v1/uploads/{id}/parts`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartsBody {
    /// The numbers of the parts, from 1: up to 100. A file that is sent by a single `PUT` has the part 1.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<u32>, min_items = 1, max_items = 100))]
    numbers: Vec<serde_json::Number>,
}

impl PartsBody {
    /// Reads the body, and returns the parts of a file with this plan that it asks for, each once and in order.
    ///
    /// # Errors
    /// 400 if the body is malformed, or names no part, too many, or one that there is not.
    pub fn parse(body: &[u8], plan: &Plan) -> Result<Vec<Part>, Problem> {
        let Self { numbers } = json(body, MAX_JSON_DEPTH)?;
        if !(1..=MAX_PART_ADDRESSES).contains(&numbers.len()) {
            let detail = format!("1 to {MAX_PART_ADDRESSES} numbers; these are {}", numbers.len());
            return Err(Problem::field("numbers", detail));
        }
        let part = |number: &serde_json::Number| {
            let found = whole(number).and_then(|number| plan.part(u32::try_from(number).ok()?));
            let detail = || format!("numbers of parts, from 1 to {}, not {number}", plan.count());
            found.ok_or_else(|| Problem::field("numbers", detail()))
        };
        let mut parts: Vec<Part> = numbers.iter().map(part).collect::<Result<_, _>>()?;
        parts.sort_unstable_by_key(|part| part.number);
        parts.dedup_by_key(|part| part.number);
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::MAX_PUT_BYTES;

    #[test]
    fn parts_are_asked_for_by_their_numbers() {
        let plan = Plan::of(MAX_PUT_BYTES + 1);
        let numbers = |body: &str| {
            let parts = PartsBody::parse(body.as_bytes(), &plan);
            parts.map(|parts| parts.iter().map(|part| part.number).collect::<Vec<_>>())
        };
        assert_eq!(numbers(r#"{"numbers":[2,1.0,2]}"#), Ok(vec![1, 2]));
        let count = plan.count();
        for bad in [
            r#"{"numbers":[]}"#.to_owned(),
            r#"{"numbers":[0]}"#.to_owned(),
            format!(r#"{{"numbers":[{}]}}"#, count + 1),
            format!(r#"{{"numbers":{:?}}}"#, vec![1; 101]),
            r#"{"numbers":[-1]}"#.to_owned(),
            r#"{"numbers":[1.5]}"#.to_owned(),
            r#"{"numbers":[4294967297]}"#.to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
        ] {
            assert!(numbers(&bad).is_err(), "{bad}");
        }
        let put = PartsBody::parse(br#"{"numbers":[1]}"#, &Plan::of(7)).unwrap();
        assert_eq!(put, [Part { number: 1, range: 0..7 }]);
    }
}
