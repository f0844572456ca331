//! The OpenAPI document is kept true: it is well formed, and it lists exactly what the router accepts.
//!
//! Answers and request bodies are checked against it with every exchange (see `contract`).

use std::collections::BTreeSet;
use std::str::FromStr;

use credlink_core::bounds::{
    MAX_BATCH, MAX_JOB_NAME_BYTES, MAX_LEGACY_ID_BYTES, MAX_LIFETIME_SECONDS, MAX_LINK_SECONDS,
    MAX_MANIFEST_ID_BYTES, MAX_MEDIA_TYPE_BYTES, MAX_MESSAGE_ITEMS, MAX_PAGE, MAX_SIGNATURE_BYTES,
    MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS, MAX_TAGS, MAX_TENANT_BYTES,
};
use credlink_core::file_record::FileRecord;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::http::problem::ProblemKind;
use credlink_core::http::route::Route;
use credlink_core::job_name::JobName;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

use super::ask::{media, proof};
use super::contract::{CDN_PATHS, CONTRACT, fits};

/// Visits every object of the document, with its place.
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
            // The proxy in front of the service words a 429 itself, and health has the same form whatever its status.
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

#[test]
fn every_answer_has_its_members_described() {
    for (method, path, operation) in CONTRACT.operations() {
        // A document of this form describes itself.
        if path == "/v1/openapi.json" {
            continue;
        }
        // A part of a document has no members.
        for (status, response) in
            operation["responses"].as_object().unwrap().iter().filter(|(status, _)| *status != "206")
        {
            let schema = &response["content"]["application/json"]["schema"];
            let has_members = schema["$ref"].is_string()
                || ["properties", "oneOf", "anyOf", "allOf"].iter().any(|name| !schema[*name].is_null());
            // Parts of other answers, as they are.
            let is_text = schema["type"] == "string";
            assert!(schema.is_null() || has_members || is_text, "{method} {path} {status}: {schema}");
        }
    }
}

/// The schemas let unknown members through, as clients must, so that a member which nobody described would not be noticed.
#[test]
fn files_have_the_members_that_are_described() {
    let (picture, file) = (media("x"), "a".repeat(32));
    let record = json!({
        "version": 1, "id": file, "tenant": "default", "revision": 1,
        "collection": {"name": "item-photo", "version": 1}, "entity": {"type": "item", "id": "1"},
        "access": "private", "audited": true, "shows_original": true, "cache": "by-type", "blob": file,
        "media_hash": picture.to_string(), "type": "image/png", "bytes": 1, "width": 1, "height": 1, "frames": 2,
        "renditions": [], "same": {"large": "medium"}, "thumbhash": "AA==", "focal": {"x": 0.5, "y": 0.5},
        "alt": "A boat", "tags": {"a": "b"}, "proof": file, "created": "2026-01-01T00:00:00Z",
        "expires": "2027-01-01T00:00:00Z", "owner": "anna", "filename": "a.png", "details": {},
    });
    // Every member of a record is named here, or this would not be one.
    let parsed: FileRecord = serde_json::from_value(record.clone()).unwrap();
    let written = serde_json::to_value(&parsed).unwrap();
    let described = &CONTRACT.document()["components"]["schemas"]["FileDocument"]["properties"];
    let described: BTreeSet<&str> = described.as_object().unwrap().keys().map(String::as_str).collect();
    let members = record.as_object().unwrap().keys().chain(written.as_object().unwrap().keys());
    let members: BTreeSet<&str> = members.map(String::as_str).chain(["urls", "unattached"]).collect();
    assert_eq!(described, members);
    let validator = CONTRACT.validator(&json!({"$ref": "#/components/schemas/FileDocument"}));
    assert!(validator.is_valid(&record));
    for wrong in
        [("access", json!("all")), ("bytes", json!("1")), ("created", json!("today")), ("id", json!(null))]
    {
        let mut other = record.clone();
        other[wrong.0] = wrong.1;
        assert!(!validator.is_valid(&other), "{}", wrong.0);
    }
}

