//! The Workers runtime, as exposed by `js/runtime.js`: every interaction of this crate with the outside.
//!
//! Failures are reported as [`Broken`], with the runtime's own message, which is meant only for the log.

use std::cell::Cell;

use credlink_core::hash::Digest;
use credlink_core::time::Timestamp;
use js_sys::{ArrayBuffer, Promise};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};

#[wasm_bindgen(module = "/js/runtime.js")]
extern "C" {
    /// An object from R2.
    #[wasm_bindgen(typescript_type = "object")]
    pub type Loaded;
    #[wasm_bindgen(method, getter)]
    pub fn etag(this: &Loaded) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn size(this: &Loaded) -> f64;
    #[wasm_bindgen(method, getter, js_name = attributes)]
    pub fn said(this: &Loaded) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn stored(this: &Loaded) -> Option<ArrayBuffer>;

    /// The response of another server.
    #[wasm_bindgen(typescript_type = "object")]
    pub type Answered;
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Answered) -> u16;
    #[wasm_bindgen(method, getter, js_name = type)]
    pub fn content_type(this: &Answered) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn coding(this: &Answered) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = attributes)]
    pub fn said(this: &Answered) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn location(this: &Answered) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn body(this: &Answered) -> Option<ArrayBuffer>;

    /// The beginning of an answer of the API that is passed on.
    #[wasm_bindgen(typescript_type = "object")]
    pub type Passed;
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Passed) -> u16;
    #[wasm_bindgen(method, getter)]
    pub fn lines(this: &Passed) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn mark(this: &Passed) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn response(this: &Passed) -> Response;

    #[wasm_bindgen(js_name = now)]
    fn milliseconds() -> f64;
    /// Returns a variable or a secret, if it is set.
    pub fn variable(env: &JsValue, name: &str) -> Option<String>;
    /// Returns the function that answers requests with the entry points of this program.
    pub fn server() -> JsValue;
    #[wasm_bindgen(catch, js_name = respond)]
    fn make(description: &str, from: &JsValue) -> Result<JsValue, JsValue>;
    fn digest(stored: &ArrayBuffer, gzip: bool, length: f64) -> Promise;
    fn content(stored: &ArrayBuffer, gzip: bool, length: f64) -> Promise;
    fn leave(bytes: &ArrayBuffer);
    #[wasm_bindgen(js_name = mayLook)]
    fn may_look(limiter: &JsValue, key: &str, milliseconds: f64) -> Promise;
    #[wasm_bindgen(catch, js_name = match)]
    fn match_(url: &str) -> Result<Promise, JsValue>;
    /// Returns the metadata of a cached object.
    pub fn said(response: &Response) -> Option<String>;
    #[wasm_bindgen(catch)]
    fn keep(url: &str, headers: &str, from: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch)]
    fn forget(url: &str) -> Result<Promise, JsValue>;
    fn follow(promise: &Promise, milliseconds: f64) -> Promise;
    fn load(
        bucket: &JsValue,
        key: &str,
        known: Option<&str>,
        limit: f64,
        hidden: Option<&str>,
        milliseconds: f64,
    ) -> Promise;
    fn fill(bucket: &JsValue, key: &str, stored: &ArrayBuffer, said: &str) -> Promise;
    fn probe(bucket: &JsValue, key: &str, milliseconds: f64) -> Promise;
    fn text(request: &Request, limit: f64) -> Promise;
    fn ask(
        method: &str,
        url: &str,
        headers: &str,
        content: Option<&str>,
        limit: f64,
        milliseconds: f64,
    ) -> Promise;
    fn pass(method: &str, url: &str, headers: &str, milliseconds: f64) -> Promise;
    /// Lets go of a response whose body nobody reads.
    pub fn discard(response: &Response);
    /// Decodes bytes as text.
    pub fn decode(bytes: &ArrayBuffer) -> String;
    #[wasm_bindgen(catch, js_name = waitUntil)]
    fn wait_until(context: &JsValue, promise: &Promise) -> Result<(), JsValue>;
    /// Writes a line to the log as an error.
    pub fn complain(line: &str);
}

