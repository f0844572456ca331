//! Requests from API Gateway's HTTP API (payload format 2.0) and the responses to them.
//!
//! The event is parsed here rather than by `lambda_http`, which panics on a path that is not a URI: API Gateway passes
//! paths on decoded, so any client could end the process.
//!
//! A client that disconnects interrupts nothing: the function runs on. Only the function's own time limit can cut a
//! change short. Calls to providers then time out at the function's [`deadline`], so the change stops between two of
//! its steps, is answered with 503 and logged, and leaves the same state as a crash, which the next operation on the
//! same objects completes or undoes. A change that would run out of time from the start is not begun (`CHANGE`).

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::http::peer::Peer;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Body as ReplyBody;
use credlink_core::http::request_id::REQUEST_ID;
use credlink_core::http::route::{Form, Reads, Route};
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::tenant::Tenant;
use credlink_deployment::deployment::Deployment;
use credlink_ports::Ports;
use credlink_runtime::deadline::within;
use credlink_service::Service;
use credlink_service::handler::Handler;
use credlink_service::router::Fronted;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use lambda_http::Context;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::aws_lambda_events::encodings::Body;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::time::Instant;

/// Time that a function reserves for its response: calls to other services end this long before the function is cut
/// off.
const RESERVE: Duration = Duration::from_millis(500);

/// The longest time that a change needs, short of an outage. A change makes about ten consecutive calls; S3 and
/// DynamoDB usually answer a call within 30 ms, and within 300 ms on a bad day. The smallest `ApiTimeout` (5 s) leaves
/// 4.5 s.
const CHANGE: Duration = Duration::from_secs(3);

/// Seconds after which the client should retry a change that was not begun: by then, an invocation with its full time
/// limit handles the request.
const AGAIN_SECONDS: u32 = 1;

/// Longest body of a response, in bytes. Lambda limits a response to 6 MB of JSON, in which a binary body is base64:
/// 4,400,000 × 4/3 leaves 130 KB for the headers.
const MAX_ANSWER_BYTES: usize = 4_400_000;

/// Characters that must be escaped in the path of a URI (RFC 3986, section 3.3). The percent sign is not among them: it
/// begins an escape that API Gateway did not decode.
const NOT_IN_A_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// A place that serves objects too large for a response.
pub trait Elsewhere {
    /// Returns a link to the object that is valid for some minutes, or `None` if no such place exists. A link to a
    /// private object has to be signed.
    fn link(&self, key: &ObjectKey, is_private: bool) -> impl Future<Output = Option<String>>;
}

impl Elsewhere for Deployment {
    async fn link(&self, key: &ObjectKey, is_private: bool) -> Option<String> {
        Self::link(self, key, is_private).await
    }
}

/// Answers an event with the operations of `handler`.
pub async fn answer<P: Ports>(
    service: &Service<P>,
    handler: &impl Handler<P>,
    elsewhere: &impl Elsewhere,
    event: ApiGatewayV2httpRequest,
    context: &Context,
) -> ApiGatewayV2httpResponse {
    let response = match request(event, context) {
        Ok(request) => {
            let (parts, body) = request.into_parts();
            let deadline = deadline(context);
            if !parts.method.is_safe() && deadline.saturating_duration_since(Instant::now()) < CHANGE {
                tracing::warn!(path = parts.uri.path(), "a change is not begun: too little time is left");
                return into_event(plain(&too_late(), &context.request_id));
            }
            let answered = within(deadline, async {
                let answered = service.handle_by(handler, &parts, async { Ok(body) }).await;
                // A function has no background task, so a request advances the store's mark once a minute.
                if !parts.method.is_safe() {
                    service.tick_in_turn().await;
                }
                answered
            });
            let answered = answered.await;
            if answered.body().len() > MAX_ANSWER_BYTES {
                too_large(&parts, answered, elsewhere).await
            } else {
                answered
            }
        }
        Err(problem) => plain(&problem, &context.request_id),
    };
    into_event(response)
}

/// The response to a change for which too little time is left.
fn too_late() -> Problem {
    let detail = format!(
        "too little time was left to make this change to its end, so it was not begun; send it again in \
         {AGAIN_SECONDS} s"
    );
    let mut problem = Problem::new(ProblemKind::Unavailable, detail);
    problem.headers.push((RETRY_AFTER, HeaderValue::from(AGAIN_SECONDS)));
    problem
}

