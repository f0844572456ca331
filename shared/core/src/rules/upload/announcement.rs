//! The announcement of an upload: the body of `POST /v1/uploads`, and the row that comes of it.

use serde::Deserialize;

use crate::access::Caller;
use crate::bounds::{MAX_FILENAME_BYTES, MAX_JSON_DEPTH, UPLOAD_SECONDS};
use crate::collection::{Collection, Collections};
use crate::file::{Access, CollectionName, EntityRef, FileType, FocalPoint, OwnerId, UploadId};
use crate::hash::MediaHash;
use crate::http::problem::{Problem, ProblemKind};
use crate::row::{UploadRow, UploadState};
use crate::rules::body::{json, whole};
use crate::rules::file_access::owner_of_upload;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The body of `POST /v1/uploads`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadBody {
    /// The collection.
    pub(super) collection: CollectionName,
    /// The size of the file in bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1))]
    pub(super) size: serde_json::Number,
    /// The media type of the file, such as `image/jpeg`. Its content is checked.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = FileType))]
    pub(super) kind: String,
    /// The name of the file at the client, for its owner.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 255, pattern = r"^[^/\\\u0000-\u001f\u007f-\u009f]+$")
    )]
    pub(super) filename: Option<String>,
    /// SHA-256 of the file, if the client knows it. The bytes are checked against it.
    pub(super) sha256: Option<MediaHash>,
    /// The entity into whose list the file is put.
    pub(super) entity: Option<EntityRef>,
    /// The place in that list, from 0. At the end by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub(super) position: Option<serde_json::Number>,
    /// The owner. The subject of the credential by default; anybody else needs the scope `media:admin`.
    pub(super) owner: Option<OwnerId>,
    /// The readers. Those of the collection by default, which may forbid to widen them.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Access>))]
    pub(super) access: Option<Access>,
    /// The point of the picture that a crop keeps. The centre by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FocalPoint>))]
    pub(super) focal: Option<FocalPoint>,
}

/// An announcement that was checked against the rules of its collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    tenant: Tenant,
    owner: Option<OwnerId>,
    collection: CollectionName,
    entity: Option<EntityRef>,
    position: Option<u32>,
    access: Access,
    size: u64,
    kind: FileType,
    media_hash: Option<MediaHash>,
    filename: Option<String>,
    focal: Option<FocalPoint>,
}

impl Announcement {
    /// Reads the body of `POST /v1/uploads` that `caller` sent.
    ///
    /// # Errors
    /// 400 with what is wrong, 403 if the caller may not upload for the owner, 413 if the file is too large for the
    /// collection, and 415 if the collection does not accept its type.
    pub fn parse(body: &[u8], collections: &Collections, caller: &Caller) -> Result<Self, Problem> {
        Self::check(json(body, MAX_JSON_DEPTH)?, collections, caller)
    }

    /// Checks the announcement in a body that `caller` sent.
    ///
    /// # Errors
    /// The errors of [`parse`](Self::parse) about the members of a body.
    pub(super) fn check(
        body: UploadBody,
        collections: &Collections,
        caller: &Caller,
    ) -> Result<Self, Problem> {
        let collection =
            collections.get(&body.collection).ok_or_else(|| no_collection(&body.collection, collections))?;
        let size = size(&body.size, &body.collection, collection)?;
        let kind = kind(&body.kind, &body.collection, collection)?;
        let position = position(body.position.as_ref(), body.entity.as_ref(), collection)?;
        Ok(Self {
            tenant: caller.tenant.clone(),
            owner: owner_of_upload(caller, body.owner)?,
            access: access(body.access, &body.collection, collection)?,
            collection: body.collection,
            entity: body.entity,
            position,
            size,
            kind,
            media_hash: body.sha256,
            filename: body.filename.map(filename).transpose()?,
            focal: body.focal,
        })
    }

    /// Returns the number of bytes to reserve in the quotas.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the owner of the file, or `None` for the tenant itself.
    #[must_use]
    pub const fn owner(&self) -> Option<&OwnerId> {
        self.owner.as_ref()
    }

    /// Returns the entity into whose list the file is put, and the collection.
    #[must_use]
    pub const fn place(&self) -> (Option<&EntityRef>, &CollectionName) {
        (self.entity.as_ref(), &self.collection)
    }

