//! The API out of the functions themselves: each request becomes an event of API Gateway, and goes to the binary that
//! `template.yaml` routes it to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use serde_json::{Map, Value, json};

use crate::engines::runtime::Function;
use crate::http::api::Api;

/// What stands before the paths of links that the functions give.
pub const PUBLIC_URL: &str = "https://cdn.example.com";

/// The three functions behind API Gateway.
pub struct Functions {
    store: Function,
    retrieve: Function,
    delete: Function,
}

impl Functions {
    /// Starts the three binaries with these variables.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let start = |name| Function::start(name, variables);
        Self { store: start("store"), retrieve: start("retrieve"), delete: start("delete") }
    }

    /// The function that a request is routed to.
    fn of(&self, method: &Method, path: &str) -> &Function {
        match *method {
            Method::DELETE => &self.delete,
            Method::POST if path == "/v1/proofs/batch-delete" => &self.delete,
            Method::POST | Method::PUT => &self.store,
            _ => &self.retrieve,
        }
    }
}

impl Api for Functions {
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let function = self.of(request.method(), request.uri().path());
        let event = event(&request);
        let answer = tokio::task::block_in_place(|| function.invoke(event));
        response(&answer.unwrap_or_else(|error| panic!("the function failed: {error}")))
    }

    fn base(&self) -> &str {
        PUBLIC_URL
    }

    async fn wait_seconds(&self, seconds: u64) {
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    }
}

/// The event that API Gateway makes of a request (HTTP API, payload format 2.0).
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

/// The response that API Gateway makes of a function's answer.
fn response(answer: &Value) -> Response<Bytes> {
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
