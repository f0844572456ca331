//! The handling of one request, from the first decision to the last.

use std::fmt::Write as _;

use credlink_core::access::Caller;
use credlink_core::front::Front;
use credlink_core::http::cors;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::{Body, Reply};
use credlink_core::http::request_id::REQUEST_ID;
use credlink_core::http::route::{Form, Reads, Route};
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::tenant::Tenant;
use http::{HeaderMap, Method};
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};

use crate::alias::Alias;
use crate::configuration::Configuration;
use crate::health::health;
use crate::log::{self, CacheState};
use crate::purge::{self, purge};
use crate::read::{Answer, Read};
use crate::request::Asked;
use crate::runtime::{self, Broken};

/// Facts about a request for its log line, collected while it is answered.
#[derive(Default)]
struct Course {
    route: Option<&'static str>,
    cache: CacheState,
}

/// Answers a request.
///
/// # Errors
/// The runtime accepts no response at all.
pub async fn handle(request: &Request, environment: &JsValue, context: &JsValue) -> Result<Response, Broken> {
    let asked = match Asked::read(&runtime::lines(request)) {
        Ok(asked) => asked,
        Err(problem) => return plain(&problem.reply(None)),
    };
    let mut course = Course::default();
    let answer = match answer(request, &asked, environment, context, &mut course).await {
        Ok(answer) => answer,
        Err(problem) => Answer::of(problem.reply(Some(&asked.id))),
    };
    let status = answer.reply.status.as_u16();
    let (response, bytes) = match respond(answer, &asked, course.cache).await {
        Ok(sent) => sent,
        // Verified bytes cannot be sent; the runtime's reason is only for the log.
        Err(error) => {
            log::failure(&asked.id, "an answer cannot be made", &error.0);
            let failed = Answer::of(
                Problem::new(ProblemKind::Internal, "the answer could not be made").reply(Some(&asked.id)),
            );
            let (response, bytes) = respond(failed, &asked, CacheState::None).await?;
            log::request(&asked, course.route.unwrap_or("none"), 500, CacheState::None, bytes);
            return Ok(response);
        }
    };
    log::request(&asked, course.route.unwrap_or("none"), status, course.cache, bytes);
    Ok(response)
}

async fn answer(
    request: &Request,
    asked: &Asked,
    environment: &JsValue,
    context: &JsValue,
    course: &mut Course,
) -> Result<Answer, Problem> {
    let configuration = Configuration::of(environment).map_err(|error| {
        log::failure(&asked.id, "the Worker is set up wrongly", &error.to_string());
        let detail =
            "the edge is set up wrongly; the operator finds the reason in the log under the request id";
        Problem::new(ProblemKind::Internal, detail)
    })?;
    if asked.path == purge::PATH {
        course.route = Some("purge");
        return match asked.method {
            Method::POST => purge(request, asked, &configuration).await.map(Answer::of),
            Method::OPTIONS => Ok(Answer::of(cors::preflight(purge::ALLOW, false))),
            _ => Err(Problem::method_not_allowed(asked.method.as_str(), purge::ALLOW)),
        };
    }
    // The API is served on another domain.
    if asked.path == "/v1" || asked.path.starts_with("/v1/") {
        let detail = "this is the CDN domain: it has /proofs/{id}, /proofs/by-hash/{media hash}, /manifests/{id}, \
                      /tenants/{tenant}/manifests/{id} and /health; paths under /v1 are the API's";
        return Err(Problem::new(ProblemKind::NoSuchRoute, detail));
    }
    let route = Route::parse_public(&asked.method, &asked.path, &asked.query)?;
    course.route = Some(route.name());
    // An edge without link keys ignores signatures: its private objects are private to everyone (guarantee 13).
    let checks_links = configuration.link_keys.is_some();
    match &route {
        Route::Reads(Reads::Object { key, signature, form }) => {
            let (signature, form, is_plain) = (signature.as_ref().filter(|_| checks_links), *form, false);
            let caller = &Caller::anonymous();
            let configuration = &configuration;
            let read = Read { asked, configuration, context, key, signature, form, caller, is_plain };
            let (answer, cache) = read.answer().await;
            course.cache = cache;
            answer
        }
        Route::Reads(Reads::PlainManifest { id, signature, form }) => {
            let caller = &Caller::anonymous();
            let (configuration, form) = (&configuration, *form);
            let is_plain = configuration.has_tenants && form == Form::Content;
            let mut manifest = Some(ManifestKey::new(&Tenant::default(), id));
            if is_plain {
                let (key, signature) = (&ObjectKey::Front(id.clone()), None);
                let front = Read { asked, configuration, context, key, signature, form, caller, is_plain };
                let (facts, cache) = front.facts().await;
                course.cache = cache;
                manifest = match facts? {
                    // The manifest may belong to another tenant, and its front may not have reached R2 yet: only the
                    // API could tell.
                    None if configuration.origin.is_none() => None,
                    facts => Front::serves(facts.as_ref(), id),
                };
            }
            let Some(manifest) = manifest else {
                return Err(Problem::new(ProblemKind::NotFound, format!("no manifest has the id {id}")));
            };
            let key = &ObjectKey::Manifest(manifest);
            let signature = signature.as_ref().filter(|_| checks_links);
            let read = Read { asked, configuration, context, key, signature, form, caller, is_plain };
            let (answer, cache) = read.answer().await;
            course.cache = cache;
            answer
        }
        Route::Reads(Reads::Alias(id)) => {
            let alias = Alias { asked, configuration: &configuration, context, id };
            let (answer, cache) = alias.answer().await;
            course.cache = cache;
            answer
        }
        Route::Options(allow) => {
            let read = Route::parse_public(&Method::GET, &asked.path, &asked.query);
            Ok(Answer::of(cors::preflight(allow, read.is_ok_and(|read| read.is_public_read()))))
        }
        // All other operations have paths under /v1.
        _ => Ok(Answer::of(health(asked, &configuration).await)),
    }
}

