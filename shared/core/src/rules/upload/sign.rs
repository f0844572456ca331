//! The body of `POST /v1/uploads/sign`, which asks for one address in the way of Uppy's `signRequest`: a client has no
//! step of its own before the request that sends the bytes, so the announcement is a part of the question.

use serde::Deserialize;

use super::announcement::{Announcement, UploadBody};
use crate::access::Caller;
use crate::bounds::{MAX_JSON_DEPTH, MAX_PUT_BYTES};
use crate::collection::Collections;
use crate::file::{Access, CollectionName, EntityRef, FocalPoint, OwnerId, UploadId};
use crate::hash::MediaHash;
use crate::http::problem::{Problem, ProblemKind};
use crate::rules::body::json;

/// The body of `POST /v1/uploads/sign`: the members that Uppy gives to `signRequest`, and those of an announcement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignBody {
    /// The method of the request that is signed: `PUT`. It sends a whole file.
    #[cfg_attr(feature = "openapi", schema(pattern = "^PUT$"))]
    method: String,
    /// The ID of an upload that was announced before, whose address is signed anew. Without it, an upload is announced.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<UploadId>))]
    key: Option<UploadId>,
    /// A member of requests for multipart uploads, which are not signed.
    #[serde(rename = "uploadId")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    upload_id: Option<serde_json::Value>,
    /// A member of requests for multipart uploads, which are not signed.
    #[serde(rename = "partNumber")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    part_number: Option<serde_json::Value>,
    /// The collection.
    collection: CollectionName,
    /// The size of the file in bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1, maximum = 100_000_000))]
    size: serde_json::Number,
    /// The media type of the file, such as `image/jpeg`. Its content is checked.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::file::FileType))]
    kind: String,
    /// The name of the file at the client, for its owner.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 255, pattern = r"^[^/\\\u0000-\u001f\u007f-\u009f]+$")
    )]
    filename: Option<String>,
    /// SHA-256 of the file, if the client knows it. The bytes are checked against it.
    sha256: Option<MediaHash>,
    /// The entity into whose list the file is put.
    entity: Option<EntityRef>,
    /// The place in that list, from 0. At the end by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    position: Option<serde_json::Number>,
    /// The owner. The subject of the credential by default; anybody else needs the scope `media:admin`.
    owner: Option<OwnerId>,
    /// The readers. Those of the collection by default, which may forbid to widen them.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Access>))]
    access: Option<Access>,
    /// The point of the picture that a crop keeps. The centre by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FocalPoint>))]
    focal: Option<FocalPoint>,
}

/// The upload whose address is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One that was announced before.
    Again(UploadId),
    /// A new one.
    Anew(Box<Announcement>),
}

impl Asked {
    /// Reads the body of `POST /v1/uploads/sign` that `caller` sent.
    ///
    /// # Errors
    /// 400 for another request than a `PUT` of a whole file, 413 for a file that takes more than one `PUT`, and the errors
    /// of [`Announcement::parse`].
    pub fn parse(body: &[u8], collections: &Collections, caller: &Caller) -> Result<Self, Problem> {
        let body: SignBody = json(body, MAX_JSON_DEPTH)?;
        if body.method != "PUT" || body.upload_id.is_some() || body.part_number.is_some() {
            let detail = "only the `PUT` of a whole file is signed, and no request of a multipart upload, because the \
                          service joins the parts itself: set `shouldUseMultipart` to false, and announce files of more \
                          than 100 MB with POST /v1/uploads";
            return Err(Problem::field("method", detail));
        }
        if let Some(upload) = body.key {
            return Ok(Self::Again(upload));
        }
        let announced = UploadBody {
            collection: body.collection,
            size: body.size,
            kind: body.kind,
            filename: body.filename,
            sha256: body.sha256,
            entity: body.entity,
            position: body.position,
            owner: body.owner,
            access: body.access,
            focal: body.focal,
        };
        let announced = Announcement::check(announced, collections, caller)?;
        check_one_put(announced.size())?;
        Ok(Self::Anew(Box::new(announced)))
    }
}

/// Refuses a file that takes more than one `PUT`.
fn check_one_put(size: u64) -> Result<(), Problem> {
    if size <= MAX_PUT_BYTES {
        return Ok(());
    }
    let detail = format!(
        "`size`: one signed `PUT` sends up to {MAX_PUT_BYTES} bytes, not {size}; POST /v1/uploads announces larger files"
    );
    Err(Problem::new(ProblemKind::TooLarge, detail).at("size").with("limit", MAX_PUT_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Asked, (u16, Option<String>)> {
        let body = format!(r#"{{"method":"PUT","collection":"temp","size":5,"type":"image/jpeg"{more}}}"#);
        refused(&body)
    }

    fn refused(body: &str) -> Result<Asked, (u16, Option<String>)> {
        let asked = Asked::parse(body.as_bytes(), &Collections::default(), &Caller::trusted());
        asked.map_err(|problem| (problem.kind.status().as_u16(), problem.field))
    }

    #[test]
    fn a_put_is_announced_or_signed_again() {
        let Ok(Asked::Anew(announced)) = parse(r#","filename":"a.jpg""#) else { panic!("anew") };
        assert_eq!(announced.size(), 5);
        let id = UploadId::from_random([3; 20]);
        assert_eq!(parse(&format!(r#","key":"{id}""#)), Ok(Asked::Again(id)));
    }

    #[test]
    fn requests_of_multipart_uploads_are_not_signed() {
        let at = |field: &str, status| Err((status, Some(field.to_owned())));
        for more in [r#","uploadId":"x""#, r#","partNumber":1"#] {
            assert_eq!(parse(more), at("method", 400), "{more}");
        }
        for method in ["POST", "GET", "DELETE", "put", ""] {
            let body = format!(r#"{{"method":"{method}","collection":"temp","size":5,"type":"image/jpeg"}}"#);
            assert_eq!(refused(&body), at("method", 400), "{method}");
        }
        assert_eq!(parse(r#","key":"my-file.jpg""#), at("key", 400));
        assert_eq!(parse(r#","x":1"#), at("x", 400));
        let large = r#"{"method":"PUT","collection":"temp","size":100000001,"type":"image/jpeg"}"#;
        assert_eq!(refused(large), at("size", 413));
        assert!(check_one_put(MAX_PUT_BYTES).is_ok());
        assert!(check_one_put(MAX_PUT_BYTES + 1).is_err());
    }
}
