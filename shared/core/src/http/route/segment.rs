//! The IDs and numbers in a path.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::bounds::MAX_REVISIONS;
use crate::file::{EntityRef, FileId, ListPlace, MediaName, UploadId};
use crate::http::problem::Problem;
use crate::legacy::LegacyId;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::proof_id::ProofId;

/// Returns the text of a segment, which a problem calls `field`.
pub(super) fn decode<'a>(field: &str, segment: &'a str) -> Result<Cow<'a, str>, Problem> {
    let decoded = percent_decode_str(segment).decode_utf8();
    decoded.map_err(|_| Problem::field(field, "it has to be UTF-8"))
}

pub(super) fn proof_id(segment: &str) -> Result<ProofId, Problem> {
    decode("id", segment)?.parse().map_err(|error| Problem::field("id", error))
}

pub(super) fn legacy_id(segment: &str) -> Result<LegacyId, Problem> {
    decode("id", segment)?.parse().map_err(|error| Problem::field("id", error))
}

pub(super) fn manifest_id(segment: &str) -> Result<ManifestId, Problem> {
    decode("manifest_id", segment)?.parse().map_err(|error| Problem::field("manifest_id", error))
}

pub(super) fn manifest_key(tenant: &str, id: &str) -> Result<ManifestKey, Problem> {
    let tenant = decode("tenant", tenant)?.parse().map_err(|error| Problem::field("tenant", error))?;
    Ok(ManifestKey { id: manifest_id(id)?, tenant })
}

pub(super) fn file_id(segment: &str) -> Result<FileId, Problem> {
    decode("file", segment)?.parse().map_err(|error| Problem::field("file", error))
}

pub(super) fn upload_id(segment: &str) -> Result<UploadId, Problem> {
    decode("upload", segment)?.parse().map_err(|error| Problem::field("upload", error))
}

pub(super) fn media_name(segment: &str) -> Result<MediaName, Problem> {
    decode("name", segment)?.parse().map_err(|error| Problem::field("name", error))
}

/// Returns the place of a list from the type and the ID of its entity, and its collection.
pub(super) fn list_place([kind, id, collection]: [&str; 3]) -> Result<ListPlace, Problem> {
    Ok(ListPlace {
        entity: EntityRef {
            kind: decode("type", kind)?.parse().map_err(|error| Problem::field("type", error))?,
            id: decode("id", id)?.parse().map_err(|error| Problem::field("id", error))?,
        },
        collection: decode("collection", collection)?
            .parse()
            .map_err(|error| Problem::field("collection", error))?,
    })
}

pub(super) fn revision_number(segment: &str) -> Result<u32, Problem> {
    let number = segment.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == segment);
    number.ok_or_else(|| {
        let allowed =
            format!("a revision is a whole number from 1 (a proof's life has at most {MAX_REVISIONS})");
        Problem::field("revision", allowed)
    })
}
