//! The OpenAPI document is kept true: it is well formed, and it lists what the router takes, no more and no less.
//!
//! That answers and request bodies are as it says is checked with every exchange (see `contract`).

use std::collections::BTreeSet;

use credlink_core::http::problem::Kind;
use credlink_core::http::route::Route;
use http::Method;
use serde_json::Value;

use super::ask::{media, proof};
use super::contract::{CDN_PATHS, CONTRACT, fits};

/// Every object of the document, with its place.
fn walk<'a>(value: &'a Value, place: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    visit(place, value);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), visit);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                walk(item, &format!("{place}/{number}"), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn the_document_is_well_formed() {
    let document = CONTRACT.document();
    let parsed: utoipa::openapi::OpenApi = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(document["openapi"].as_str().unwrap().split('.').take(2).collect::<Vec<_>>(), ["3", "1"]);
    assert_eq!(parsed.info.title, "CredLink");
    assert_eq!(parsed.paths.paths.len(), document["paths"].as_object().unwrap().len());
    walk(document, "", &mut |place, value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some(), "{place}: {reference} leads nowhere");
        }
        if let Some(schema) = value.get("schema").filter(|schema| schema.is_object()) {
            // Building a validator checks the schema against the metaschema of JSON Schema 2020-12.
            CONTRACT.validator(schema);
        }
    });
    for schema in document["components"]["schemas"].as_object().unwrap().values() {
        CONTRACT.validator(schema);
    }
}

#[test]
fn every_operation_says_what_it_needs_and_how_it_fails() {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in CONTRACT.operations() {
        let place = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{place}: an operationId twice");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}: no summary");
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.contains_key("default"), "{place}: any status at all");
        for status in ["401", "414", "500"] {
            assert!(responses.contains_key(status), "{place}: {status} is not there");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            // What stands before the service says 429 in its own words; health is told in the same form whatever it is.
            let told = status == "429" || (path == "/v1/health" && status == "503");
            let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert!(told || problem == "#/components/schemas/Document", "{place}: {status} is no problem");
        }
        let guarded = Route::scope_of(&method, path, "").is_some();
        let says =
            operation["security"].as_array().is_some_and(|all| all.iter().any(|one| one["token"].is_array()));
        assert!(says || !guarded, "{place}: it does not say that it needs a credential");
        let no_parameters = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&no_parameters);
        let declared: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let used: BTreeSet<&str> =
            path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(declared, used, "{place}: its path parameters");
    }
}

/// Whether the router takes this method of this path, whatever it says of the ids in it.
fn is_taken(method: &Method, path: &str) -> bool {
    match Route::parse(method, path, "") {
        Ok(_) => true,
        Err(problem) => !matches!(problem.kind, Kind::NoSuchRoute | Kind::MethodNotAllowed),
    }
}

#[test]
fn the_document_lists_what_the_router_takes_and_nothing_else() {
    let (id, hash) = (proof("x").to_string(), media("x").to_string().replace("sha256:", ""));
    let words = [
        "",
        "v1",
        "proofs",
        "manifests",
        "migrations",
        "archive-2019",
        "aliases",
        "health",
        "stats",
        "openapi.json",
        "batch-delete",
        "url",
        "by-hash",
        "1",
        "urn:c2pa:x",
        &id,
        &hash,
    ];
    let mut paths: Vec<String> = vec![String::new()];
    for depth in 0..4 {
        let longer = paths.iter().filter(|path| path.matches('/').count() == depth);
        let longer = longer.flat_map(|path| words.iter().map(move |word| format!("{path}/{word}")));
        paths.extend(longer.collect::<Vec<_>>());
    }
    // The one path that fits two templates of equally many parameters; neither reading of it can succeed.
    paths.retain(|path| !path.ends_with("/proofs/by-hash/url"));
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"];
    let methods = methods.map(|method| method.parse::<Method>().unwrap());
    let mut met = BTreeSet::new();
    for path in &paths {
        for method in &methods {
            let operation = CONTRACT.operation(method, path);
            assert_eq!(is_taken(method, path), operation.is_some(), "{method} {path}");
            met.extend(operation.map(|operation| operation["operationId"].as_str().unwrap()));
        }
        // OPTIONS is taken wherever anything is.
        let anything = methods.iter().any(|method| is_taken(method, path));
        assert_eq!(is_taken(&Method::OPTIONS, path), anything, "OPTIONS {path}");
    }
    let documented: BTreeSet<&str> =
        CONTRACT.operations().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(met, documented, "an operation whose path is not among those that were tried");
    assert!(CDN_PATHS.iter().all(|path| paths.iter().any(|tried| fits(path, tried))));
}

#[test]
fn the_document_says_what_holds_for_all_paths() {
    let description = CONTRACT.document()["info"]["description"].as_str().unwrap();
    for said in ["HEAD", "OPTIONS", "x-request-id", "Content-Encoding: gzip", "application/problem+json"] {
        assert!(description.contains(said), "the description does not mention {said}");
    }
    for path in CDN_PATHS {
        assert!(description.contains(path), "the description does not mention {path}");
    }
}
