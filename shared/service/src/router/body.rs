//! Bodies of requests: their type, content coding and bounds.

use std::borrow::Cow;

use bytes::Bytes;
use credlink_core::bounds::{MAX_BODY_BYTES, QUICK_BYTES};
use credlink_core::encoding::Coding;
use credlink_core::encoding::{DecodeError, decode};
use credlink_core::http::problem::{Problem, ProblemKind};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use credlink_ports::Ports;

use crate::error::Error;
use crate::request_body::RequestBody;
use crate::service::Service;

/// Reads a body of the one type that the path accepts, and removes its content coding.
pub(crate) async fn read_body<P: Ports, B: RequestBody>(
    service: &Service<P>,
    request: &Parts,
    body: B,
    wanted: &'static str,
) -> Result<Bytes, Error> {
    let unsupported = |field: &str, allowed: String, header: (HeaderName, &'static str)| {
        let mut problem =
            Problem::new(ProblemKind::UnsupportedMediaType, format!("`{field}`: {allowed}")).at(field);
        problem.headers.push((header.0, HeaderValue::from_static(header.1)));
        problem
    };
    let given = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(wanted) {
        let given =
            if essence.is_empty() { "and no type is given".to_owned() } else { format!("not `{essence}`") };
        return Err(unsupported(
            "content-type",
            format!("this path takes `{wanted}`, {given}"),
            (ACCEPT, wanted),
        )
        .into());
    }
    // RFC 9110, section 12.5.3: a 415 for a content coding lists the supported codings.
    let coding = content_coding(&request.headers).ok_or_else(|| {
        unsupported("content-encoding", "`gzip` or none".to_owned(), (ACCEPT_ENCODING, "gzip, identity"))
    })?;
    let stated =
        request.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Problem::too_large("a request body", MAX_BODY_BYTES).into());
    }
    let bytes = body.await?;
    let Some(coding) = coding else { return Ok(bytes) };
    // The decoded length is unknown until the end. A short body must not wait for a long one.
    if bytes.len() <= QUICK_BYTES {
        match decode(&bytes, Some(coding), QUICK_BYTES) {
            Err(DecodeError::TooLong(_)) => {}
            quick => return Ok(unpacked(quick)?),
        }
    }
    let unpack = move || unpacked(decode(&bytes, Some(coding), MAX_BODY_BYTES));
    Ok(service.compute(MAX_BODY_BYTES, unpack).await??)
}

/// Converts a decoded body, or its error.
fn unpacked(content: Result<Cow<'_, [u8]>, DecodeError>) -> Result<Bytes, Problem> {
    match content {
        Ok(content) => Ok(content.into_owned().into()),
        Err(DecodeError::TooLong(limit)) => Err(Problem::too_large("a request body, unpacked,", limit)),
        Err(error) => {
            Err(Problem::new(ProblemKind::InvalidRequest, format!("the body's content coding: {error}"))
                .at("content-encoding"))
        }
    }
}

/// Returns the content coding of a request, or `None` if it is not supported or there are several. Names of codings are
/// case-insensitive, and `x-gzip` is gzip (RFC 9110, sections 8.4.1 and 8.4.1.3).
fn content_coding(headers: &HeaderMap) -> Option<Option<Coding>> {
    let mut coding = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().ok()?.split(',').map(str::trim) {
            match name.to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" if coding.is_none() => coding = Some(Coding::Gzip),
                _ => return None,
            }
        }
    }
    Some(coding)
}
