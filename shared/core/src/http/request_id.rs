//! The ID of a request, the same in answers and in all logs on its way.

use http::{HeaderMap, HeaderName};

use crate::bounds::MAX_REQUEST_ID_BYTES;

/// The header with a request's ID, in requests and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Returns the client's own request ID, if it is fit for a log.
#[must_use]
pub fn given(headers: &HeaderMap) -> Option<&str> {
    headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| fits(id))
}

/// Returns `true` if the ID is fit for a log.
#[must_use]
pub fn fits(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_would_tear_a_log_line_is_not_taken() {
        for (id, expected) in [
            ("7c9e6679-7425-40de-944b-e07fc1f90ae7", true),
            ("Root=1-67891233-abcdef012345678912345678", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            (&"x".repeat(MAX_REQUEST_ID_BYTES + 1), false),
        ] {
            assert_eq!(fits(id), expected, "{id}");
        }
    }
}
