//! The handling of a request that waits: for a look-up after the first, for R2, for the origin, or for a body.

use credlink_core::access::Caller;
use credlink_core::front::Front;
use credlink_core::http::cors;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::route::{Media, Reads, Route};
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::tenant::Tenant;
use http::Method;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};

use crate::alias::Alias;
use crate::answer::{Answer, describe_plainly};
use crate::configuration::Configuration;
use crate::health::health;
use crate::log::{self, Course};
use crate::media;
use crate::media_read::MediaRead;
use crate::purge::{self, purge};
use crate::read::{Read, Wanted};
use crate::request::Asked;
use crate::runtime::{self, Broken, FirstLookup};
use crate::task::apart;

/// A request as the runtime hands it over, and the look-up that was made for it.
pub struct Call {
    /// The request itself.
    pub request: Request,
    /// The variables, secrets and bindings of the Worker.
    pub environment: JsValue,
    /// The context of the request, which outlives the response.
    pub context: JsValue,
    /// The result of the first look-up in the cache.
    pub first: FirstLookup,
    /// The result of the look-up of a file's bytes, if one was made.
    pub second: FirstLookup,
}

/// Answers a request, which `lines` describe.
///
/// # Errors
/// The runtime accepts no response at all.
pub async fn handle(call: Call, lines: String) -> Result<Response, Broken> {
    let asked = match Asked::read(&lines) {
        Ok(asked) => asked,
        Err(problem) => return runtime::respond(&describe_plainly(&problem.reply(None)), None).await,
    };
    let mut course = Course::default();
    let mut answer = match answer(&call, &asked, &mut course).await {
        Ok(answer) => answer,
        Err(problem) => Answer::of(problem.reply(Some(&asked.id))),
    };
    let bytes = answer.bytes.take();
    match runtime::respond(&answer.describe(&asked, course, runtime::now()), bytes.as_ref()).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let course = Course { route: course.route, ..Course::default() };
            let failed = Answer::failed(&asked, &error.0).describe(&asked, course, runtime::now());
            runtime::respond(&failed, None).await
        }
    }
}

async fn answer(call: &Call, asked: &Asked, course: &mut Course) -> Result<Answer, Problem> {
    let Call { request, environment, context, first, second } = call;
    let configuration = &Configuration::of(environment).map_err(|error| {
        log::failure(&asked.id, "the Worker is set up wrongly", &error.to_string());
        let detail =
            "the edge is set up wrongly; the operator finds the reason in the log under the request id";
        Problem::new(ProblemKind::Internal, detail)
    })?;
    if asked.path == purge::PATH {
        course.route = Some("purge");
        return match asked.method {
            Method::POST => apart(purge(request, asked, configuration)).await.map(Answer::of),
            Method::OPTIONS => Ok(Answer::of(cors::preflight(purge::ALLOW, false))),
            _ => Err(Problem::method_not_allowed(asked.method.as_str(), purge::ALLOW)),
        };
    }
    if is_of_api(&asked.path) {
        let detail = "this is the CDN domain: it has /proofs/{id}, /proofs/by-hash/{media hash}, /manifests/{id}, \
                      /tenants/{tenant}/manifests/{id}, /media/{file}/{name} and /health; paths under /v1 are the API's";
        return Err(Problem::new(ProblemKind::NoSuchRoute, detail));
    }
    let route = Route::parse_public(&asked.method, &asked.path, &asked.query)?;
    course.route = Some(route.name());
    let caller = &Caller::anonymous();
    match &route {
        Route::Reads(Reads::Object { key, signature, form }) => {
            let (signature, form, is_plain) =
                (signature.as_ref().filter(|_| configuration.checks_links()), *form, false);
            let wanted = Wanted { asked, configuration, key, signature, form, caller, is_plain };
            let (answer, cache) = Read { wanted, context, first }.answer().await;
            course.cache = cache;
            answer
        }
        Route::Reads(Reads::PlainManifest { id, signature, form }) => {
            let form = *form;
            let is_plain = configuration.asks_front(form);
            let mut manifest = Some(ManifestKey::new(&Tenant::default(), id));
            if is_plain {
                let (key, signature) = (&ObjectKey::Front(id.clone()), None);
                let wanted = Wanted { asked, configuration, key, signature, form, caller, is_plain };
                let front = Read { wanted, context, first };
                let (facts, cache) = apart(front.facts()).await;
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
            let signature = signature.as_ref().filter(|_| configuration.checks_links());
            let wanted = Wanted { asked, configuration, key, signature, form, caller, is_plain };
            let (answer, cache) = Read { wanted, context, first }.answer().await;
            course.cache = cache;
            answer
        }
        Route::Reads(Reads::Alias(id)) => {
            let alias = Alias { asked, configuration, context, id };
            let (answer, cache) = apart(alias.answer()).await;
            course.cache = cache;
            answer
        }
        Route::Media(Media::Read { path, signature, download }) => {
            let signature = signature.as_ref().filter(|_| configuration.checks_links());
            let wanted = media::Wanted { asked, configuration, path, is_download: *download };
            let read = MediaRead { wanted, signature, context, first, second };
            let (answer, cache) = apart(read.answer()).await;
            course.cache = cache;
            answer
        }
        Route::Options(allow) => Ok(preflight(asked, allow)),
        // All other operations have paths under /v1.
        _ => Ok(Answer::of(apart(health(asked, configuration)).await)),
    }
}

/// Returns `true` for the paths that are not routes of reads: that of purges, and those of the API.
pub fn is_beside_reads(path: &str) -> bool {
    path == purge::PATH || is_of_api(path)
}

/// Returns `true` for a path of the API, which is served on another domain.
fn is_of_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Returns the answer to `OPTIONS` of a path that allows these methods.
pub fn preflight(asked: &Asked, allow: &'static str) -> Answer {
    let read = Route::parse_public(&Method::GET, &asked.path, &asked.query);
    Answer::of(cors::preflight(allow, read.is_ok_and(|read| read.is_public_read())))
}