#[test]
fn ids_are_what_their_schemas_say() {
    fn agree<T: FromStr>(name: &str, samples: &[&str]) {
        let validator = CONTRACT.validator(&json!({"$ref": format!("#/components/schemas/{name}")}));
        let mut taken = 0;
        for sample in samples {
            let is_taken = sample.parse::<T>().is_ok();
            assert_eq!(validator.is_valid(&json!(sample)), is_taken, "{name} {sample:?}");
            taken += usize::from(is_taken);
        }
        assert!(0 < taken && taken < samples.len(), "{name}: {taken} of the samples are taken");
    }
    let hex = "0123456789abcdef".repeat(4);
    let (upper, prefixed, id) = (hex.to_uppercase(), format!("sha256:{hex}"), proof("x").to_string());
    let long = |bytes: usize| format!("a:{}", "x".repeat(bytes - 2));
    let (longest, longer) = (long(MAX_MANIFEST_ID_BYTES), long(MAX_MANIFEST_ID_BYTES + 1));
    let of = |bytes: usize| "a".repeat(bytes);
    let (legacy, more) = (of(MAX_LEGACY_ID_BYTES), of(MAX_LEGACY_ID_BYTES + 1));
    let (name, longer_name) = (of(MAX_JOB_NAME_BYTES), of(MAX_JOB_NAME_BYTES + 1));
    let (tenant, longer_tenant) = (of(MAX_TENANT_BYTES), of(MAX_TENANT_BYTES + 1));
    let odd = [
        "", " ", "a b", "ä", "a/b", "..", "a\n", "-a", "a-", "A", "a1", "0", "_a", "a_b", "a.b", "a~b",
        "a:b", ":a", "%3A",
    ];
    agree::<ProofId>("ProofId", &[&odd[..], &[&id, &id.to_uppercase(), &id[1..], &hex]].concat());
    agree::<Digest>("Digest", &[&odd[..], &[&hex, &upper, &prefixed, &hex[1..]]].concat());
    agree::<MediaHash>(
        "MediaHash",
        &[&odd[..], &[&hex, &upper, &prefixed, &prefixed[..70], "md5:00"]].concat(),
    );
    let urn = "urn:c2pa:F9168C5E-ceb2-4faa-b6bf-329bf39fa1e4:acme:2_1";
    agree::<ManifestId>(
        "ManifestId",
        &[&odd[..], &[urn, "contentauth:urn:uuid:x", &longest, &longer]].concat(),
    );
    agree::<LegacyId>("LegacyId", &[&odd[..], &[&legacy, &more, "urn:old:7"]].concat());
    agree::<JobName>("JobName", &[&odd[..], &[&name, &longer_name, "archive-2019"]].concat());
    agree::<Tenant>("Tenant", &[&odd[..], &[&tenant, &longer_tenant]].concat());
}

#[test]
fn bounds_are_those_of_the_service() {
    let schema = |path: &str, method: &str, name: &str| {
        let parameters = CONTRACT.document()["paths"][path][method]["parameters"].as_array().unwrap();
        parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"].clone()
    };
    for path in ["/v1/proofs", "/v1/aliases", "/v1/manifests"] {
        let limit = schema(path, "get", "limit");
        assert_eq!((&limit["minimum"], &limit["maximum"]), (&json!(1), &json!(MAX_PAGE)), "{path}");
    }
    let expires_in = schema("/v1/proofs/{id}/url", "get", "expires_in");
    assert_eq!((&expires_in["minimum"], &expires_in["maximum"]), (&json!(1), &json!(MAX_LINK_SECONDS)));
    let schemas = &CONTRACT.document()["components"]["schemas"];
    for body in ["StoreBody", "ReplacementBody"] {
        let member = |name: &str| schemas[body]["properties"][name].clone();
        assert_eq!(member("expires_in")["maximum"], json!(MAX_LIFETIME_SECONDS), "{body}");
        assert_eq!(member("signature")["maxLength"], json!(MAX_SIGNATURE_BYTES), "{body}");
        assert_eq!(member("media_type")["maxLength"], json!(MAX_MEDIA_TYPE_BYTES), "{body}");
        let tags = member("tags");
        assert_eq!(tags["maxProperties"], json!(MAX_TAGS), "{body}");
        assert_eq!(tags["propertyNames"]["maxLength"], json!(MAX_TAG_KEY_CHARS), "{body}");
        assert_eq!(tags["additionalProperties"]["maxLength"], json!(MAX_TAG_VALUE_CHARS), "{body}");
    }
    assert_eq!(schemas["BatchDeleteBody"]["properties"]["ids"]["maxItems"], json!(MAX_BATCH));
    assert_eq!(schemas["MigrationBody"]["properties"]["batch_size"]["maximum"], json!(MAX_MESSAGE_ITEMS));
}

