//! Deleting many proofs, or many files, at once.

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::body::json;
use crate::bounds::{MAX_BATCH, MAX_JSON_DEPTH};
use crate::http::problem::Problem;

/// The body of `POST /v1/proofs/batch-delete` and of `POST /v1/files/batch-delete`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchDeleteBody {
    /// 1 to 1,000 IDs: of proofs, or of files, as the path says. A malformed ID fails by itself.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, min_items = 1, max_items = 1000))]
    ids: Ids,
}

/// IDs as they are written: no more than the bound, and the number that there are.
struct Ids {
    kept: Vec<String>,
    count: usize,
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Ids;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of ids")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ids, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < MAX_BATCH
                    && let Some(id) = list.next_element()?
                {
                    kept.push(id);
                }
                let mut count = kept.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Ids { kept, count })
            }
        }

        deserializer.deserialize_seq(Each)
    }
}

impl BatchDeleteBody {
    /// Reads a body, and returns the IDs in it.
    ///
    /// # Errors
    /// 400, with what is wrong. A malformed ID is not an error here: it fails by itself.
    pub fn parse(body: &[u8]) -> Result<Vec<String>, Problem> {
        let Self { ids: Ids { kept, count } } = json(body, MAX_JSON_DEPTH)?;
        match count {
            1..=MAX_BATCH => Ok(kept),
            count => Err(Problem::field("ids", format!("1 to {MAX_BATCH} ids; these are {count}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded() {
        let ids = |count: usize| format!(r#"{{"ids":[{}]}}"#, vec![r#""x""#; count].join(","));
        assert_eq!(BatchDeleteBody::parse(ids(MAX_BATCH).as_bytes()).unwrap().len(), MAX_BATCH);
        for bad in [ids(0), ids(MAX_BATCH + 1), r#"{"ids":[1]}"#.to_owned(), "{}".to_owned()] {
            assert!(BatchDeleteBody::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