    /// Returns the first row of the upload, announced at `now`.
    #[must_use]
    pub fn row(self, id: UploadId, now: Timestamp) -> UploadRow {
        let expires = now.plus_seconds(UPLOAD_SECONDS);
        UploadRow {
            id,
            version: 1,
            state: UploadState::Pending,
            tenant: self.tenant,
            owner: self.owner,
            collection: self.collection,
            entity: self.entity,
            position: self.position,
            access: self.access,
            size: self.size,
            kind: self.kind,
            media_hash: self.media_hash,
            filename: self.filename,
            focal: self.focal,
            multipart: None,
            attempts: 0,
            failures: 0,
            created: now,
            expires,
            due: Some(expires),
        }
    }
}

fn no_collection(name: &CollectionName, collections: &Collections) -> Problem {
    Problem::field("collection", collections.none_named(name))
}

fn size(number: &serde_json::Number, name: &CollectionName, collection: &Collection) -> Result<u64, Problem> {
    let most = collection.max_bytes;
    match whole(number) {
        Some(size) if size > most => {
            let detail =
                format!("`size`: the collection `{name}` accepts files of up to {most} bytes, not {size}");
            Err(Problem::new(ProblemKind::TooLarge, detail).at("size").with("limit", most))
        }
        Some(size) if size > 0 => Ok(size),
        _ => Err(Problem::field("size", format!("a whole number of bytes from 1 to {most}, not {number}"))),
    }
}

fn kind(text: &str, name: &CollectionName, collection: &Collection) -> Result<FileType, Problem> {
    text.parse().ok().filter(|kind| collection.types.contains(kind)).ok_or_else(|| {
        let allowed = FileType::join(&collection.types);
        let given = crate::excerpt::excerpt(text);
        let detail = format!("`type`: the collection `{name}` accepts {allowed}, not `{given}`");
        Problem::new(ProblemKind::UnsupportedMediaType, detail).at("type")
    })
}

fn position(
    number: Option<&serde_json::Number>,
    entity: Option<&EntityRef>,
    collection: &Collection,
) -> Result<Option<u32>, Problem> {
    let Some(number) = number else { return Ok(None) };
    if entity.is_none() {
        return Err(Problem::field(
            "position",
            "it is a place in the list of an `entity`, and none is given",
        ));
    }
    let last = collection.max_per_entity().saturating_sub(1);
    let position = whole(number).filter(|position| *position <= last as u64);
    let position = position.and_then(|position| u32::try_from(position).ok());
    position
        .map(Some)
        .ok_or_else(|| Problem::field("position", format!("a whole number from 0 to {last}, not {number}")))
}

fn access(asked: Option<Access>, name: &CollectionName, collection: &Collection) -> Result<Access, Problem> {
    let access = asked.unwrap_or(collection.access);
    let widest = collection.widest_access();
    if access > widest {
        let detail = format!("a file of the collection `{name}` is at most `{widest}`, not `{access}`");
        return Err(Problem::field("access", detail));
    }
    Ok(access)
}

