//! Every bound of the product, each a named constant. A parser checks its bound before it allocates (guarantee 9).

/// Longest C2PA manifest store that is accepted, in bytes. The largest of 46 stores seen in the wild had 1.88 MB;
/// c2pa-rs itself stops reading at 10 MB when a server sends no `Content-Length`.
pub const MAX_C2PA_MANIFEST_BYTES: usize = 10_000_000;

/// Longest JSON manifest, in bytes. It is part of the record, which every reader of the proof fetches whole.
pub const MAX_JSON_MANIFEST_BYTES: usize = 1_000_000;

/// Longest request body, in bytes, after its content coding is removed: the largest manifest in base64 (4/3 of
/// 10,000,000) and 64 KiB for the rest of the document.
pub const MAX_BODY_BYTES: usize = MAX_C2PA_MANIFEST_BYTES.div_ceil(3) * 4 + 65_536;

/// Most bytes that are read, checked and hashed on the thread that answers the request: a few milliseconds of work at
/// worst. A longer body goes to a thread that no other request waits for.
pub const QUICK_BYTES: usize = 262_144;

/// Longest stored record, in bytes: a JSON manifest in base64, the members of a legacy record, a signature, ten tags
/// and the fixed members.
pub const MAX_RECORD_BYTES: usize =
    MAX_JSON_MANIFEST_BYTES.div_ceil(3) * 4 + MAX_LEGACY_FIELDS_BYTES + 65_536;

/// Longest tombstone, in bytes. The row in it needs about 1,200 with the longest IDs.
pub const MAX_TOMBSTONE_BYTES: usize = 4_096;

/// Longest mark of a store's identity, in bytes. Its four members need about 140.
pub const MAX_IDENTITY_BYTES: usize = 1_024;

/// Longest object of a legacy ID or a hold, in bytes: the longest IDs and the fixed members.
pub const MAX_NOTE_BYTES: usize = 2_048;

/// Longest string or member name in the JSON of a request body, in bytes as written, apart from a manifest in base64.
/// It is as long as a JSON manifest, which may consist of a single string.
pub const MAX_JSON_TEXT_BYTES: usize = MAX_JSON_MANIFEST_BYTES;

/// Deepest nesting of arrays and objects in any JSON that is read. The top-level value counts as one.
pub const MAX_JSON_DEPTH: usize = 64;

/// Deepest nesting of JUMBF superboxes. A C2PA store uses four: store, manifest, assertion store, assertion.
pub const MAX_JUMBF_DEPTH: usize = 16;

/// Most JUMBF boxes, of any kind and depth, in one manifest store.
pub const MAX_JUMBF_BOXES: usize = 20_000;

/// Deepest nesting of a CBOR item in a claim or an assertion.
pub const MAX_CBOR_DEPTH: usize = 64;

/// Most certificates that come with one signature: the signer's, and those between it and a trust anchor.
pub const MAX_CERTIFICATES: usize = 8;

/// Longest certificate, in bytes of DER. Certificates that sign C2PA manifests have 1,000 to 2,500.
pub const MAX_CERTIFICATE_BYTES: usize = 65_536;

/// Longest signature of a claim, in bytes: that of RSA with 8,192 bits.
pub const MAX_COSE_SIGNATURE_BYTES: usize = 1_024;

/// Longest manifest ID, in bytes after escaping for the name of a file. `urn:c2pa:<uuid>:<generator>:<version>` needs
/// about 90, or 150 if every character of the generator's name is escaped. The name of a file has at most 255 bytes:
/// the longest ID and the longest tenant need 252 in the name of a removed hold (`removed/{13
/// digits}/holds/{id}/{tenant}/{10 digits}`).
pub const MAX_MANIFEST_ID_BYTES: usize = 160;

/// Longest ID of a legacy record, in bytes: as long as a path segment of most stores.
pub const MAX_LEGACY_ID_BYTES: usize = 128;

/// Longest text of the members of a legacy record that have no counterpart in a record, in bytes.
pub const MAX_LEGACY_FIELDS_BYTES: usize = 262_144;

/// Longest legacy record, in bytes: as much as fits a request body, and its other members.
pub const MAX_LEGACY_RECORD_BYTES: usize = MAX_BODY_BYTES + MAX_LEGACY_FIELDS_BYTES;

/// Longest name of a migration job, in bytes.
pub const MAX_JOB_NAME_BYTES: usize = 64;

/// Most items in one message of a migration.
pub const MAX_MESSAGE_ITEMS: usize = 100;
/// Longest cursor of a listing of a migration's source, in bytes: the longest key in base64, with room to spare.
pub const MAX_SOURCE_CURSOR_BYTES: usize = 4_096;

/// Longest key of a migration's item within its source, in bytes: as long as an S3 key or a sort key of DynamoDB.
pub const MAX_ITEM_KEY_BYTES: usize = 1_024;

/// Longest tenant name, in bytes. [`MAX_MANIFEST_ID_BYTES`] says why.
pub const MAX_TENANT_BYTES: usize = 60;