/// A failure in the runtime, with its message.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl From<JsValue> for Broken {
    fn from(value: JsValue) -> Self {
        let text = match value.dyn_ref::<js_sys::Error>() {
            Some(error) => String::from(error.message()),
            None => value.as_string().unwrap_or_else(|| "it does not say why".to_owned()),
        };
        Self(without_queries(&text))
    }
}

/// Removes the query of every URL in the text: links carry their signatures there, and the runtime's messages repeat
/// invalid URLs.
fn without_queries(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('?') {
        Some((before, query)) if query.contains('=') => before,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The source of a response's bytes.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// A response from the cache, whose body can be read once.
    Cached(Response),
    /// Bytes in memory.
    Held(ArrayBuffer),
}

impl Bytes {
    fn value(&self) -> &JsValue {
        match self {
            Self::Cached(response) => response,
            Self::Held(buffer) => buffer,
        }
    }
}

/// A look-up in the cache that `runtime.js` makes before it hands a request over.
pub struct FirstLookup {
    url: String,
    found: Cell<Option<Result<Option<Response>, Broken>>>,
}

impl FirstLookup {
    /// Reads the result of the look-up under `url`: the response, `null` if there is none, the error, or `undefined` if
    /// nothing was looked up.
    pub fn of(url: String, result: JsValue) -> Self {
        let found = match result.dyn_into::<Response>() {
            Ok(response) => Some(Ok(Some(response))),
            Err(nothing) if nothing.is_null() => Some(Ok(None)),
            Err(nothing) if nothing.is_undefined() => None,
            Err(error) => Some(Err(error.into())),
        };
        Self { url, found: Cell::new(found) }
    }

    /// Takes the result; `None` if it is not the one of `url`, or was taken.
    pub fn take(&self, url: &str) -> Option<Result<Option<Response>, Broken>> {
        if self.url == url { self.found.take() } else { None }
    }
}

/// Returns the current time.
pub fn now() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a date has 52 bits")]
    Timestamp::from_milliseconds(milliseconds() as i64)
}

/// Converts a number for JavaScript: lengths and durations here stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "a length or a duration needs no more than 52 bits")]
const fn number(value: u64) -> f64 {
    value as f64
}

/// Waits for the result of a promise.
pub async fn settled(promise: &Promise) -> Result<JsValue, Broken> {
    JsFuture::from(promise.clone()).await.map_err(Broken::from)
}

/// Creates the response that `description` describes ([`crate::answer::Answer::describe`]), from the bytes of an object
/// if it has one, and logs its line.
pub async fn respond(description: &str, from: Option<&Bytes>) -> Result<Response, Broken> {
    let made = make(description, from.map_or(&JsValue::UNDEFINED, Bytes::value))?;
    // Only what is unpacked is waited for.
    match made.dyn_into::<Promise>() {
        Ok(promise) => Ok(settled(&promise).await?.unchecked_into()),
        Err(response) => Ok(response.unchecked_into()),
    }
}

/// Returns the SHA-256 of a content of `length` bytes; `None` if its length differs or the gzip is damaged.
pub async fn sha256(stored: &ArrayBuffer, gzip: bool, length: u64) -> Result<Option<Digest>, Broken> {
    let digits = settled(&digest(stored, gzip, number(length))).await?;
    Ok(digits.as_string().and_then(|digits| digits.parse().ok()))
}

/// Returns a content of `length` bytes as text; `None` if its length differs or the gzip is damaged.
pub async fn text_of(stored: &ArrayBuffer, gzip: bool, length: u64) -> Result<Option<String>, Broken> {
    Ok(settled(&content(stored, gzip, number(length))).await?.as_string())
}

/// Returns the cached response under `url`.
pub async fn cached(url: &str) -> Result<Option<Response>, Broken> {
    let found = settled(&match_(url)?).await?;
    Ok((!found.is_undefined()).then(|| found.unchecked_into()))
}

/// Caches an entry, with its bytes or without any.
pub async fn cache(url: &str, headers: &str, from: Option<&Bytes>) -> Result<(), Broken> {
    settled(&keep(url, headers, from.map_or(&JsValue::UNDEFINED, Bytes::value))?).await.map(drop)
}

/// Removes an object from the cache.
pub async fn forget_cached(url: &str) -> Result<(), Broken> {
    settled(&forget(url)?).await.map(drop)
}

