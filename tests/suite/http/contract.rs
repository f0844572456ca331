//! The OpenAPI document as a contract: every exchange is checked against its description.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use credlink_core::encoding::Coding;
use credlink_core::encoding::decode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response};
use serde_json::{Value, json};

use crate::world::{Ground, World};

/// The longest body that is checked, in bytes.
const MAX_BYTES: usize = 64_000_000;

/// An OpenAPI document and its operations.
pub struct Contract {
    document: Value,
    exercised: Mutex<BTreeSet<String>>,
    /// The validators that were built, by the text of their schema: to build one takes longer than to check many bodies.
    validators: Mutex<HashMap<String, Arc<jsonschema::Validator>>>,
}

/// The paths that can also be read on the CDN domain, which are the API's without `/v1`.
pub const CDN_PATHS: [&str; 7] = [
    "/proofs/{id}",
    "/proofs/{id}/{revision}",
    "/proofs/by-hash/{media_hash}",
    "/manifests/{manifest_id}",
    "/tenants/{tenant}/manifests/{manifest_id}",
    "/media/{file}/{name}",
    "/health",
];

/// The document that the service of this build serves.
pub static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let request = Request::get("/v1/openapi.json").body(Bytes::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // A separate thread, since a runtime cannot be entered within another.
    let document = std::thread::spawn(move || runtime.block_on(World::on(Ground::Memory).answer(request)));
    let document = serde_json::from_slice(document.join().unwrap().body()).unwrap();
    Contract { document, exercised: Mutex::default(), validators: Mutex::default() }
});

impl Contract {
    /// The document.
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// Every operation, as its method, its path template and its description.
    pub fn operations(&self) -> impl Iterator<Item = (Method, &str, &Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().iter();
            operations.map(move |(method, operation)| {
                (method.to_uppercase().parse().unwrap(), path.as_str(), operation)
            })
        })
    }

    /// The operation of a request. HEAD is allowed wherever GET is. If a path fits several templates, the one with the
    /// fewest parameters applies: `/v1/proofs/batch-delete` before `/v1/proofs/{id}` (OpenAPI 3.1, section 4.8.8.2).
    pub fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let paths = self.document["paths"].as_object().unwrap();
        let template = if path.starts_with("/v1/") {
            closest(paths.keys().map(String::as_str), path)?.to_owned()
        } else {
            let template = closest(CDN_PATHS.into_iter(), path).filter(|_| *method == Method::GET)?;
            format!("/v1{template}")
        };
        paths[&template].get(method.as_str().to_lowercase())
    }

    /// The operations that have succeeded so far in this process.
    pub fn exercised(&self) -> BTreeSet<String> {
        self.exercised.lock().unwrap().clone()
    }

    /// Asserts that an exchange conforms to the document.
    pub fn check(&self, request: &Request<Bytes>, response: &Response<Bytes>) {
        let (method, path, status) = (request.method(), request.uri().path(), response.status());
        let place = format!("{method} {path} → {status}");
        if *method == Method::OPTIONS && status.is_success() {
            return;
        }
        let Some(operation) = self.operation(method, path) else {
            // There is no such route or method, or the target is too long or not a path.
            assert!(matches!(status.as_u16(), 400 | 404 | 405 | 414), "{place}: undocumented");
            let schema = json!({"$ref": "#/components/schemas/Document"});
            return self.check_body(&place, &schema, response.headers(), response.body());
        };
        let responses = &operation["responses"];
        let documented = match &responses[status.as_str()] {
            Value::Null if status.is_client_error() || status.is_server_error() => &responses["default"],
            documented => documented,
        };
        assert!(documented.is_object(), "{place}: this status is not documented");
        if status.is_success() && status != 206 {
            self.check_request(&place, operation, request);
        }
        if status.is_success() {
            self.exercised.lock().unwrap().insert(operation["operationId"].as_str().unwrap().to_owned());
        }
        let Some(content) = documented["content"].as_object() else {
            assert!(response.body().is_empty(), "{place}: a body, and none is documented");
            return;
        };
        let Some(kind) = response.headers().get(CONTENT_TYPE) else {
            panic!("{place}: no content type; documented are {:?}", content.keys());
        };
        let kind = kind.to_str().unwrap();
        let Some(media) = content.get(kind) else {
            panic!("{place}: {kind} is not documented, but {:?}", content.keys());
        };
        // Part of a JSON text is not JSON, and HEAD has no body.
        if kind.ends_with("json") && status != 206 && *method != Method::HEAD {
            self.check_body(&place, &media["schema"], response.headers(), response.body());
        }
    }

    /// Asserts that the document allows a request that the service has accepted.
    fn check_request(&self, place: &str, operation: &Value, request: &Request<Bytes>) {
        let Some(content) = operation["requestBody"]["content"].as_object() else {
            assert!(request.body().is_empty(), "{place}: a request body, and none is documented");
            return;
        };
        let kind = request.headers()[CONTENT_TYPE].to_str().unwrap();
        let essence = kind.split(';').next().unwrap().trim().to_ascii_lowercase();
        let Some(media) = content.get(&essence) else { panic!("{place}: a request body of {essence}") };
        if essence.ends_with("json") {
            self.check_body(place, &media["schema"], request.headers(), request.body());
        }
    }

    fn check_body(&self, place: &str, schema: &Value, headers: &HeaderMap, body: &Bytes) {
        let coding = headers.get(CONTENT_ENCODING).map(|_| Coding::Gzip);
        let body = decode(body, coding, MAX_BYTES).unwrap();
        let value: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{place}: {error}"));
        let errors: Vec<String> = self
            .validator(schema)
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            errors.is_empty(),
            "{place}: the body is not as documented:\n{}\n{value:#}",
            errors.join("\n")
        );
    }

    /// A validator for a schema of this document.
    pub fn validator(&self, schema: &Value) -> Arc<jsonschema::Validator> {
        let text = schema.to_string();
        if let Some(built) = self.validators.lock().unwrap().get(&text) {
            return Arc::clone(built);
        }
        let components: BTreeMap<_, _> = self.document["components"].as_object().unwrap().iter().collect();
        let rooted = json!({"allOf": [schema], "components": components});
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let built = Arc::new(options.build(&rooted).unwrap());
        self.validators.lock().unwrap().insert(text, Arc::clone(&built));
        built
    }
}

/// The template that applies to a path.
fn closest<'a>(templates: impl Iterator<Item = &'a str>, path: &str) -> Option<&'a str> {
    templates.filter(|template| fits(template, path)).min_by_key(|template| template.matches('{').count())
}

/// Returns `true` if a path fits a template.
pub fn fits(template: &str, path: &str) -> bool {
    let (mut segments, mut wanted) = (path.split('/'), template.split('/'));
    loop {
        match (wanted.next(), segments.next()) {
            (None, None) => return true,
            (Some(wanted), Some(segment)) if wanted == segment || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}