/// Returns the instant by which all work has to be done, by the runtime's clock.
#[must_use]
pub fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(RESERVE)
}

fn request(event: ApiGatewayV2httpRequest, context: &Context) -> Result<Request<Bytes>, Problem> {
    let invalid = |why: &str| Problem::new(ProblemKind::InvalidRequest, why);
    let raw = event.raw_path.unwrap_or_default();
    let stage = event.request_context.stage.unwrap_or_default();
    // The name of a named stage precedes the path.
    let path = raw.strip_prefix('/').and_then(|path| path.strip_prefix(stage.as_str()));
    let path = path.filter(|path| !stage.is_empty() && path.starts_with('/')).unwrap_or(&raw);
    let mut target = utf8_percent_encode(path, NOT_IN_A_PATH).to_string();
    if let Some(query) = event.raw_query_string.filter(|query| !query.is_empty()) {
        target.push('?');
        target.push_str(&query);
    }
    let body = match (event.body, event.is_base64_encoded) {
        (None, _) => Bytes::new(),
        (Some(text), false) => text.into(),
        (Some(text), true) => {
            STANDARD.decode(text).map_err(|_| invalid("the body of the event is not base64"))?.into()
        }
    };
    let method = event.request_context.http.method;
    let peer = event.request_context.http.source_ip.and_then(|address| address.parse().ok());
    let built = Request::builder().method(method).uri(target).body(body);
    let mut request = built.map_err(|_| invalid("the request target is no URI"))?;
    *request.headers_mut() = event.headers;
    if let Some(address) = peer {
        request.extensions_mut().insert(Peer(address));
    }
    // This is API Gateway's own ID, which also appears in its access log.
    let id = event.request_context.request_id.unwrap_or_else(|| context.request_id.clone());
    if !request.headers().contains_key(REQUEST_ID)
        && let Ok(id) = HeaderValue::try_from(id)
    {
        request.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(request)
}

/// Replaces a response that is too large by a redirect to the object.
async fn too_large(
    request: &http::request::Parts,
    mut answer: Response<Bytes>,
    elsewhere: &impl Elsewhere,
) -> Response<Bytes> {
    let query = request.uri.query().unwrap_or_default();
    let caching = answer.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let is_private = caching.is_none_or(|caching| caching.contains("private"));
    let link = match Route::parse(&request.method, request.uri.path(), query) {
        // A client that mirrors the store wants the original, and the CDN domain is itself a copy.
        Ok(Route::Reads(Reads::Object { key, form, .. })) => {
            elsewhere.link(&key, is_private || form == Form::Stored).await
        }
        Ok(Route::Reads(Reads::PlainManifest { id, form, .. })) => {
            let fronted = answer.extensions().get::<Fronted>().map(|Fronted(manifest)| manifest.clone());
            let key = fronted.unwrap_or_else(|| ManifestKey::new(&Tenant::default(), &id));
            elsewhere.link(&ObjectKey::Manifest(key), is_private || form == Form::Stored).await
        }
        _ => None,
    };
    let id = answer.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    match link.and_then(|link| HeaderValue::try_from(link).ok()) {
        Some(link) => {
            *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            let headers = answer.headers_mut();
            for of_the_body in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE] {
                headers.remove(of_the_body);
            }
            headers.insert(LOCATION, link);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            *answer.body_mut() = Bytes::new();
            answer
        }
        None => {
            let detail = format!(
                "the object has more than {MAX_ANSWER_BYTES} bytes, which this address cannot answer with; read it \
                 from the CDN domain"
            );
            plain(&Problem::new(ProblemKind::TooLarge, detail), &id)
        }
    }
}

fn plain(problem: &Problem, request_id: &str) -> Response<Bytes> {
    let reply = problem.reply(Some(request_id));
    let body = if let ReplyBody::Bytes(bytes) = reply.body { bytes } else { Bytes::new() };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Returns the event for a response. A body that is plain text is sent as text; any other body, and every body with a
/// content coding, is sent in base64.
fn into_event(response: Response<Bytes>) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let coded = parts.headers.contains_key(CONTENT_ENCODING);
    let text = if coded { None } else { std::str::from_utf8(&body).ok().map(str::to_owned) };
    let is_base64_encoded = text.is_none();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = i64::from(parts.status.as_u16());
    answer.headers = combined(&parts.headers);
    answer.is_base64_encoded = is_base64_encoded;
    answer.body = Some(text.map_or_else(|| Body::Binary(body.to_vec()), Body::Text));
    answer
}