/// Longest detached signature, in bytes of its text form.
pub const MAX_SIGNATURE_BYTES: usize = 16_384;

/// Longest media type, in bytes (RFC 6838, section 4.2: 127 for each of type and subtype).
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// Most tags of one proof: as many as S3 allows for one object.
pub const MAX_TAGS: usize = 10;
/// Longest tag key, in characters, as S3 allows it.
pub const MAX_TAG_KEY_CHARS: usize = 128;
/// Longest tag value, in characters, as S3 allows it.
pub const MAX_TAG_VALUE_CHARS: usize = 256;

/// Most revisions of one proof. A deletion changes one index row for the manifest of each revision and one for the
/// proof, in one transaction: 65 stays under DynamoDB's limit of 100.
pub const MAX_REVISIONS: u32 = 64;

/// Default lifetime of a proof, in seconds: one year.
pub const DEFAULT_LIFETIME_SECONDS: u64 = 31_536_000;
/// Longest lifetime that a writer may ask for, in seconds: ten years.
pub const MAX_LIFETIME_SECONDS: u64 = 315_360_000;

/// Default lifetime of a signed link, in seconds: one hour.
pub const DEFAULT_LINK_SECONDS: u64 = 3_600;
/// Longest lifetime of a signed link, in seconds: seven days, as for S3's presigned URLs.
pub const MAX_LINK_SECONDS: u64 = 604_800;

/// Most proofs on one page of a listing.
pub const MAX_PAGE: usize = 1_000;
/// Default number of proofs on one page of a listing.
pub const DEFAULT_PAGE: usize = 100;
/// Most IDs in one batch deletion.
pub const MAX_BATCH: usize = 1_000;

/// Longest request target (path and query), in bytes. RFC 9110, section 4.1 recommends supporting at least 8,000.
pub const MAX_TARGET_BYTES: usize = 8_192;
/// Longest request ID that is accepted from a client, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 128;
/// Most entity tags in one conditional header.
pub const MAX_ENTITY_TAGS: usize = 100;

/// Shortest content that is compressed, in bytes. For anything shorter, gzip's 18 bytes of framing outweigh the saving.
pub const MIN_GZIP_BYTES: usize = 256;

/// Most members of one gzip stream (RFC 1952, section 2.2). Tools that compress in blocks, so that parts can be read on
/// their own, write one for every 64 KB: 210 for the longest body.
pub const MAX_GZIP_MEMBERS: usize = 1_024;

/// Minimum age at which cleanup handles an object without an index row, in seconds: 15 minutes. A store that is still
/// running is younger: its body arrives within 4 minutes, and its calls end within one.
pub const ORPHAN_AGE_SECONDS: u64 = 900;

/// Time for which an expired proof is kept before it is destroyed, in seconds: 7 days. Until then a read is answered
/// with 410, and a clock that was wrong can be set right.
pub const EXPIRY_GRACE_SECONDS: u64 = 604_800;

/// Time for which an object that cleanup removed can be brought back, in seconds: 7 days.
pub const REMOVED_GRACE_SECONDS: u64 = 604_800;

/// Largest lead of the clock over the last trusted instant before deletions stop, in seconds: 7 days, so that an
/// unnoticed jump uses up no more than [`EXPIRY_GRACE_SECONDS`].
pub const MAX_CLOCK_JUMP_SECONDS: u64 = 604_800;

/// Largest lag of the clock behind the last trusted instant before deletions stop, in seconds: 5 minutes.
pub const MAX_CLOCK_LAG_SECONDS: u64 = 300;

/// Longest message of a queue, in bytes: as much as SQS counts as one request. The largest number of the longest object
/// keys, escaped, stays under it; the items of a migration are split by length as well as by number.
pub const MAX_MESSAGE_BYTES: usize = 65_536;
/// Most object keys in one message.
pub const MAX_MESSAGE_KEYS: usize = 20;

/// Longest name of a collection, in bytes.
pub const MAX_COLLECTION_NAME_BYTES: usize = 40;
/// Longest name of a rendition profile, in bytes.
pub const MAX_PROFILE_NAME_BYTES: usize = 32;
/// Longest owner of a file, in bytes: as long as OpenID Connect Core 1.0, section 2, lets `sub` be.
pub const MAX_OWNER_BYTES: usize = 255;
/// Longest type of an entity, in bytes.
pub const MAX_ENTITY_TYPE_BYTES: usize = 40;
/// Longest ID of an entity, in bytes: as long as a legacy ID.
pub const MAX_ENTITY_ID_BYTES: usize = 128;

/// Longest document of collections, in bytes. The four collections that are built in need 3,000.
pub const MAX_COLLECTIONS_BYTES: usize = 262_144;
/// Most collections of a deployment.
pub const MAX_COLLECTIONS: usize = 100;
/// Most rendition profiles of a collection.
pub const MAX_PROFILES: usize = 12;
/// Largest width or height of a rendition, in pixels.
pub const MAX_RENDITION_SIDE: u32 = 4_096;