#[test]
fn bodies_are_what_their_schemas_say() {
    let store = CONTRACT.validator(&json!({"$ref": "#/components/schemas/StoreBody"}));
    let replacement = CONTRACT.validator(&json!({"$ref": "#/components/schemas/ReplacementBody"}));
    let (hash, tenant) = (media("x"), Tenant::default());
    let c2pa = BASE64.encode(&manifest_store("urn:c2pa:x", hash.digest()));
    let origin = json!({"created": "2020-01-01T00:00:00Z", "expires": "2030-01-01T00:00:00Z"});
    let with = |name: &str, value: Value| {
        let mut body = json!({"media_hash": hash.to_string(), "manifest": {}});
        body[name] = value;
        body
    };
    let of_origin = |name: &str, value: Value| {
        let mut origin = origin.clone();
        origin[name] = value;
        with("origin", origin)
    };
    let mut both_instants = with("origin", origin.clone());
    both_instants["expires_in"] = json!(60);
    for body in [
        with("media_type", json!("image/jpeg; q=1")),
        with("media_type", json!("image")),
        with("media_hash", json!(null)),
        with("media_hash", json!("md5:00")),
        with("manifest", json!(null)),
        with("manifest", json!([])),
        with("manifest_base64", json!(null)),
        with("manifest_base64", json!(c2pa)),
        with("manifest_type", json!("application/json")),
        with("manifest_type", json!("application/c2pa")),
        json!({"media_hash": hash.to_string(), "manifest_base64": c2pa}),
        json!({"media_hash": hash.to_string(), "manifest_base64": c2pa, "manifest_type": "application/c2pa"}),
        json!({"media_hash": hash.to_string(), "manifest_base64": "e30", "manifest_type": "application/json"}),
        json!({"manifest": {}}),
        with("signature", json!("")),
        with("signature", json!("a\nb")),
        with("signature", json!("a\u{1}")),
        with("expires_in", json!(0)),
        with("expires_in", json!(86_400.0)),
        with("expires_in", json!(1.5)),
        with("tags", json!({"Größe": "日本語 +-=._:/@"})),
        with("tags", json!({"aws:a": "b"})),
        with("tags", json!({"a": "हिन्दी"})),
        with("tags", json!({"": "b"})),
        with("visibility", json!("private")),
        with("visibility", json!("secret")),
        with("unknown", json!(1)),
        with("origin", origin.clone()),
        both_instants,
        of_origin("legacy_id", json!("p-1")),
        of_origin("legacy_id", json!("..")),
        of_origin("legacy_fields", json!({})),
        of_origin("restores", json!("2020-01-01T00:00:00Z")),
    ] {
        for (schema, known) in [(&store, None), (&replacement, Some(&hash))] {
            let parsed = Draft::parse(body.to_string().as_bytes(), tenant.clone(), known);
            assert_eq!(schema.is_valid(&body), parsed.is_ok(), "{known:?} {body}: {parsed:?}");
        }
    }
}

/// Returns `true` if the router accepts this method on this path, whatever it says about the IDs in it.
fn is_taken(method: &Method, path: &str) -> bool {
    match Route::parse(method, path, "") {
        Ok(_) => true,
        Err(problem) => !matches!(problem.kind, ProblemKind::NoSuchRoute | ProblemKind::MethodNotAllowed),
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
    // Longer paths. With every word in each place there would be hundreds of thousands.
    let longer = ["/front", "/visibility", "/tenants", "/front/x"];
    paths.extend(longer.iter().flat_map(|end| words.map(|word| format!("/v1/manifests/{word}{end}"))));
    for place in ["/v1/tenants/acme", "/tenants/acme", "/v1/tenants", "/v1/proofs/acme"] {
        paths.extend(words.iter().flat_map(|word| {
            ["", "/urn:c2pa:x", "/x", "/urn:c2pa:x/front", "/urn:c2pa:x/visibility"]
                .map(|end| format!("{place}/{word}{end}"))
        }));
    }
    let (file, media) = (&id, "/media");
    for (place, ends) in [
        ("/v1/uploads", ["", "/sign", "/x", "/complete", "/parts", "/bytes", "/x/y"].as_slice()),
        ("/v1/files", ["", "/batch-delete", "/x", "/renditions", "/audit", "/url", "/x/y"].as_slice()),
        (
            "/v1/entities/item",
            ["", "/1", "/1/item-photo", "/1/item-photo/only", "/1/item-photo/x"].as_slice(),
        ),
        ("/v1/media", ["", "/x", "/original", "/large.webp", "/large/x"].as_slice()),
        (media, ["", "/x", "/original", "/large.webp", "/large/x"].as_slice()),
    ] {
        paths.extend(ends.iter().flat_map(|end| [format!("{place}{end}"), format!("{place}/{file}{end}")]));
    }
    // The only path that fits two templates with equally many parameters. It succeeds under neither.
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
        // OPTIONS is accepted wherever any method is.
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
    for said in [
        "HEAD",
        "OPTIONS",
        "x-request-id",
        "credlink-api",
        "Content-Encoding: gzip",
        "application/problem+json",
    ] {
        assert!(description.contains(said), "the description does not mention {said}");
    }
    for path in CDN_PATHS {
        assert!(description.contains(path), "the description does not mention {path}");
    }
}