fn filename(name: String) -> Result<String, Problem> {
    let is_name = (1..=MAX_FILENAME_BYTES).contains(&name.len())
        && !name.chars().any(|character| character.is_control() || "/\\".contains(character))
        && name != "."
        && name != "..";
    if is_name {
        return Ok(name);
    }
    let detail = format!(
        "the name of a file without its folder: 1 to {MAX_FILENAME_BYTES} bytes, without `/`, `\\` and control characters"
    );
    Err(Problem::field("filename", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;

    fn caller() -> Caller {
        Caller {
            tenant: "acme".parse().unwrap(),
            scopes: [Scope::MediaWrite].into(),
            authenticated: true,
            subject: Some("ann".parse().unwrap()),
        }
    }

    fn parse(body: &str) -> Result<Announcement, Problem> {
        Announcement::parse(body.as_bytes(), &Collections::default(), &caller())
    }

    #[test]
    fn an_announcement_becomes_a_row() {
        let hash = MediaHash::of(b"x");
        let body = format!(
            r#"{{"collection":"item-photo","size":25000000,"type":"image/JPEG","filename":"Käse 1.jpg","sha256":"{hash}",
            "entity":{{"type":"item","id":"4711"}},"position":0,"access":"private","focal":{{"x":0.5,"y":0.25}}}}"#
        );
        let now = Timestamp::from_milliseconds(1_798_761_600_000);
        let announced = parse(&body).unwrap();
        assert_eq!((announced.size(), announced.owner().unwrap().as_str()), (25_000_000, "ann"));
        let row = announced.row(UploadId::from_random([1; 20]), now);
        assert_eq!((row.state, row.version, row.access), (UploadState::Pending, 1, Access::Private));
        assert_eq!((row.expires, row.due), (now.plus_seconds(86_400), Some(now.plus_seconds(86_400))));
        assert_eq!((row.kind, row.media_hash, row.position), (FileType::Jpeg, Some(hash), Some(0)));
        assert_eq!(row.key().to_string(), format!("uploads/acme/{}", row.id));
        let least = parse(r#"{"collection":"temp","size":1e0,"type":"application/pdf"}"#).unwrap();
        assert_eq!((least.size, least.access), (1, Access::Private));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let with =
            |members: &str| format!(r#"{{"collection":"item-photo","size":5,"type":"image/jpeg"{members}}}"#);
        for (body, status, field, part) in [
            (
                with("").replace("item-photo", "x"),
                400,
                "collection",
                "there is no collection `x`; there are `item-photo`, `profile-photo`, `temp`, `verification-document`",
            ),
            (with("").replace("item-photo", "X"), 400, "collection", "1 to 40 characters"),
            (with("").replace(":5", ":0"), 400, "size", "a whole number of bytes from 1 to 25000000, not 0"),
            (with("").replace(":5", ":1.5"), 400, "size", "not 1.5"),
            (with("").replace(":5", ":-1"), 400, "size", "not -1"),
            (with("").replace(":5", ":25000001"), 413, "size", "files of up to 25000000 bytes, not 25000001"),
            (
                with("").replace("image/jpeg", "application/pdf"),
                415,
                "type",
                "accepts `image/jpeg`, `image/png`, `image/webp` or `image/gif`, not `application/pdf`",
            ),
            (with("").replace("image/jpeg", "image/svg+xml"), 415, "type", "not `image/svg+xml`"),
            (with(r#","filename":"a/b""#), 400, "filename", "without its folder"),
            (with(r#","filename":"""#), 400, "filename", "1 to 255 bytes"),
            (with(r#","filename":"..""#), 400, "filename", "without its folder"),
            (with(r#","filename":"a\u0000""#), 400, "filename", "control characters"),
            (with(r#","sha256":"abc""#), 400, "sha256", "64 hexadecimal digits"),
            (with(r#","entity":{"type":"item"}"#), 400, "entity", "missing field `id`"),
            (with(r#","entity":{"type":"item","id":"a b"}"#), 400, "entity.id", "the id of an entity is"),
            (with(r#","position":0"#), 400, "position", "none is given"),
            (
                with(r#","entity":{"type":"item","id":"1"},"position":20"#),
                400,
                "position",
                "a whole number from 0 to 19, not 20",
            ),
            (with(r#","access":"all""#), 400, "access", "`public`, `authenticated` or `private`, not `all`"),
            (
                with(r#","access":"public""#).replace("item-photo", "verification-document"),
                400,
                "access",
                "is at most `private`, not `public`",
            ),
            (with(r#","owner":"bob""#), 403, "owner", "media:admin"),
            (with(r#","owner":"a b""#), 400, "owner", "visible ASCII"),
            (with(r#","focal":{"x":2,"y":0}"#), 400, "focal", "each a number from 0 to 1"),
            (with(r#","tags":{}"#), 400, "tags", "unknown field `tags`"),
            (r#"{"size":5,"type":"image/jpeg"}"#.to_owned(), 400, "", "missing field `collection`"),
        ] {
            let problem = parse(&body).expect_err(&body);
            assert_eq!(problem.kind.status().as_u16(), status, "{body}: {problem}");
            assert!(problem.detail.contains(part), "{problem}\nwithout {part}");
            assert_eq!(problem.field.as_deref().unwrap_or_default(), field, "{problem}");
        }
    }
}
