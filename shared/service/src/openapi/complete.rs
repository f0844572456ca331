//! What the macros of an operation don't say: every status that can come, and the members of a body that depend on each other.
//!
//! An operation names the statuses that mean something of its own; a problem among them needs no more than its meaning. Here the
//! other statuses are added, with what all answers of a kind have in common: a client, and a tool that compares answers with the
//! document, can tell what is possible from what is not.

use credlink_core::media_type::STORED_TYPE;
use serde_json::{Map, Value, json};

/// The schema of a problem.
const PROBLEM: &str = "#/components/schemas/Document";

/// Completes the document that the macros make.
pub(super) fn complete(document: &mut Value) {
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                complete_operation(&Traits::of(method, path, operation), operation);
            }
        }
    }
    store_bodies(document);
    problems(document);
}

/// What decides which statuses an operation can have.
struct Traits {
    /// It reads an object: conditions, ranges and signed links count.
    reads: bool,
    /// It needs a credential.
    guarded: bool,
    /// It has a body.
    body: bool,
    /// Its path has an id.
    id: bool,
    /// It changes something.
    changes: bool,
    /// It asks the index or a provider.
    asks: bool,
    /// It has parameters or a body, which can be malformed.
    given: bool,
}

impl Traits {
    fn of(method: &str, path: &str, operation: &Value) -> Self {
        let security = operation["security"].as_array();
        let body = operation["requestBody"].is_object();
        Self {
            reads: parameters(operation).any(|parameter| parameter["name"] == "form"),
            guarded: security.is_some_and(|all| all.iter().all(|one| one["token"].is_array())),
            body,
            id: path.contains('{'),
            changes: method != "get",
            asks: operation["operationId"] != "openapi",
            given: body || operation["parameters"].is_array(),
        }
    }

    /// The statuses besides those that the operation names itself, what they mean, and the header that tells more.
    fn statuses(&self) -> impl Iterator<Item = (&'static str, &'static str, Option<&'static str>)> {
        let table = [
            (
                self.reads,
                "307",
                "Too large for an answer of a function: where it can be read",
                Some("location"),
            ),
            (self.given, "400", "A part of the request is invalid", None),
            (true, "401", "No credential, or one that is not accepted", Some("www-authenticate")),
            (
                self.guarded,
                "403",
                "The credential does not allow this, or it belongs to another tenant",
                None,
            ),
            (self.reads, "403", "It is private, or the link is not valid", None),
            (true, "403", "A server without tokens was asked from elsewhere than its own machine", None),
            (self.id || self.reads, "404", "There is nothing here", None),
            (self.changes, "409", "Others are changing the same thing", None),
            (self.reads, "410", "Deleted or expired", None),
            (self.reads, "412", "It is not what `If-Match` or `If-Unmodified-Since` names", None),
            (self.body || self.reads, "413", "Too large for a request, or for an answer of a function", None),
            (true, "414", "The path and query are too long", None),
            (self.body, "415", "Another type or coding than those that are taken", None),
            (self.reads, "416", "The range lies beyond the end", Some("content-range")),
            (true, "421", "A server without tokens was asked for another host than its own machine", None),
            (true, "500", "Something went wrong here", None),
            (self.asks && (self.id || self.body || self.reads), "502", "What is stored is damaged", None),
            (
                self.asks,
                "503",
                "The store is out of reach or full, or stopped until an operator has looked",
                Some("retry-after"),
            ),
        ];
        table.into_iter().filter(|row| row.0).map(|(_, status, meaning, header)| (status, meaning, header))
    }
}

