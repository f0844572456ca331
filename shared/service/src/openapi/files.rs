//! Uploads, files, lists and the bytes of files, as the document describes them. A handler around this service performs
//! them (`credlink-files`).

mod answers;

use credlink_core::file::{CollectionName, EntityId, EntityType, FileId, OwnerId, UploadId};
use credlink_core::rules::batch_delete::BatchDeleteBody;
use credlink_core::rules::entity_list::{ChangeBody, ListBody, OnlyBody};
use credlink_core::rules::file_change::FileChangeBody;
use credlink_core::rules::upload::{PartsBody, SignBody, UploadBody};

use super::parameters::Page;
use answers::{
    AnnouncedUpload, EntityFiles, FileAuditPage, FileBatchReply, FileDocument, FileLink, FilePage,
    PartAddresses, SignedUpload, UploadStatus,
};

/// Announce an upload
///
/// Reserves room for a file, and answers with the address to which its bytes are sent. A file of up to 100 MB is sent by one
/// `PUT` (`method` is `put`); a larger one in equal parts, whose addresses `POST /v1/uploads/{id}/parts` has. The file becomes
/// ready by itself once all bytes are there.
#[utoipa::path(
    post, path = "/v1/uploads", tag = "files", operation_id = "announceUpload",
    request_body = UploadBody,
    responses(
        (status = 201, description = "The upload is announced", body = AnnouncedUpload, headers(
            ("location" = String, description = "The path of the upload"),
        )),
        (status = 404, description = "This deployment keeps no files"),
        (status = 403, description = "The credential lacks `media:admin`, and names another owner"),
        (status = 409, description = "The list of the entity is full"),
        (status = 413, description = "The file is too large for the collection"),
        (status = 415, description = "The collection does not accept this type, or the body is not JSON"),
        (status = 429, description = "The owner announces too many uploads", headers(
            ("retry-after" = String, description = "Seconds after which to try again"),
        )),
        (status = 507, description = "The quota of the tenant or the owner has no room"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn announce_upload() {}

/// Sign a single request of an upload
///
/// For a client that asks for the address of each request that it sends, as Uppy does. Announces an upload and signs the `PUT` of
/// its bytes, up to 100 MB. `key` in the answer is the ID of the upload; with it as `key`, the address is signed anew.
#[utoipa::path(
    post, path = "/v1/uploads/sign", tag = "files", operation_id = "signUpload",
    request_body = SignBody,
    responses(
        (status = 200, description = "The address, with the headers that the client adds itself", body = SignedUpload),
        (status = 404, description = "This deployment keeps no files, or there is no such upload"),
        (status = 403, description = "The credential lacks `media:admin`, and names another owner"),
        (status = 409, description = "The list of the entity is full, or the upload takes no more bytes"),
        (status = 410, description = "The upload has expired"),
        (status = 413, description = "The file is too large for the collection, or for one `PUT`"),
        (status = 415, description = "The collection does not accept this type, or the body is not JSON"),
        (status = 429, description = "The owner announces too many uploads", headers(
            ("retry-after" = String, description = "Seconds after which to try again"),
        )),
        (status = 507, description = "The quota of the tenant or the owner has no room"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn sign_upload() {}

/// Show an upload
///
/// Its state, the bytes and parts that have arrived, and in the end its file or the reason why there is none.
#[utoipa::path(
    get, path = "/v1/uploads/{upload}", tag = "files", operation_id = "showUpload",
    params(("upload" = UploadId, Path, description = "The ID of the upload")),
    responses(
        (status = 200, description = "The upload", body = UploadStatus),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn show_upload() {}

/// Abort an upload
#[utoipa::path(
    delete, path = "/v1/uploads/{upload}", tag = "files", operation_id = "abortUpload",
    params(("upload" = UploadId, Path, description = "The ID of the upload")),
    responses(
        (status = 204, description = "The upload has ended, and its bytes are removed"),
        (status = 409, description = "The upload has become a file"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn abort_upload() {}

/// Get the addresses of parts
///
/// Also renews the address of a file that is sent by one `PUT`, as its part 1.
#[utoipa::path(
    post, path = "/v1/uploads/{upload}/parts", tag = "files", operation_id = "addressParts",
    params(("upload" = UploadId, Path, description = "The ID of the upload")),
    request_body = PartsBody,
    responses(
        (status = 200, description = "The addresses", body = PartAddresses),
        (status = 409, description = "The upload takes no more bytes"),
        (status = 410, description = "The upload has expired"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn address_parts() {}

/// Say that all bytes were sent
///
/// This is a hint, and may be repeated. The file becomes ready without it, but perhaps later.
#[utoipa::path(
    post, path = "/v1/uploads/{upload}/complete", tag = "files", operation_id = "completeUpload",
    params(("upload" = UploadId, Path, description = "The ID of the upload")),
    responses(
        (status = 202, description = "The upload, which is processed or has ended", body = UploadStatus),
        (status = 409, description = "Bytes are missing; `missing_parts` has the first of them"),
        (status = 410, description = "The upload has expired"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn complete_upload() {}

/// Send the bytes of an upload
///
/// At an address that `POST /v1/uploads` or `POST /v1/uploads/{upload}/parts` has answered with, where the server keeps bytes
/// itself. The signature is the only credential.
#[utoipa::path(
    put, path = "/v1/uploads/{upload}/bytes", tag = "files", operation_id = "receiveBytes",
    params(
        ("upload" = UploadId, Path, description = "The ID of the upload"),
        ("part" = Option<u32>, Query, description = "The number of the part", minimum = 1, maximum = 10_000),
        ("expires" = u64, Query, description = "The time at which the address expires, in seconds since 1970"),
        ("key" = String, Query, description = "The name of the key that signed the address"),
        ("life" = u32, Query, description = "The life of the address: always 0"),
        ("signature" = String, Query, description = "The signature, in base64url", pattern = "^[A-Za-z0-9_-]*$"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 204, description = "The bytes are durable"),
        (status = 403, description = "The address was not signed for this, or has expired"),
        (status = 409, description = "The upload takes no more bytes, or another request is sending this part"),
        (status = 410, description = "The upload has expired"),
    ),
)]
pub(super) async fn receive_bytes() {}

/// Find files
///
/// By entity, by owner or by collection, and an entity or an owner together with a collection. Without `media:admin`, these are
/// the caller's own files, or those of an entity that the caller may read. A page may be short, even empty, while there is a
/// next one. Files are listed in the order in which they became ready, those of an entity by collection and in the order of its
/// lists.
#[utoipa::path(
    get, path = "/v1/files", tag = "files", operation_id = "findFiles",
    params(
        ("entity" = Option<String>, Query, description = "The entity, as `TYPE/ID`", pattern = "^[a-z][a-z0-9_-]{0,39}/[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}$"),
        ("owner" = Option<OwnerId>, Query, description = "The owner"),
        ("collection" = Option<CollectionName>, Query, description = "The collection"),
        Page,
    ),
    responses(
        (status = 200, description = "A page of files: `files`, and `next` if there is another page", body = FilePage),
        (status = 403, description = "The credential lacks `media:admin`, and names another owner"),
        (status = 404, description = "This deployment keeps no files, or there is no such collection, which has no files either"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn find_files() {}

/// Delete up to 1,000 files
#[utoipa::path(
    post, path = "/v1/files/batch-delete", tag = "files", operation_id = "batchDeleteFiles",
    request_body = BatchDeleteBody,
    responses(
        (status = 200, description = "The result for each ID", body = FileBatchReply),
        (status = 404, description = "This deployment keeps no files"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn batch_delete_files() {}

/// Show a file
///
/// Public if the file is. The owner also sees the owner, the file name and the metadata that was read.
#[utoipa::path(
    get, path = "/v1/files/{file}", tag = "files", operation_id = "showFile",
    params(("file" = FileId, Path, description = "The ID of the file")),
    responses(
        (status = 200, description = "The file", body = FileDocument),
        (status = 410, description = "The file was deleted, or has expired"),
    ),
)]
pub(super) async fn show_file() {}

/// Change a file
///
/// A member that is missing stays as it is, and `null` removes it (RFC 7396).
#[utoipa::path(
    patch, path = "/v1/files/{file}", tag = "files", operation_id = "changeFile",
    params(
        ("file" = FileId, Path, description = "The ID of the file"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the answer to `GET` of the file has"),
    ),
    request_body = FileChangeBody,
    responses(
        (status = 200, description = "The file", body = FileDocument),
        (status = 403, description = "The file is another owner's, or a scope is missing"),
        (status = 410, description = "The file was deleted, or has expired"),
        (status = 412, description = "The file has changed"),
        (status = 429, description = "The owner has parts of pictures cut anew too often", headers(
            ("retry-after" = String, description = "Seconds after which to try again"),
        )),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn change_file() {}

/// Delete a file
#[utoipa::path(
    delete, path = "/v1/files/{file}", tag = "files", operation_id = "deleteFile",
    params(
        ("file" = FileId, Path, description = "The ID of the file"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the answer to `GET` of the file has"),
    ),
    responses(
        (status = 204, description = "The file is deleted"),
        (status = 403, description = "The file is another owner's, or a scope is missing"),
        (status = 412, description = "The file has changed"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn delete_file() {}

/// Make the renditions of a file that the present profiles ask for
#[utoipa::path(
    post, path = "/v1/files/{file}/renditions", tag = "files", operation_id = "renderFile",
    params(
        ("file" = FileId, Path, description = "The ID of the file"),
        ("only_missing" = Option<bool>, Query, description = "`true` if nothing is made for a file that has them all"),
        ("profile" = Option<String>, Query, description = "The profile whose renditions are made; all by default", pattern = "^[a-z][a-z0-9_-]{0,31}$"),
    ),
    responses(
        (status = 200, description = "The file", body = FileDocument),
        (status = 409, description = "The picture cannot be rendered, or its collection was removed"),
        (status = 410, description = "The file was deleted, or has expired"),
    ),
    security(("token" = ["media:admin"]))
)]
pub(super) async fn render_file() {}

/// Show who read a private file
///
/// The log of every access to the bytes of the file and to signed links, allowed or refused, the oldest first. For the owner
/// and `media:admin`, also once the file is deleted. An entry is written before the access is answered, and is kept for 400 days.
#[utoipa::path(
    get, path = "/v1/files/{file}/audit", tag = "files", operation_id = "auditFile",
    params(("file" = FileId, Path, description = "The ID of the file"), Page),
    responses(
        (status = 200, description = "A page of the log: `entries`, and `next` if there is another page", body = FileAuditPage),
        (status = 403, description = "The file is another owner's"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn audit_file() {}

/// Sign a link to the bytes of a file
#[utoipa::path(
    get, path = "/v1/files/{file}/url", tag = "files", operation_id = "signFileLink",
    params(
        ("file" = FileId, Path, description = "The ID of the file"),
        ("name" = Option<String>, Query, description = "`original` (the default), or a profile, with or without an extension", pattern = "^[a-z][a-z0-9_-]{0,31}(\\.(jpg|png|webp|avif))?$"),
        ("expires_in" = Option<u64>, Query, description = "The lifetime of the link in seconds; an hour by default", minimum = 1, maximum = 604_800),
        ("download" = Option<bool>, Query, description = "`true` if the browser should save the file instead of showing it"),
    ),
    responses(
        (status = 200, description = "The link", body = FileLink),
        (status = 410, description = "The file was deleted, or has expired"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn sign_file_link() {}

/// Show the list of an entity
///
/// The files in order, of those that the caller may read.
#[utoipa::path(
    get, path = "/v1/entities/{type}/{id}/{collection}", tag = "files", operation_id = "showList",
    params(
        ("type" = EntityType, Path, description = "The type of the entity"),
        ("id" = EntityId, Path, description = "The ID of the entity"),
        ("collection" = CollectionName, Path, description = "The collection"),
    ),
    responses(
        (status = 200, description = "The list", body = EntityFiles),
    ),
)]
pub(super) async fn show_list() {}

/// Put the list of an entity
///
/// Orders, attaches and detaches files in one step.
#[utoipa::path(
    put, path = "/v1/entities/{type}/{id}/{collection}", tag = "files", operation_id = "putList",
    params(
        ("type" = EntityType, Path, description = "The type of the entity"),
        ("id" = EntityId, Path, description = "The ID of the entity"),
        ("collection" = CollectionName, Path, description = "The collection"),
        ("If-Match" = String, Header, description = "The `ETag` that the answer to `GET` of the list has, or `*` for whichever is current"),
    ),
    request_body = ListBody,
    responses(
        (status = 200, description = "The list", body = EntityFiles),
        (status = 403, description = "A file is another owner's, or a scope is missing"),
        (status = 409, description = "The list would be too long, or does not take a file"),
        (status = 412, description = "The list has changed; `files` has it"),
        (status = 428, description = "`If-Match` is missing"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn put_list() {}

/// Attach, detach or replace a file of a list
#[utoipa::path(
    post, path = "/v1/entities/{type}/{id}/{collection}", tag = "files", operation_id = "changeList",
    params(
        ("type" = EntityType, Path, description = "The type of the entity"),
        ("id" = EntityId, Path, description = "The ID of the entity"),
        ("collection" = CollectionName, Path, description = "The collection"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the answer to `GET` of the list has"),
    ),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The list", body = EntityFiles),
        (status = 403, description = "A file is another owner's, or a scope is missing"),
        (status = 409, description = "The list would be too long, or does not take the file, or does not have it"),
        (status = 412, description = "The list has changed; `files` has it"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn change_list() {}

/// Make a file the only one of a list
#[utoipa::path(
    put, path = "/v1/entities/{type}/{id}/{collection}/only", tag = "files", operation_id = "putOnlyFile",
    params(
        ("type" = EntityType, Path, description = "The type of the entity"),
        ("id" = EntityId, Path, description = "The ID of the entity"),
        ("collection" = CollectionName, Path, description = "The collection"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the answer to `GET` of the list has"),
    ),
    request_body = OnlyBody,
    responses(
        (status = 200, description = "The list", body = EntityFiles),
        (status = 403, description = "A file is another owner's, or a scope is missing"),
        (status = 409, description = "The list does not take the file"),
        (status = 412, description = "The list has changed; `files` has it"),
    ),
    security(("token" = ["media:write"]))
)]
pub(super) async fn put_only_file() {}

/// Read the bytes of a file
///
/// Public if the file is; otherwise with a credential or a signed link. Without an extension, `Accept` decides the format.
#[utoipa::path(
    get, path = "/v1/media/{file}/{name}", tag = "files", operation_id = "readMedia",
    params(
        ("file" = FileId, Path, description = "The ID of the file"),
        ("name" = String, Path, description = "`original`, or a profile, with or without an extension", pattern = "^[a-z][a-z0-9_-]{0,31}(\\.(jpg|png|webp|avif))?$"),
        ("download" = Option<bool>, Query, description = "`true` if the browser should save the file instead of showing it"),
        ("expires" = Option<u64>, Query, description = "A part of a signed link, together with the three others: the time at which it expires, in seconds since 1970"),
        ("key" = Option<String>, Query, description = "A part of a signed link: the name of the key that signed it"),
        ("life" = Option<u32>, Query, description = "A part of a signed link: 0"),
        ("signature" = Option<String>, Query, description = "A part of a signed link: the signature, in base64url", pattern = "^[A-Za-z0-9_-]*$"),
    ),
    responses(
        (status = 200, description = "The bytes", content(
            (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"), (Vec<u8> = "image/gif"),
            (Vec<u8> = "image/heic"), (Vec<u8> = "image/avif"), (Vec<u8> = "application/pdf"), (Vec<u8> = "video/mp4"),
            (Vec<u8> = "video/quicktime"),
        )),
        (status = 206, description = "The part that `Range` requests", content(
            (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"), (Vec<u8> = "image/gif"),
            (Vec<u8> = "image/heic"), (Vec<u8> = "image/avif"), (Vec<u8> = "application/pdf"), (Vec<u8> = "video/mp4"),
            (Vec<u8> = "video/quicktime"),
        )),
        (status = 304, description = "The client already has the bytes"),
        (status = 307, description = "The bytes are elsewhere. Functions send none themselves", headers(
            ("location" = String, description = "Where the bytes are, for some minutes at least"),
        )),
        (status = 403, description = "The link is not valid"),
        (status = 410, description = "The file was deleted, or has expired"),
        (status = 412, description = "The precondition `If-Match` or `If-Unmodified-Since` failed"),
        (status = 416, description = "The range lies beyond the end of the content"),
    ),
)]
pub(super) async fn read_media() {}