/// Longest file of any collection, in bytes: the largest object of S3 and R2, 5 TiB.
pub const MAX_FILE_BYTES: u64 = 5 * 1_024 * 1_024 * 1_024 * 1_024;
/// Longest file that is in memory as a whole, in bytes, and therefore longest file that is made of an upload: 1 GB.
/// A finaliser has room for it, and a longer one is rejected before it is published.
pub const MAX_WHOLE_FILE_BYTES: u64 = 1_000_000_000;
/// Most pixels of one frame of a picture of any collection. Decoding takes up to 19 bytes of memory for each.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Most frames of a picture of any collection.
pub const MAX_FRAMES: u32 = 200;
/// Most pixels of all frames of an animated picture together.
pub const MAX_ANIMATION_PIXELS: u64 = 100_000_000;

/// Most files in one list of an entity. A row with as many IDs has 35,000 bytes, under the 400 KB of DynamoDB.
pub const MAX_LIST: usize = 1_000;

/// Longest file that is uploaded with a single `PUT`, in bytes. A Worker's request has at most 100 MB.
pub const MAX_PUT_BYTES: u64 = 100_000_000;
/// Shortest part of a multipart upload, except for the last, in bytes: 8 MiB. S3 and R2 ask for 5 MiB.
pub const MIN_PART_BYTES: u64 = 8 * 1_024 * 1_024;
/// Most parts of a multipart upload, as S3 and R2 allow.
pub const MAX_PARTS: u32 = 10_000;
/// Longest event of a bucket, in bytes: as long as a message of SQS was for many years. One about a single object has
/// about 1,000.
pub const MAX_BUCKET_EVENT_BYTES: usize = 262_144;
/// Most addresses of parts in one answer.
pub const MAX_PART_ADDRESSES: usize = 100;

/// Longest name of an uploaded file, in bytes: as long as most file systems allow.
pub const MAX_FILENAME_BYTES: usize = 255;
/// Longest text that describes a picture to those who do not see it, in characters.
pub const MAX_ALT_CHARS: usize = 1_000;
/// Longest stored record of a file, in bytes. With the longest texts, tags and 48 renditions it has about 25,000.
pub const MAX_FILE_RECORD_BYTES: usize = 65_536;

/// Time for which an upload waits for its bytes, in seconds: one day.
pub const UPLOAD_SECONDS: u64 = 86_400;
/// Time after which a received, scanned or processed upload is looked at, in seconds: 15 minutes, in which the message
/// about it has been delivered several times.
pub const UPLOAD_STEP_SECONDS: u64 = 900;
/// Longest piece of an answer that is sent piece by piece, in bytes: as much memory as such an answer takes.
pub const MAX_ANSWER_PIECE_BYTES: usize = 131_072;
/// Time after which an upload that has ended is looked at for the last time, in seconds: 7 days, in which whatever a client
/// still sends to an address has arrived. Until then, the bytes of one that was rejected as `failed` are kept. Its row stays.
pub const UPLOAD_KEPT_SECONDS: u64 = 604_800;
/// Most attempts to process an upload that end without a word, as with a process that is killed by its bytes, before it is
/// rejected. An attempt that fails and says so is none of them.
pub const MAX_UPLOAD_ATTEMPTS: u32 = 5;
/// Time after which an upload is looked at whose processing failed for the first time, in seconds: a minute. It doubles
/// with each failure in a row.
pub const UPLOAD_RETRY_SECONDS: u64 = 60;
/// Longest time after which an upload is looked at whose processing failed, in seconds: an hour. At its start, a server
/// looks at what is due within an hour.
pub const MAX_UPLOAD_RETRY_SECONDS: u64 = 3_600;
/// Time after which a multipart upload is looked at for the first time, in seconds: one hour, as long as the address of a
/// part is valid. Nobody reports the last part of an upload whose client does not say that it has sent everything.
pub const UPLOAD_LOOK_SECONDS: u64 = 3_600;
/// Time for which a file of no entity is kept, in seconds: nine days. Two are for whoever took it out of a list to put it
/// into another; seven are for a clock that is ahead unnoticed ([`MAX_CLOCK_JUMP_SECONDS`]).
pub const UNATTACHED_SECONDS: u64 = 172_800 + MAX_CLOCK_JUMP_SECONDS;
/// Time for which the log of accesses to private files is kept, in seconds: 400 days, so that a yearly review finds the
/// whole year.
pub const AUDIT_KEPT_SECONDS: u64 = 34_560_000;
/// Time for which a blob without a file is kept, in seconds: one day.
pub const UNHELD_BLOB_SECONDS: u64 = 86_400;
/// Time for which a process may remove the objects of a blob once it has begun, in seconds: 15 minutes, which is the
/// longest life of a function.
pub const BLOB_REMOVAL_SECONDS: u64 = 900;
/// Time after which another process may go on with the removal of a blob, in seconds: one hour, so that neither a clock
/// that is five minutes ahead nor a call that is under way makes two processes remove the same objects.
pub const BLOB_TAKEOVER_SECONDS: u64 = 3_600;
