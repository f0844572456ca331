//! Deletions that are identified by their instant: the client names it, and learns by repeating the request what became
//! of the first one, even if its answer was lost.

use http::{HeaderMap, HeaderName};

use super::conditional::single;
use super::problem::Problem;
use crate::time::Timestamp;

/// The header for the instant of a deletion: in an answer, the one that it had; in a request, the one that it shall
/// have.
pub const DELETED: HeaderName = HeaderName::from_static("credlink-deleted");

/// The furthest that a deletion may lie in the future, in seconds, since clocks differ.
pub const MAX_AHEAD_SECONDS: u64 = 300;

/// Returns the instant that a request asks for. `now` is the service's time.
///
/// # Errors
/// Fails if the header occurs twice, is not an instant, or lies more than [`MAX_AHEAD_SECONDS`] ahead.
pub fn requested(headers: &HeaderMap, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    if !headers.contains_key(DELETED) {
        return Ok(None);
    }
    let latest = now.plus_seconds(MAX_AHEAD_SECONDS);
    let wrong = |what: String| {
        Problem::field(
            DELETED.as_str(),
            format!("it has to be a single RFC 3339 instant, {latest} at the latest; {what}"),
        )
    };
    let text = single(headers, &DELETED)
        .ok_or_else(|| wrong("this is not text, or is given more than once".to_owned()))?;
    let at: Timestamp = text.parse().map_err(|_| wrong(format!("this is `{text}`")))?;
    if at > latest {
        return Err(wrong(format!("this is {at}: the two clocks differ")));
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked(values: &[&'static str]) -> Result<Option<String>, String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(DELETED, HeaderValue::from_static(value));
        }
        let requested = requested(&headers, now).map_err(|problem| problem.detail)?;
        Ok(requested.map(|at| at.to_string()))
    }

    #[test]
    fn an_instant_is_taken_until_a_little_ahead() {
        assert_eq!(asked(&[]), Ok(None));
        for (text, at) in [
            ("2026-01-01T00:00:00.007Z", "2026-01-01T00:00:00.007Z"),
            ("1971-01-01T00:00:00+01:00", "1970-12-31T23:00:00.000Z"),
            ("2026-01-01T00:05:00Z", "2026-01-01T00:05:00.000Z"),
        ] {
            assert_eq!(asked(&[text]), Ok(Some(at.to_owned())));
        }
        let allowed = "`credlink-deleted`: it has to be a single RFC 3339 instant, 2026-01-01T00:05:00.000Z at the \
                       latest; ";
        for (values, what) in [
            (&["2026-01-01T00:05:00.001Z"][..], "this is 2026-01-01T00:05:00.001Z: the two clocks differ"),
            (&["yesterday"], "this is `yesterday`"),
            (&[""], "this is ``"),
            (
                &["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
                "this is not text, or is given more than once",
            ),
        ] {
            assert_eq!(asked(values), Err(format!("{allowed}{what}")));
        }
    }
}
