//! An answer in the form in which it is compared: whole, without the parts that differ from one request to the next.

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::media_type::{C2PA_TYPE, STORED_TYPE};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LAST_MODIFIED};
use http::{HeaderName, HeaderValue, Response};
use serde_json::Value;

/// Headers that belong to the request or to the connection, not to the answer.
const LEFT_OUT: [&str; 7] =
    ["x-request-id", "date", "connection", "keep-alive", "transfer-encoding", "apigw-requestid", "age"];

/// Members that differ from one request to the next: the ID of the request, and the counts of reads.
const LEFT_OUT_OF_JSON: [&str; 3] = ["request_id", "reads", "last_read"];

/// The answer to a request, with `names` replaced by the words that stand for them.
pub fn seen(request: &str, answer: &Response<Bytes>, names: &[(String, &'static str)]) -> String {
    let (body, is_counted) = body(answer);
    let headers = answer.headers().iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    // The length of a body with counts varies with their digits, and that of a refusal with its request's ID.
    let has_no_length = is_counted || request.starts_with("HEAD ") && answer.status().is_client_error();
    let headers = headers.filter(|(name, _)| !(has_no_length && **name == CONTENT_LENGTH));
    let mut lines: Vec<String> = headers.map(|(name, value)| header(name, value)).collect();
    lines.sort();
    let text = format!("{request}\n{}\n{}\n{body}", answer.status(), lines.join("\n"));
    let text = names
        .iter()
        .fold(text, |text, (name, word)| text.replace(name, word).replace(&name.replace(':', "%3A"), word));
    without_instants(&without_digests(&text))
}

fn header(name: &HeaderName, value: &HeaderValue) -> String {
    if *name == LAST_MODIFIED {
        return format!("{name}: <date>");
    }
    format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
}

/// The body: a manifest as its digest, JSON without counts, and anything else unaltered. The flag is `true` if there
/// were counts.
fn body(answer: &Response<Bytes>) -> (String, bool) {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind == C2PA_TYPE || kind == STORED_TYPE {
        return (format!("{} bytes, {}", answer.body().len(), Digest::of(answer.body())), false);
    }
    let is_counted = |text: &str| LEFT_OUT_OF_JSON.iter().any(|name| text.contains(&format!("\"{name}\"")));
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    match serde_json::from_str::<Value>(&text) {
        Ok(mut value) if is_counted(&text) => {
            leave_out(&mut value);
            (value.to_string(), true)
        }
        _ => (text, false),
    }
}

fn leave_out(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !LEFT_OUT_OF_JSON.contains(&name.as_str()));
            members.values_mut().for_each(leave_out);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out),
        _ => {}
    }
}

/// Removes digests of records, which depend on the time of their storage.
fn without_digests(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|letter: char| !matches!(letter, '0'..='9' | 'a'..='f')) {
        let digits = piece.trim_end_matches(|letter: char| !matches!(letter, '0'..='9' | 'a'..='f'));
        match digits.len() {
            64 => shown += &piece.replacen(digits, "<digest>", 1),
            _ => shown += piece,
        }
    }
    shown
}

/// Replaces instants such as `2026-01-01T12:00:00.250Z` with `<instant>`.
fn without_instants(text: &str) -> String {
    const FORM: &str = "0000-00-00T00:00:00";
    let is_instant = |from: &[u8]| {
        from.len() > FORM.len()
            && from.iter().zip(FORM.bytes()).all(|(letter, form)| match form {
                b'0' => letter.is_ascii_digit(),
                form => *letter == form,
            })
    };
    let (bytes, mut shown, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        if is_instant(&bytes[at..]) {
            shown.extend(b"<instant>");
            at += FORM.len();
            // The fraction of a second, and the zone.
            while bytes.get(at).is_some_and(|letter| letter.is_ascii_digit() || b".Z".contains(letter)) {
                at += 1;
            }
        } else {
            shown.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(shown).unwrap()
}