fn complete_operation(traits: &Traits, operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5']) && response["content"].is_null() {
            response["content"] = problem_content();
        }
    }
    if traits.reads {
        read(responses);
    }
    for (status, meaning, header) in traits.statuses() {
        let response = responses.entry(status).or_insert_with(|| problem(meaning));
        if let (Some(response), "307") = (response.as_object_mut(), status) {
            response.remove("content");
        }
        if let Some(header) = header {
            response["headers"][header] = json!({"schema": {"type": "string"}});
        }
    }
    if traits.asks {
        // Said by what stands before the service, in a form of its own.
        responses
            .entry("429")
            .or_insert_with(|| json!({"description": "Too many requests; come again later"}));
    }
    for (status, response) in responses.iter_mut() {
        if status != "429" {
            response["headers"]["x-request-id"] =
                json!({"description": "The request, as the log names it", "schema": {"type": "string"}});
            response["headers"]["credlink-api"] =
                json!({"description": "The version of the API", "schema": {"type": "string", "enum": ["1"]}});
        }
        as_bytes(response);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        as_bytes(body);
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        for (name, pattern) in PATTERNS {
            if parameter["name"] == name {
                parameter["schema"]["pattern"] = json!(pattern);
            }
        }
    }
    if traits.reads
        && let Some(parameters) = operation["parameters"].as_array_mut()
    {
        parameters.extend(signed_link());
    }
}

