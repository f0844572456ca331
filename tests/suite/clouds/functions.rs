//! The API as the functions themselves serve it: each request becomes an API Gateway event, and goes to the binary to
//! which `template.yaml` routes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::ground::{Ground, PUBLIC_URL};
use super::rights::Watch;
use super::routes;
use crate::engines::runtime::Function;
use crate::http::api::Api;

/// The time limit that `template.yaml` sets for a scheduled run.
pub const RUN: Duration = Duration::from_secs(900);

/// The three functions behind API Gateway, and the scheduled one.
pub struct Functions {
    ground: Arc<Ground>,
    /// This deployment's own variables, which replace those of the ground.
    own: Vec<(String, String)>,
    store: Function,
    delete: Function,
    retrieve: Mutex<Function>,
    cleanup: Function,
    /// Set once something has been changed since `retrieve` was started.
    changed: AtomicBool,
    watch: Option<Watch>,
}

impl Functions {
    /// Starts the binaries.
    pub fn start(ground: &Arc<Ground>) -> Self {
        Self::reading(ground, "")
    }

    /// Starts the binaries of a deployment whose operator lists these sources of migrations.
    pub fn reading(ground: &Arc<Ground>, sources: &str) -> Self {
        Self::with(ground, &[("CREDLINK_MIGRATION_SOURCES", sources)])
    }

    /// Starts the binaries with these variables in place of the ground's.
    pub fn with(ground: &Arc<Ground>, own: &[(&str, &str)]) -> Self {
        Self::asking(ground, own, None)
    }

    /// Starts the binaries like [`with`](Self::with), and compares their calls to AWS with the rights of their roles
    /// ([`assert_rights`](Self::assert_rights)).
    pub fn watched(ground: &Arc<Ground>, own: &[(&str, &str)]) -> Self {
        Self::asking(ground, own, Some(Watch::over(&ground.s3.settings().bucket)))
    }

    fn asking(ground: &Arc<Ground>, own: &[(&str, &str)], watch: Option<Watch>) -> Self {
        let own: Vec<_> = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let start = |name| start(name, ground, &own, watch.as_ref());
        Self {
            ground: Arc::clone(ground),
            own: own.clone(),
            store: start("store"),
            delete: start("delete"),
            retrieve: start("retrieve").into(),
            cleanup: start("cleanup"),
            changed: AtomicBool::new(false),
            watch,
        }
    }

    /// Fails if a watched function has made a call that its role does not allow, or has not made one of the `expected`
    /// calls.
    pub fn assert_rights(&self, expected: &[&str]) {
        self.watch.as_ref().expect("they are watched").assert_allowed(expected);
    }

    /// The function behind GET and HEAD. A process that was started before the last change may answer from its cache
    /// for a minute, as the CDN may. A new process is therefore started here, as when Lambda starts another instance.
    async fn retrieve(&self, event: Value) -> Value {
        let mut retrieve = self.retrieve.lock().await;
        if self.changed.swap(false, Ordering::Relaxed) {
            *retrieve = start("retrieve", &self.ground, &self.own, self.watch.as_ref());
        }
        done(retrieve.invoke(event).await)
    }

    /// The function `store`.
    pub const fn store(&self) -> &Function {
        &self.store
    }

    /// Waits until the process behind GET and HEAD has reported `hits` answers from a layer of the cache.
    pub async fn hits(&self, layer: &str, hits: u64) {
        let is = |line: &Value| line["layer"] == layer && line["credlink_cache_hits"] == hits;
        self.retrieve.lock().await.line(is).await;
    }
}

impl Api for Functions {
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let event = event(&request);
        let function = match routes::function(request.method(), request.uri().path()) {
            "delete" => &self.delete,
            "store" => &self.store,
            _ => {
                if request.uri().path() == "/v1/stats" {
                    // A process that commits often writes its sums only every ten seconds; the schedule corrects them.
                    done(self.cleanup.invoke_within(RUN, json!({})).await);
                }
                return response(&self.retrieve(event).await);
            }
        };
        let response = response(&done(function.invoke(event).await));
        if response.status().is_success() {
            self.changed.store(true, Ordering::Relaxed);
        }
        response
    }

    fn base(&self) -> &str {
        PUBLIC_URL
    }

    async fn wait_seconds(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// Starts a new process of the function `name`.
fn start(name: &str, ground: &Ground, own: &[(String, String)], watch: Option<&Watch>) -> Function {
    let mut variables = ground.variables(name);
    let watched = watch.map(|watch| watch.variables(name)).unwrap_or_default();
    for own in [own, &watched] {
        variables.retain(|(name, _)| own.iter().all(|(known, _)| known != name));
        variables.extend_from_slice(own);
    }
    Function::start(name, &variables)
}

fn done(outcome: Result<Value, Value>) -> Value {
    outcome.unwrap_or_else(|error| panic!("the function failed: {error}"))
}

/// Returns the event that API Gateway makes of a request (HTTP API, payload format 2.0).
pub fn event(request: &Request<Bytes>) -> Value {
    let mut headers = Map::new();
    for name in request.headers().keys() {
        let values: Vec<&str> =
            request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.to_string(), values.join(",").into());
    }
    headers.entry("host").or_insert_with(|| "api.example.com".into());
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let body = (!request.body().is_empty()).then(|| STANDARD.encode(request.body()));
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example.com",
            "stage": "$default",
            "requestId": uuid::Uuid::new_v4().to_string(),
            "routeKey": "$default",
            "time": "21/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1_795_262_400_000_u64,
            "http": {
                "method": request.method().as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "tests",
            },
        },
        "body": body,
        "isBase64Encoded": true,
    })
}

/// Returns the response that API Gateway makes of a function's answer.
pub fn response(answer: &Value) -> Response<Bytes> {
    let status = u16::try_from(answer["statusCode"].as_u64().expect("an answer has a status")).unwrap();
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text).expect("the body is base64").into(),
        _ => Bytes::from(text.to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().unwrap();
        response.headers_mut().insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
    }
    response
}
