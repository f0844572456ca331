//! Passing a request for bytes of a file on to the API, whose answer is passed back unread and is cached by nobody.
//!
//! The API checks the credential or the link, counts the read, and has what R2 lacks.

use std::fmt::Write as _;

use credlink_core::file::MediaPath;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::{Body, Reply};
use http::header::{
    ACCEPT, AUTHORIZATION, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderName, Method, StatusCode};

use crate::answer::Answer;
use crate::configuration::Configuration;
use crate::log;
use crate::read::RETRY_SECONDS;
use crate::request::{Asked, CLIENT};
use crate::runtime::{self, Bytes};

/// The headers of the reader that the API receives.
const HEADERS: [HeaderName; 8] =
    [ACCEPT, AUTHORIZATION, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// Passes a request on to the API at `origin`.
///
/// # Errors
/// The API does not answer, or something else answers in its place.
pub async fn forward(
    asked: &Asked,
    configuration: &Configuration,
    origin: &str,
    path: &MediaPath,
) -> Result<Answer, Problem> {
    let complain = |why: &str| {
        log::failure(&asked.id, "the origin does not answer", &format!("{path}: {why}"));
        Problem::unavailable(RETRY_SECONDS)
    };
    let question = if asked.query.is_empty() { "" } else { "?" };
    let url = format!("{origin}/v1{path}{question}{}", asked.query);
    let passing = runtime::pass_on(asked.method.as_str(), &url, &headers(asked), configuration.timeout).await;
    let passed = passing.map_err(|error| complain(&error.0))?;
    let (status, response) = (passed.status(), passed.response());
    let passed_headers = passed.lines();
    let header = |name: &str| {
        let mut lines = passed_headers.split('\n').filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    // Sent back here, the reader would be sent to the API once more.
    let rest = header("location").and_then(|location| location.strip_prefix(&*asked.origin));
    let is_sent_back = rest.is_some_and(|rest| rest.starts_with('/'));
    let own = passed.mark().filter(|_| !is_sent_back).and_then(|_| StatusCode::from_u16(status).ok());
    let Some(status) = own else {
        runtime::discard(&response);
        return Err(complain(&format!("its status is {status}")));
    };
    let has_body = asked.method != Method::HEAD && status != StatusCode::NOT_MODIFIED;
    let body = if has_body { Body::Stored { decode: false, range: None } } else { Body::Empty };
    let size = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    Ok(Answer {
        bytes: has_body.then_some(Bytes::Cached(response)),
        size,
        ..Answer::of(Reply { body, ..Reply::empty(status) }).passed(passed_headers)
    })
}

/// Returns the headers of the request to the API.
fn headers(asked: &Asked) -> String {
    // A coding would be undone on the way, and with it the length and the ranges.
    let mut lines = format!("x-request-id:{}\naccept-encoding:identity", asked.id);
    let named = |name: &HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
    for name in &HEADERS {
        if let Some(value) = named(name) {
            let _ = write!(lines, "\n{name}:{value}");
        }
    }
    if let Some(client) = named(&CLIENT) {
        let _ = write!(lines, "\nx-forwarded-for:{client}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_receives_what_an_answer_may_depend_on() {
        let text = "GET\nhttps://cdn.example.com/media/x/large\n5\nr-0\naccept-encoding:gzip\naccept:image/webp\n\
                    authorization:Bearer t\nrange:bytes=0-1\ncf-connecting-ip:192.0.2.1";
        let expected = "x-request-id:r-0\naccept-encoding:identity\naccept:image/webp\nauthorization:Bearer t\n\
                        range:bytes=0-1\nx-forwarded-for:192.0.2.1";
        assert_eq!(headers(&Asked::read(text).unwrap()), expected);
    }
}
