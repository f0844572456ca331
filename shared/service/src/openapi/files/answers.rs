//! The answers about uploads, files and lists, as the document describes them. `credlink-files` writes them.

use std::collections::BTreeMap;

use credlink_core::file::{
    Access, BlobId, CollectionName, EntityRef, FileId, FileType, FocalPoint, OwnerId, Rejection, UploadId,
};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

/// The state of an upload.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum UploadStateName {
    /// No byte is known to have arrived.
    Pending,
    /// The addresses of parts were asked for, and bytes are missing.
    Uploading,
    /// All bytes are there, and wait to be processed.
    Received,
    /// The bytes are being checked for malware.
    Scanning,
    /// The file is being made.
    Processing,
    /// The upload has become a file.
    Ready,
    /// The bytes were refused, for a reason.
    Rejected,
    /// The bytes did not arrive in time.
    Expired,
}

/// The way in which the bytes of an upload are sent.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum UploadMethod {
    /// By one `PUT`.
    Put,
    /// In equal parts, the last of which may be shorter.
    Multipart,
}

/// An address to which bytes are sent by `PUT`. It is the only credential.
#[derive(utoipa::ToSchema)]
pub(super) struct UploadAddress {
    /// The address.
    url: String,
    /// The headers that have to be sent with the bytes, exactly as they are here.
    headers: BTreeMap<String, String>,
    /// The time until which the address can be used. Later ones are asked for with `POST /v1/uploads/{upload}/parts`.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

/// An upload that was announced.
#[derive(utoipa::ToSchema)]
pub(super) struct AnnouncedUpload {
    /// The ID of the upload.
    id: UploadId,
    /// The state: `pending`.
    state: UploadStateName,
    /// The collection.
    collection: CollectionName,
    /// The size of the file in bytes, as it was announced.
    size: u64,
    /// The time of the announcement.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// The time until which all bytes have to arrive.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
    /// The way in which the bytes are sent.
    method: UploadMethod,
    /// With the method `put`: the address of the bytes.
    put: Option<UploadAddress>,
    /// With the method `multipart`: the number of bytes in each part but the last.
    part_size: Option<u64>,
    /// With the method `multipart`: the number of parts.
    parts: Option<u32>,
}

/// An upload: its state, what has arrived, and what became of it.
#[derive(utoipa::ToSchema)]
pub(super) struct UploadStatus {
    /// The ID of the upload.
    id: UploadId,
    /// The state.
    state: UploadStateName,
    /// The collection.
    collection: CollectionName,
    /// The size of the file in bytes, as it was announced.
    size: u64,
    /// The media type, as it was announced.
    #[schema(rename = "type")]
    kind: FileType,
    /// The number of bytes that have arrived.
    bytes: u64,
    /// The same in percent, rounded down.
    #[schema(minimum = 0, maximum = 100)]
    percent: u8,
    /// The time of the announcement.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// The time until which all bytes have to arrive.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
    /// For a file that is sent in parts: the number of bytes in each part but the last.
    part_size: Option<u64>,
    /// For a file that is sent in parts: the number of parts.
    parts: Option<u32>,
    /// For a file that is sent in parts: the numbers of those that have arrived whole.
    arrived: Option<Vec<u32>>,
    /// In the state `ready`: the ID of the file.
    file: Option<FileId>,
    /// In the state `rejected`: the reason, for programs.
    reason: Option<Rejection>,
    /// In the state `rejected`: the reason, for people.
    detail: Option<String>,
}

/// The addresses of parts.
#[derive(utoipa::ToSchema)]
pub(super) struct PartAddresses {
    /// The addresses, in the order in which they were asked for.
    parts: Vec<PartAddress>,
}

/// The address of a part.
#[derive(utoipa::ToSchema)]
pub(super) struct PartAddress {
    /// The number of the part, from 1.
    number: u32,
    /// The address.
    url: String,
    /// The headers that have to be sent with the bytes, exactly as they are here.
    headers: BTreeMap<String, String>,
    /// The time until which the address can be used.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

/// The address of a request that a client such as Uppy sends.
#[derive(utoipa::ToSchema)]
pub(super) struct SignedUpload {
    /// The address.
    url: String,
    /// The ID of the upload. With it as `key`, the address is signed anew.
    key: UploadId,
    /// The headers that have to be sent with the bytes, without those that a browser adds itself.
    headers: BTreeMap<String, String>,
    /// The time until which the address can be used.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

/// A file: its record, with the addresses of its parts.
#[derive(utoipa::ToSchema)]
pub(super) struct FileDocument {
    /// The version of the format of the record: 1.
    version: u32,
    /// The ID of the file.
    id: FileId,
    /// The tenant that the file belongs to.
    tenant: Tenant,
    /// The number of writes of the record, from 1.
    revision: u32,
    /// The collection.
    collection: FileCollection,
    /// The entity in whose list the file is.
    entity: Option<EntityRef>,
    /// `true` if the file is in no list, although its collection is one of lists. It is deleted nine days after it became ready or
    /// left its list, unless it is attached to one.
    unattached: Option<bool>,
    /// The readers.
    access: Access,
    /// `true` if every access to the bytes is in the log of the file.
    audited: Option<bool>,
    /// `true` if readers get the bytes that were uploaded, and not just renditions of them.
    shows_original: Option<bool>,
    /// The caches that may keep the bytes, if the file is public.
    cache: FileCaches,
    /// The ID of the content, which files with the same content share.
    blob: BlobId,
    /// SHA-256 of the bytes that were uploaded.
    media_hash: MediaHash,
    /// The media type, by content.
    #[schema(rename = "type")]
    kind: FileType,
    /// The number of bytes that were uploaded.
    bytes: u64,
    /// The width of a picture, upright, in pixels.
    width: Option<u32>,
    /// The height of a picture, upright, in pixels.
    height: Option<u32>,
    /// The number of frames of a picture, if it has more than one.
    frames: Option<u32>,
    /// The renditions, in the order of the collection's profiles and their formats.
    renditions: Option<Vec<FileRendition>>,
    /// The profiles that have no renditions of their own, each with the profile whose renditions stand for them: the original
    /// is too small to make others.
    same: Option<BTreeMap<String, String>>,
    /// The placeholder of a picture: a ThumbHash in base64.
    thumbhash: Option<String>,
    /// The point of a picture that a crop keeps.
    #[schema(value_type = Option<FocalPoint>)]
    focal: Option<FocalPoint>,
    /// The description of a picture for those who do not see it.
    alt: Option<String>,
    /// The tags.
    tags: Option<BTreeMap<String, String>>,
    /// The ID of the proof of the original, if it has one.
    proof: Option<ProofId>,
    /// The time at which the file became ready.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// The time at which the file expires, if it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
    /// The owner, for callers who may see the details of the file. A file of the tenant itself has none.
    owner: Option<OwnerId>,
    /// The name of the file at its client, for the same callers.
    filename: Option<String>,
    /// The metadata that was read from the original, for the same callers.
    details: Option<FileDetails>,
    /// The addresses of the profiles, by their names, and of `original` for callers who may read it.
    urls: Option<BTreeMap<String, String>>,
}

/// The collection of a file.
#[derive(utoipa::ToSchema)]
pub(super) struct FileCollection {
    /// The name.
    name: CollectionName,
    /// The version of the rules under which the file was processed.
    #[schema(minimum = 1)]
    version: u32,
}

/// The caches that may keep a public file.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(super) enum FileCaches {
    /// All, for as long as the type of the file allows.
    ByType,
    /// None.
    None,
}

/// A rendition of a file.
#[derive(utoipa::ToSchema)]
pub(super) struct FileRendition {
    /// The name: profile, version and extension, such as `large-1.webp`.
    name: String,
    /// The width in pixels.
    width: u32,
    /// The height in pixels.
    height: u32,
    /// The number of bytes.
    bytes: u64,
    /// SHA-256 of the bytes.
    sha256: Digest,
    /// The ID of the proof that leads from this rendition to its original, if it was bound or signed.
    proof: Option<ProofId>,
    /// The address.
    url: String,
}

/// The metadata of an original, as far as its collection asks for it.
#[derive(utoipa::ToSchema)]
pub(super) struct FileDetails {
    /// Maker and model of the camera.
    camera: Option<String>,
    /// The time at which the picture was taken, as the camera's clock showed it.
    taken: Option<String>,
    /// The exposure.
    exposure: Option<FileExposure>,
    /// The place where the picture was taken.
    location: Option<FileLocation>,
}

/// The exposure of a picture, as the camera writes it.
#[derive(utoipa::ToSchema)]
pub(super) struct FileExposure {
    /// The exposure time, such as `1/60`.
    time: Option<String>,
    /// The aperture, such as `1.8`.
    aperture: Option<String>,
    /// The sensitivity (ISO).
    sensitivity: Option<u32>,
    /// The focal length in millimetres, such as `5.7`.
    focal_length: Option<String>,
}

/// A place on the earth, in degrees.
#[derive(utoipa::ToSchema)]
pub(super) struct FileLocation {
    /// The latitude, from -90 to 90.
    latitude: f64,
    /// The longitude, from -180 to 180.
    longitude: f64,
}

/// A page of files.
#[derive(utoipa::ToSchema)]
pub(super) struct FilePage {
    /// The files that the caller may read.
    files: Vec<FileDocument>,
    /// The cursor of the next page, to be sent as `after`, if there is one.
    next: Option<String>,
}

/// The answer to a batch of deletions of files.
#[derive(utoipa::ToSchema)]
pub(super) struct FileBatchReply {
    /// The IDs whose files are deleted, as they were sent.
    deleted: Vec<String>,
    /// The IDs whose files could not be deleted.
    failed: Vec<FileBatchFailure>,
}

/// An ID whose file could not be deleted.
#[derive(utoipa::ToSchema)]
pub(super) struct FileBatchFailure {
    /// The ID as it was sent.
    id: String,
    /// The kind of problem: the last part of its `type`.
    problem: String,
    /// A description of the problem.
    detail: String,
}

/// A page of the log of a file.
#[derive(utoipa::ToSchema)]
pub(super) struct FileAuditPage {
    /// The ID of the file.
    file: FileId,
    /// The entries, the oldest first.
    entries: Vec<FileAccess>,
    /// The cursor of the next page, to be sent as `after`, if there is one.
    next: Option<String>,
}

/// An access to a private file, whether or not it was allowed.
#[derive(utoipa::ToSchema)]
pub(super) struct FileAccess {
    /// The time of the access.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The kind of the request.
    act: FileAccessAct,
    /// The part of the file that was asked for, such as `original`.
    name: String,
    /// The status of the answer.
    status: u16,
    /// The right by which the caller asked.
    by: FileAccessRight,
    /// The tenant of the caller's credential, if it was another one than the file's.
    tenant: Option<Tenant>,
    /// The subject of the caller's credential, if it names one.
    subject: Option<OwnerId>,
    /// The address of the client, as far as the server knows it.
    address: Option<String>,
    /// The ID of the request, as in the log.
    request_id: String,
    /// The number of accesses that the entry stands for, if it is not 1.
    times: Option<u32>,
}

/// The kind of a request to a private file.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum FileAccessAct {
    /// The bytes.
    Read,
    /// A signed link to the bytes.
    SignLink,
}

/// The right by which a caller asked for a private file.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum FileAccessRight {
    /// The caller owns the file.
    Owner,
    /// The caller administers the files of the tenant.
    Admin,
    /// The caller has a valid signed link, and no other right.
    Link,
    /// The caller has a credential, and none of these rights.
    Credential,
    /// The caller has neither a credential nor a valid link.
    Nobody,
}

/// A signed link to the bytes of a file.
#[derive(utoipa::ToSchema)]
pub(super) struct FileLink {
    /// The link.
    url: String,
    /// The time until which it can be used.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

/// The list of an entity.
#[derive(utoipa::ToSchema)]
pub(super) struct EntityFiles {
    /// The entity.
    entity: EntityRef,
    /// The collection.
    collection: CollectionName,
    /// The files in order, of those that the caller may read.
    files: Vec<FileDocument>,
}
