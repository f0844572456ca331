//! `Upload-Metadata`: pairs of a key and a value in Base64, which announce an upload.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};

use crate::access::Caller;
use crate::collection::Collections;
use crate::http::problem::Problem;
use crate::rules::upload::Announcement;

/// The header.
pub const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// The keys that announce something, and the member of `POST /v1/uploads` that each is. Clients use either of two names
/// for the file's own. Other keys, which clients add by themselves, say nothing here.
const MEMBERS: [(&str, &str); 11] = [
    ("collection", "collection"),
    ("entity", "entity"),
    ("position", "position"),
    ("owner", "owner"),
    ("access", "access"),
    ("sha256", "sha256"),
    ("focal", "focal"),
    ("name", "filename"),
    ("filename", "filename"),
    ("type", "type"),
    ("filetype", "type"),
];

/// Returns the announcement of an upload of `length` bytes in the headers of its creation by `caller`.
///
/// # Errors
/// 400 for metadata that cannot be read, and the errors of [`Announcement::parse`].
pub fn announcement(
    headers: &HeaderMap,
    length: u64,
    collections: &Collections,
    caller: &Caller,
) -> Result<Announcement, Problem> {
    let mut body = Map::new();
    for (key, value) in pairs(headers)? {
        let Some((_, member)) = MEMBERS.iter().find(|(known, _)| *known == key) else { continue };
        body.insert((*member).to_owned(), read(member, value)?);
    }
    body.insert("size".to_owned(), json!(length));
    let body = Value::Object(body).to_string();
    Announcement::parse(body.as_bytes(), collections, caller)
}

/// Returns the keys, and the decoded values.
fn pairs(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let Some(value) = headers.get(UPLOAD_METADATA) else { return Ok(Vec::new()) };
    let wrong = || {
        let detail = "pairs of a key and a value in Base64, with a space within and a comma between them";
        Problem::field(UPLOAD_METADATA.as_str(), detail)
    };
    let text = value.to_str().map_err(|_| wrong())?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if pairs.iter().any(|(known, _)| known == key) {
            return Err(wrong());
        }
        pairs.push((key.to_owned(), value.ok_or_else(wrong)?));
    }
    Ok(pairs)
}

/// Returns a value as the member of the announcement has it.
fn read(member: &str, value: String) -> Result<Value, Problem> {
    match member {
        "entity" => match value.split_once('/') {
            Some((kind, id)) => Ok(json!({"type": kind, "id": id})),
            None => Err(Problem::field("entity", "a type and an ID, as in `item/4711`")),
        },
        "position" => value
            .parse::<u32>()
            .map(|position| json!(position))
            .map_err(|_| Problem::field("position", "a whole number, in decimal digits")),
        "focal" => serde_json::from_str(&value)
            .map_err(|_| Problem::field("focal", "a JSON object such as `{\"x\": 0.5, \"y\": 0.5}`")),
        _ => Ok(Value::String(value)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::file::UploadId;
    use crate::time::Timestamp;

    fn announce(pairs: &[(&str, &str)]) -> Result<Announcement, Problem> {
        let pairs: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
        announce_by(&pairs.join(","))
    }

    fn announce_by(metadata: &str) -> Result<Announcement, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(UPLOAD_METADATA, HeaderValue::from_str(metadata).unwrap());
        announcement(&headers, 7, &Collections::default(), &Caller::trusted())
    }

    #[test]
    fn metadata_announces_an_upload() {
        let announced = announce(&[
            ("collection", "item-photo"),
            ("filetype", "image/jpeg"),
            ("filename", "Käse.jpg"),
            ("entity", "item/4711"),
            ("position", "2"),
            ("access", "private"),
            ("focal", r#"{"x":0.5,"y":0.25}"#),
            ("relativePath", "a/b"),
        ]);
        let row = announced.unwrap().row(UploadId::from_random([1; 20]), Timestamp::from_milliseconds(1_000));
        assert_eq!((row.size, row.position, row.filename.as_deref()), (7, Some(2), Some("Käse.jpg")));
        assert_eq!(row.entity.unwrap().to_string(), "item/4711");
        assert!(row.focal.is_some());
        // Keys without a value are allowed, as are spaces after a comma.
        assert!(
            announce_by("is_confidential, collection dGVtcA==, type aW1hZ2UvanBlZw==").is_ok(),
            "temp, image/jpeg"
        );
    }

    #[test]
    fn wrong_metadata_is_named() {
        let field = |problem: Result<Announcement, Problem>| problem.unwrap_err().field.unwrap_or_default();
        assert_eq!(field(announce_by("collection !")), "upload-metadata");
        assert_eq!(field(announce_by("collection /w==")), "upload-metadata");
        assert_eq!(field(announce_by("type AA==,type AA==")), "upload-metadata");
        let photo = [("collection", "item-photo"), ("type", "image/jpeg")];
        let with = |key, value| announce(&[photo[0], photo[1], (key, value)]);
        assert_eq!(field(with("entity", "item")), "entity");
        assert_eq!(field(with("position", "-1")), "position");
        assert_eq!(field(with("focal", "x")), "focal");
        assert_eq!(field(with("access", "all")), "access");
        assert_eq!(field(announce(&[photo[0], ("type", "text/html")])), "type");
        let missing = announce(&[photo[1]]).unwrap_err();
        assert!(missing.detail.contains("collection"), "{missing}");
    }
}