/// Joins the values of each header with commas, which is equivalent to repeating the header (RFC 9110, section 5.3); of
/// several values, API Gateway would send only one.
fn combined(headers: &HeaderMap) -> HeaderMap {
    let one = |name: &HeaderName| {
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        HeaderValue::from_bytes(&values.join(&b", "[..])).ok()
    };
    headers.keys().filter_map(|name| Some((name.clone(), one(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use credlink_auth::gate::Gate;
    use credlink_deployment::local::{Local, open};
    use credlink_service::ServiceSettings;
    use credlink_service::plain::Plain;
    use serde_json::{Value, json};

    use super::*;

    struct Cdn;

    impl Elsewhere for Cdn {
        async fn link(&self, key: &ObjectKey, is_private: bool) -> Option<String> {
            Some(if is_private {
                "https://signed.example.com".to_owned()
            } else {
                format!("https://cdn.example.com/{key}")
            })
        }
    }

    struct Nowhere;

    impl Elsewhere for Nowhere {
        async fn link(&self, _key: &ObjectKey, _is_private: bool) -> Option<String> {
            None
        }
    }

    fn service(folder: &Path) -> Service<Local> {
        let settings = ServiceSettings {
            public_url: "https://cdn.example.com".to_owned(),
            link_keys: None,
            count_reads: false,
            has_tenants: false,
            notice_on_read: false,
        };
        open(folder, Gate::of(None, None), settings).unwrap()
    }

    fn context() -> Context {
        context_with(Duration::from_secs(60))
    }

    fn context_with(left: Duration) -> Context {
        let mut context = Context::default();
        let soon = SystemTime::now() + left;
        context.deadline =
            u64::try_from(soon.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap();
        context.request_id = "lambda-1".to_owned();
        context
    }

    fn event(method: &str, path: &str, body: Option<(&str, &str)>) -> ApiGatewayV2httpRequest {
        let headers = body.map_or_else(|| json!({}), |(kind, _)| json!({"content-type": kind}));
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
            "requestContext": {
                "stage": "$default", "requestId": "gateway-1",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}
            },
            "body": body.map(|(_, text)| text), "isBase64Encoded": false,
        });
        serde_json::from_value(event).unwrap()
    }

    async fn ask(service: &Service<Local>, event: ApiGatewayV2httpRequest) -> Value {
        serde_json::to_value(answer(service, &Plain, &Cdn, event, &context()).await).unwrap()
    }

    #[tokio::test]
    async fn an_event_is_answered_like_a_request() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let body = r#"{"media_hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest":{"a":1}}"#;
        let stored = ask(&service, event("POST", "/v1/proofs", Some(("application/json", body)))).await;
        assert_eq!(stored["statusCode"], 201, "{stored}");
        assert_eq!(stored["headers"]["x-request-id"], "gateway-1");
        let path = stored["headers"]["location"].as_str().unwrap();
        let found = ask(&service, event("GET", path, None)).await;
        assert_eq!((&found["statusCode"], &found["isBase64Encoded"]), (&json!(200), &json!(false)));
        assert!(found["body"].as_str().unwrap().contains(r#""json":{"a":1}"#));
    }

    #[tokio::test]
    async fn a_change_is_not_begun_without_the_time_that_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let body = r#"{"media_hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest":{"a":1}}"#;
        let late = context_with(RESERVE + CHANGE - Duration::from_millis(1));
        let hurried =
            async |event| serde_json::to_value(answer(&service, &Plain, &Cdn, event, &late).await).unwrap();
        let refused = hurried(event("POST", "/v1/proofs", Some(("application/json", body)))).await;
        assert_eq!((&refused["statusCode"], &refused["headers"]["retry-after"]), (&json!(503), &json!("1")));
        assert!(refused["body"].as_str().unwrap().contains("it was not begun; send it again in 1 s"));
        let path = "/v1/proofs/ym32rzlpvukwoewqzin4wsrs3w55fqze";
        assert_eq!(
            hurried(event("GET", path, None)).await["statusCode"],
            404,
            "nothing is there, and reads go on"
        );
        assert_eq!(hurried(event("DELETE", path, None)).await["statusCode"], 503);
        let stored = ask(&service, event("POST", "/v1/proofs", Some(("application/json", body)))).await;
        assert_eq!(stored["statusCode"], 201);
    }

    #[tokio::test]
    async fn bytes_travel_in_base64_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let mut stored = event("POST", "/v1/manifests", Some(("application/c2pa", "")));
        let manifest = credlink_core::testing::manifest_store(
            "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4",
            &credlink_core::hash::Digest::of(b"x"),
        );
        stored.body = Some(STANDARD.encode(&manifest));
        stored.is_base64_encoded = true;
        assert_eq!(ask(&service, stored).await["statusCode"], 201);
        let path = "/v1/manifests/urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
        let found = ask(&service, event("GET", path, None)).await;
        assert_eq!(found["isBase64Encoded"], true);
        assert_eq!(STANDARD.decode(found["body"].as_str().unwrap()).unwrap(), manifest);
    }

    #[tokio::test]
    async fn a_path_that_is_no_uri_gets_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        for path in
            ["/v1/proofs/a b\"<>", "/v1/proofs/\u{1}", "", "/v1/manifests/%", "//", "/v1/proofs/\u{e4}?"]
        {
            let answered = ask(&service, event("GET", path, None)).await;
            let status = answered["statusCode"].as_u64().unwrap();
            assert!((400..500).contains(&status), "{path:?}: {answered}");
        }
    }

    #[test]
    fn a_named_stage_is_no_part_of_the_path() {
        for (stage, path, wanted) in [
            ("$default", "/v1/health", "/v1/health"),
            ("prod", "/prod/v1/health", "/v1/health"),
            ("v1", "/v1", "/v1"),
            ("v1", "/v1/v1/health", "/v1/health"),
            ("prod", "/v1/health", "/v1/health"),
        ] {
            let mut event = event("GET", path, None);
            event.request_context.stage = Some(stage.to_owned());
            assert_eq!(request(event, &context()).unwrap().uri().path(), wanted, "{stage} {path}");
        }
    }

    #[tokio::test]
    async fn what_is_too_large_is_found_elsewhere() {
        let large = |caching: &str| {
            let response = Response::builder().header(REQUEST_ID, "r-1").header(CACHE_CONTROL, caching);
            response.body(Bytes::from(vec![0; 5_000_000])).unwrap()
        };
        let path = "/v1/manifests/urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
        let (parts, ()) = Request::builder().uri(path).body(()).unwrap().into_parts();
        let redirected = too_large(&parts, large("public, max-age=60"), &Cdn).await;
        assert_eq!(redirected.status(), 307);
        let link = "https://cdn.example.com/manifests/urn%3Ac2pa%3Af9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
        assert_eq!(redirected.headers()[LOCATION], link);
        assert!(redirected.body().is_empty());
        // The path of a plain address does not tell which tenant's manifest is served there.
        let mut fronted = large("public, max-age=60");
        let tenant = "acme".parse().unwrap();
        let id = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4".parse().unwrap();
        fronted.extensions_mut().insert(Fronted(ManifestKey { id, tenant }));
        let redirected = too_large(&parts, fronted, &Cdn).await;
        assert_eq!(redirected.headers()[LOCATION], format!("{link}/acme"));
        // The CDN serves no private objects.
        let private = too_large(&parts, large("private, no-store"), &Cdn).await;
        assert_eq!(private.headers()[LOCATION], "https://signed.example.com");
        let refused = too_large(&parts, large("public, max-age=60"), &Nowhere).await;
        assert_eq!(refused.status(), 413);
        assert!(String::from_utf8_lossy(refused.body()).contains("CDN domain"));
    }

    #[test]
    fn several_values_become_one() {
        let response =
            Response::builder().header("vary", "a").header("vary", "b").body(Bytes::new()).unwrap();
        assert_eq!(into_event(response).headers["vary"], "a, b");
    }
}