/// The patterns of parameters that mean the same wherever they are taken.
const PATTERNS: [(&str, &str); 2] =
    [("form", "^stored$"), ("If-Match", r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*"){0,99})$"#)];

fn parameters(operation: &Value) -> impl Iterator<Item = &Value> {
    operation["parameters"].as_array().into_iter().flatten()
}

/// The answers of a read of an object: the content that the operation names, that content as it is stored, and a part of it; or
/// that the client has it.
fn read(responses: &mut Map<String, Value>) {
    let mut part = None;
    if let Some(content) = responses.get_mut("200").and_then(|response| response["content"].as_object_mut()) {
        // A part of JSON is no JSON.
        part = content.keys().next().map(|kind| json!({kind: {"schema": {"type": "string"}}}));
        content.insert(STORED_TYPE.to_owned(), json!({}));
    }
    if let Some(response) = responses.get_mut("200") {
        response["headers"]["credlink-attributes"] = json!({
            "description": "With `form=stored`: what is stored beside the bytes, as JSON",
            "schema": {"type": ["string", "null"]},
        });
    }
    let partial =
        responses.entry("206").or_insert_with(|| json!({"description": "The part that `Range` asks for"}));
    partial["content"] = part.unwrap_or_default();
    responses.entry("304").or_insert_with(|| json!({"description": "The client has it"}));
}

/// The parameters of a signed link, which go together.
fn signed_link() -> [Value; 4] {
    let parameter = |name: &str, says: &str, schema: Value| {
        let description = format!("Of a signed link, with the three others: {says}");
        json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
    };
    [
        parameter("expires", "when it ends, in seconds since 1970", json!({"type": "integer", "minimum": 0})),
        parameter("key", "the name of the key that signed it", json!({"type": "string"})),
        parameter(
            "life",
            "which life of the object it opens: what is stored in its place after a deletion has another one",
            json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
        ),
        parameter(
            "signature",
            "the signature, in base64url",
            json!({"type": "string", "pattern": "^[A-Za-z0-9_-]*$"}),
        ),
    ]
}

fn problem(meaning: &str) -> Value {
    json!({"description": meaning, "content": problem_content()})
}

fn problem_content() -> Value {
    json!({"application/problem+json": {"schema": {"$ref": PROBLEM}}})
}

/// Says of content that is no JSON that it is bytes, which the macros take for an array of numbers.
fn as_bytes(message: &mut Value) {
    for (kind, media) in message.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten() {
        if !kind.ends_with("json") {
            media["schema"] = json!({"type": "string", "format": "binary"});
        }
    }
}

/// The bodies of a store and of a replacement: the same members, of which a store needs the media hash, and a replacement has
/// fewer of what is taken over.
fn store_bodies(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    let body = &mut schemas["StoreBody"];
    body["properties"]["tags"]["maxProperties"] = json!(10);
    body["properties"]["tags"]["propertyNames"] =
        json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": TAG_KEY});
    body["properties"]["tags"]["additionalProperties"] =
        json!({"type": "string", "maxLength": 256, "pattern": TAG_VALUE});
    body["allOf"] = json!([one_manifest(), {"not": both("expires_in", "integer", "origin", "object")}]);
    let mut replacement = body.clone();
    let hash = json!({"$ref": "#/components/schemas/MediaHash"});
    body["properties"]["media_hash"] = hash;
    body["required"] = json!(["media_hash"]);
    replacement["description"] = json!(
        "What a proof is replaced by. `media_hash` is the proof's own or left out; `origin` brings instants along, and nothing else."
    );
    if let Some(all) = replacement["allOf"].as_array_mut() {
        let nothing = json!({"type": "null"});
        let members = json!({"restores": nothing, "legacy_id": nothing, "legacy_fields": nothing});
        all.push(json!({"properties": {"origin": {"properties": members}}}));
    }
    schemas["ReplacementBody"] = replacement;
    // Fields are those of a record with an id.
    schemas["OriginBody"]["not"] = json!({
        "required": ["legacy_fields"],
        "properties": {"legacy_fields": {"type": "object"}, "legacy_id": {"type": "null"}},
    });
    let put = &mut document["paths"]["/v1/proofs/{id}"]["put"]["requestBody"]["content"]["application/json"];
    put["schema"]["$ref"] = json!("#/components/schemas/ReplacementBody");
}

/// The members that a problem has by its kind, beside those that every problem has.
fn problems(document: &mut Value) {
    let schema = &mut document["components"]["schemas"]["Document"];
    schema["description"] = json!(
        "A problem (RFC 9457). Some kinds have members of their own, such as `limit`; a client ignores those that it does not know."
    );
    schema["additionalProperties"] = json!(true);
    for (name, kind, says) in [
        ("scope", "string", "`insufficient-scope`: the scope that the credential lacks"),
        ("limit", "integer", "`too-large`: how many bytes are taken"),
        ("bound_media_hash", "string", "`binding-mismatch`: the media file that the manifest belongs to"),
        ("manifest_id", "string", "`manifest-conflict`: the manifest id"),
        (
            "stored_sha256",
            "string",
            "`manifest-conflict`: the SHA-256 of the manifest that is stored under the id",
        ),
        ("deleted", "string", "`deleted`: the instant of the deletion, as RFC 3339 writes it"),
        ("holders", "integer", "`manifest-held`: how many proofs hold the manifest"),
        ("proof", "string", "`alias-conflict`: the proof that the legacy id leads to"),
    ] {
        schema["properties"][name] = json!({"type": kind, "description": says});
    }
}

/// The characters of S3's tags, of which AWS keeps those for itself that begin with `aws:`.
const TAG_KEY: &str = r"^(?![Aa][Ww][Ss]:)[\p{L}\p{N} +\-=._:/@]+$";
const TAG_VALUE: &str = r"^[\p{L}\p{N} +\-=._:/@]*$";

/// A manifest by its one member or by the other. `null` counts as left out.
fn one_manifest() -> Value {
    let nothing = json!({"type": "null"});
    let base64 = |kind: &str, types: Value, required: &[&str]| {
        let store = json!({"type": "string", "contentEncoding": "base64", "contentMediaType": kind});
        json!({
            "required": required,
            "properties": {"manifest_base64": store, "manifest": nothing, "manifest_type": types},
        })
    };
    json!({"oneOf": [
        {
            "required": ["manifest"],
            "properties": {
                "manifest": {"type": "object"},
                "manifest_base64": nothing,
                "manifest_type": {"enum": ["application/json", null]},
            },
        },
        base64("application/c2pa", json!({"enum": ["application/c2pa", null]}), &["manifest_base64"]),
        base64("application/json", json!({"const": "application/json"}), &["manifest_base64", "manifest_type"]),
    ]})
}

/// Both members are there, and neither is `null`.
fn both(one: &str, one_type: &str, other: &str, other_type: &str) -> Value {
    let properties: Map<String, Value> =
        [(one.to_owned(), json!({"type": one_type})), (other.to_owned(), json!({"type": other_type}))]
            .into_iter()
            .collect();
    json!({"required": [one, other], "properties": properties})
}