/// Waits at most `milliseconds` for a promise of another request.
pub async fn wait_for(promise: &Promise, milliseconds: u64) -> Result<(), Broken> {
    settled(&follow(promise, number(milliseconds))).await.map(drop)
}

/// A guard for one of the limited places for long objects that are loaded and checked at the same time. Dropping it
/// frees the place.
pub struct Place(Option<ArrayBuffer>);

impl Place {
    /// Guards the place of loaded bytes. Bytes that are not long have no place.
    pub const fn of(loaded: Option<ArrayBuffer>) -> Self {
        Self(loaded)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(bytes) = &self.0 {
            leave(bytes);
        }
    }
}

/// Counts a request under `key` with a limiter, and returns `true` if it is within the limit.
pub async fn is_admitted(limiter: &JsValue, key: &str, milliseconds: u64) -> Result<bool, Broken> {
    Ok(settled(&may_look(limiter, key, number(milliseconds))).await?.is_truthy())
}

/// Loads the object under `key` from R2. Its bytes are omitted if its entity tag is still `known`, if it has more than
/// `limit` bytes, or if it has the metadata `hidden` (`name=value`).
pub async fn load_object(
    bucket: &JsValue,
    key: &str,
    known: Option<&str>,
    limit: usize,
    hidden: Option<&str>,
    milliseconds: u64,
) -> Result<Option<Loaded>, Broken> {
    let loading = load(bucket, key, known, number(limit as u64), hidden, number(milliseconds));
    let found = settled(&loading).await?;
    Ok((!found.is_undefined()).then(|| found.unchecked_into()))
}

/// Puts an object into R2 if the key is free, and returns `true` if it was.
pub async fn fill_object(
    bucket: &JsValue,
    key: &str,
    stored: &ArrayBuffer,
    attributes: &str,
) -> Result<bool, Broken> {
    Ok(settled(&fill(bucket, key, stored, attributes)).await?.is_truthy())
}

/// Checks that R2 answers.
pub async fn probe_bucket(bucket: &JsValue, key: &str, milliseconds: u64) -> Result<(), Broken> {
    settled(&probe(bucket, key, number(milliseconds))).await.map(drop)
}

/// Reads the body of a request as text; `None` if it has more than `limit` bytes.
pub async fn body_text(request: &Request, limit: usize) -> Result<Option<String>, Broken> {
    Ok(settled(&text(request, number(limit as u64))).await?.as_string())
}

/// A request to another server.
#[derive(Debug)]
pub struct Question<'a> {
    /// The method: GET or POST.
    pub method: &'a str,
    /// The URL.
    pub url: &'a str,
    /// The headers, as lines of `name:value`.
    pub headers: &'a str,
    /// The body.
    pub content: Option<&'a str>,
    /// Longest body of the response that is read, in bytes.
    pub limit: usize,
    /// Timeout of the whole exchange.
    pub milliseconds: u64,
}

/// Sends a request to another server.
pub async fn ask_server(question: &Question<'_>) -> Result<Answered, Broken> {
    let Question { method, url, headers, content, limit, milliseconds } = question;
    let promise = ask(method, url, headers, *content, number(*limit as u64), number(*milliseconds));
    Ok(settled(&promise).await?.unchecked_into())
}

/// Passes a reader's request on to the API. The answer begins within `milliseconds`, and its body is read by the reader.
pub async fn pass_on(method: &str, url: &str, headers: &str, milliseconds: u64) -> Result<Passed, Broken> {
    Ok(settled(&pass(method, url, headers, number(milliseconds))).await?.unchecked_into())
}

/// Keeps the request's context alive until `promise` is settled, after the response was sent.
pub fn go_on(context: &JsValue, promise: &Promise) {
    if let Err(error) = wait_until(context, promise) {
        complain(&Broken::from(error).0);
    }
}

#[cfg(test)]
mod tests {
    use super::without_queries;

    #[test]
    fn a_reason_has_no_query_in_it() {
        for (text, expected) in [
            ("Invalid URL: http://a:99999/x?expires=1&signature=A", "Invalid URL: http://a:99999/x"),
            ("cannot load //x?a=b: why?", "cannot load //x why?"),
            ("no answer within 5000 ms", "no answer within 5000 ms"),
        ] {
            assert_eq!(without_queries(text), expected);
        }
    }
}