/// The path of the edge's own health, which is not a public read.
const HEALTH: &str = "/health";

/// Returns a response before anything is known about the request.
fn plain(reply: &Reply) -> Result<Response, Broken> {
    let mut headers = reply.headers.clone();
    cors::without_guessing(&mut headers);
    cors::open(&mut headers);
    runtime::respond(reply.status.as_u16(), &lines(&headers), text(&reply.body))
}

/// Returns the response and the length of its body in bytes.
async fn respond(answer: Answer, asked: &Asked, cache: CacheState) -> Result<(Response, u64), Broken> {
    let Answer { reply, bytes, size, length, age } = answer;
    let (status, is_head) = (reply.status.as_u16(), asked.method == Method::HEAD);
    let mut headers = reply.headers;
    cors::without_guessing(&mut headers);
    // All other reads are public, or authorized by a signed link that is its own credential.
    if asked.method.is_safe() && ![purge::PATH, HEALTH].contains(&&*asked.path) {
        cors::open(&mut headers);
    }
    let mut head = lines(&headers);
    // Writing to a `String` does not fail.
    let _ = write!(head, "\n{REQUEST_ID}:{}", asked.id);
    if let Some(state) = cache.header() {
        let _ = write!(head, "\ncache-status:{state}");
    }
    if let Some(age) = age {
        let _ = write!(head, "\nage:{age}");
    }
    match (&reply.body, bytes) {
        (Body::Stored { range: Some(part), decode }, Some(from)) => {
            let response = runtime::respond_part(status, &head, &from, *decode, length, part).await?;
            Ok((response, part.end.saturating_sub(part.start)))
        }
        (Body::Stored { decode: true, .. }, Some(from)) => {
            Ok((runtime::respond_unpacked(status, &head, &from, length).await?, length))
        }
        (Body::Stored { .. }, Some(from)) => Ok((runtime::respond_stored(status, &head, &from)?, size)),
        (body, _) => {
            let text = text(body).filter(|text| !text.is_empty());
            let length = text.map_or(0, str::len);
            if is_head && length > 0 {
                // The response to HEAD has the headers of the response to GET (RFC 9110, section 9.3.2).
                let _ = write!(head, "\ncontent-length:{length}");
                return Ok((runtime::respond(status, &head, None)?, 0));
            }
            Ok((runtime::respond(status, &head, text)?, length as u64))
        }
    }
}

fn text(body: &Body) -> Option<&str> {
    match body {
        // All bodies that are produced here are JSON.
        Body::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        Body::Empty | Body::Stored { .. } => None,
    }
}

/// Formats headers as lines of `name:value`.
fn lines(headers: &HeaderMap) -> String {
    let mut lines = String::with_capacity(512);
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(name.as_str());
        lines.push(':');
        lines.push_str(value);
    }
    lines
}
