//! The JSON body of a request, read within bounds.

use serde::Deserialize;
use serde_path_to_error::Segment;

use crate::bounds::MAX_JSON_TEXT_BYTES;
use crate::excerpt::excerpt;
use crate::http::problem::{Problem, ProblemKind};
use crate::json::{check_depth, check_texts, in_words_of_json};

/// The member of a body that may be longer than any other string: a C2PA manifest in base64.
pub(super) const LONG_MEMBER: &str = "manifest_base64";

/// Reads JSON of limited depth. An error names the path of what is wrong.
pub(super) fn json<'de, T: Deserialize<'de>>(body: &'de [u8], depth: usize) -> Result<T, Problem> {
    check_depth(body, depth).map_err(|error| Problem::new(ProblemKind::InvalidRequest, error.to_string()))?;
    check_texts(body, MAX_JSON_TEXT_BYTES, LONG_MEMBER)
        .map_err(|error| Problem::new(ProblemKind::InvalidRequest, error.to_string()))?;
    // serde also reads a struct from an array, member by member. No client means that.
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Problem::new(
            ProblemKind::InvalidRequest,
            "the body is invalid: it is not a JSON object",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let detail = in_words_of_json(&error.inner().to_string());
        // serde has one kind of error for everything that is wrong with data. Only its text says that a member is
        // unknown, and the path says which.
        let is_unknown = detail.starts_with("unknown field ");
        let member = match error.path().iter().next_back() {
            Some(Segment::Map { key }) if is_unknown => Some(key),
            _ => None,
        };
        match (member, path.as_str()) {
            (Some(member), _) => {
                let detail = format!("the body has an {}", excerpt(&detail));
                Problem::new(ProblemKind::InvalidField, detail).at(&excerpt(member))
            }
            (None, "." | "?") => Problem::new(
                ProblemKind::InvalidRequest,
                format!("the body is invalid: {}", excerpt(&detail)),
            ),
            (None, field) => Problem::field(field, excerpt(&detail)),
        }
    })?;
    deserializer.end().map_err(|error| {
        Problem::new(
            ProblemKind::InvalidRequest,
            format!("the body continues after its JSON document: {error}"),
        )
    })?;
    Ok(value)
}

/// Returns a number without a fraction: `86400.0` and `8.64e4` are as whole as `86400` (JSON Schema, section 6.1.1 of
/// its validation vocabulary).
pub(super) fn whole(number: &serde_json::Number) -> Option<u64> {
    /// The largest number up to which a double represents every integer exactly: 2^53 − 1.
    const EXACT: f64 = 9_007_199_254_740_991.0;
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, and within the bounds"
        )]
        (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
    })
}
