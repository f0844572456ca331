//! Every bound of the product, each a named constant. A parser checks its bound before it allocates (guarantee 9).

/// Longest C2PA manifest store that is accepted, in bytes. Of 46 stores seen in the wild the largest was
/// 1.88 MB; c2pa-rs itself stops reading at 10 MB when a server sends no `Content-Length`.
pub const MAX_C2PA_MANIFEST_BYTES: usize = 10_000_000;

/// Longest JSON manifest, in bytes. It travels inside the record, which every reader of the proof fetches whole.
pub const MAX_JSON_MANIFEST_BYTES: usize = 1_000_000;

/// Longest request body, in bytes, after its content coding is removed: the largest manifest in base64
/// (4/3 of 10,000,000) and 64 KiB for the rest of the document.
pub const MAX_BODY_BYTES: usize = MAX_C2PA_MANIFEST_BYTES.div_ceil(3) * 4 + 65_536;

/// Most bytes that are read, checked and hashed where a request is answered: a few milliseconds of work at worst. A
/// longer body is a matter for a thread that nobody else waits for.
pub const QUICK_BYTES: usize = 262_144;

/// Longest stored record, in bytes: a JSON manifest in base64, the members of a legacy record, a signature, ten tags and
/// the fixed members.
pub const MAX_RECORD_BYTES: usize =
    MAX_JSON_MANIFEST_BYTES.div_ceil(3) * 4 + MAX_LEGACY_FIELDS_BYTES + 65_536;

/// Longest deletion marker, in bytes: its row needs about 1,200 with the longest ids.
pub const MAX_TOMBSTONE_BYTES: usize = 4_096;

/// Longest mark of a store's identity, in bytes: its four members need about 140.
pub const MAX_IDENTITY_BYTES: usize = 1_024;

/// Longest object of a legacy id or of a hold, in bytes: the longest ids and the fixed members.
pub const MAX_NOTE_BYTES: usize = 2_048;

/// Longest text or member name in the JSON of a request's body, in bytes as it is written, other than a manifest in base64: a JSON
/// manifest may consist of one text.
pub const MAX_JSON_TEXT_BYTES: usize = MAX_JSON_MANIFEST_BYTES;

/// Deepest nesting of arrays and objects in any JSON that is read, the top-level value counting as one.
pub const MAX_JSON_DEPTH: usize = 64;

/// Deepest nesting of JUMBF superboxes. A C2PA store uses four: store, manifest, assertion store, assertion.
pub const MAX_JUMBF_DEPTH: usize = 16;

/// Most JUMBF boxes, of any kind and depth, in one manifest store.
pub const MAX_JUMBF_BOXES: usize = 20_000;

/// Deepest nesting of a CBOR item in a claim or an assertion.
pub const MAX_CBOR_DEPTH: usize = 64;

/// Most certificates that come with one signature: the signer's, and those between it and a trust anchor.
pub const MAX_CERTIFICATES: usize = 8;

/// Longest certificate, in bytes of DER. Those that sign C2PA manifests have 1,000 to 2,500.
pub const MAX_CERTIFICATE_BYTES: usize = 65_536;

/// Longest signature of a claim, in bytes: one of RSA with 8,192 bits.
pub const MAX_COSE_SIGNATURE_BYTES: usize = 1_024;

/// Longest manifest id, in bytes as it is escaped in the name of a file. `urn:c2pa:<uuid>:<generator>:<version>` needs about 90, 150
/// where nothing in the generator's name is safe there. The name of a file has at most 255: the longest id and the longest tenant
/// need 252 where a hold was removed (`removed/{13 digits}/holds/{id}/{tenant}/{10 digits}`).
pub const MAX_MANIFEST_ID_BYTES: usize = 160;

/// Longest id of a legacy record, in bytes: as long as a path segment of most stores.
pub const MAX_LEGACY_ID_BYTES: usize = 128;

/// Longest text of those members of a legacy record that have no member of their own in a record, in bytes.
pub const MAX_LEGACY_FIELDS_BYTES: usize = 262_144;

/// Longest legacy record, in bytes: what fits a request body, and its other members.
pub const MAX_LEGACY_RECORD_BYTES: usize = MAX_BODY_BYTES + MAX_LEGACY_FIELDS_BYTES;

/// Longest name of a migration's job, in bytes.
pub const MAX_JOB_NAME_BYTES: usize = 64;

/// Most items that one message of a migration names.
pub const MAX_MESSAGE_ITEMS: usize = 100;
/// Longest text that names where a listing of a migration's source goes on, in bytes: the longest key in base64, and more.
pub const MAX_SOURCE_CURSOR_BYTES: usize = 4_096;

/// Longest name of an item of a migration within its source, in bytes: that of an S3 key, and of a sort key of DynamoDB.
pub const MAX_ITEM_KEY_BYTES: usize = 1_024;

/// Longest tenant name, in bytes: see [`MAX_MANIFEST_ID_BYTES`].
pub const MAX_TENANT_BYTES: usize = 60;

/// Longest detached signature, in bytes of its text form.
pub const MAX_SIGNATURE_BYTES: usize = 16_384;

/// Longest media type, in bytes (RFC 6838, section 4.2: 127 for each of type and subtype).
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// Most tags of one proof: what S3 allows for one object.
pub const MAX_TAGS: usize = 10;
/// Longest tag key, in characters: what S3 allows.
pub const MAX_TAG_KEY_CHARS: usize = 128;
/// Longest tag value, in characters: what S3 allows.
pub const MAX_TAG_VALUE_CHARS: usize = 256;

/// Most revisions of one proof. Its deletion changes one index row a revision's manifest and one of its own, in
/// one transaction: 65 stays under DynamoDB's 100.
pub const MAX_REVISIONS: u32 = 64;

/// Time that a proof is kept when its writer does not say: one year, in seconds.
pub const DEFAULT_LIFETIME_SECONDS: u64 = 31_536_000;
/// The longest lifetime that can be asked for: ten years, in seconds.
pub const MAX_LIFETIME_SECONDS: u64 = 315_360_000;

/// Time that a signed link is good for when its caller does not say: one hour, in seconds.
pub const DEFAULT_LINK_SECONDS: u64 = 3_600;
/// The longest life of a signed link: seven days, in seconds, as for S3's presigned URLs.
pub const MAX_LINK_SECONDS: u64 = 604_800;

/// Most proofs on one page of a listing.
pub const MAX_PAGE: usize = 1_000;
/// Proofs on a page when the caller does not say.
pub const DEFAULT_PAGE: usize = 100;
/// Most ids in one batch delete.
pub const MAX_BATCH: usize = 1_000;

/// Longest request target (path and query), in bytes. RFC 9110, section 4.1 recommends to support 8,000.
pub const MAX_TARGET_BYTES: usize = 8_192;
/// Longest request id that is taken over from a client, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 128;
/// Longest list of entity tags in one conditional header, in tags.
pub const MAX_ENTITY_TAGS: usize = 100;

/// Content shorter than this is stored as it is: gzip's 18 bytes of framing outweigh what it saves.
pub const MIN_GZIP_BYTES: usize = 256;

/// Most members of one gzip stream (RFC 1952, section 2.2). Tools that pack in blocks, so that parts can be read by themselves,
/// make one for each 64 KB: 210 of the longest body.
pub const MAX_GZIP_MEMBERS: usize = 1_024;

/// Minimum age of an object without an index row before cleanup deals with it: 15 minutes, in seconds. A store that
/// is still running is younger: its body arrives within 4 minutes, and its calls end within one.
pub const ORPHAN_AGE_SECONDS: u64 = 900;

/// Time that an expired proof is kept before it is destroyed: 7 days, in seconds. Until then it is answered with 410,
/// and a clock that was wrong can be set right.
pub const EXPIRY_GRACE_SECONDS: u64 = 604_800;

/// Time for which an object that a collector removed can be brought back: 7 days, in seconds.
pub const REMOVED_GRACE_SECONDS: u64 = 604_800;

/// Most that the clock may be ahead of the last instant that was seen before deletions stop: 7 days, in seconds, so
/// that a jump that is not noticed uses up no more than [`EXPIRY_GRACE_SECONDS`].
pub const MAX_CLOCK_JUMP_SECONDS: u64 = 604_800;

/// Most that the clock may be behind the last instant that was seen before deletions stop: 5 minutes, in seconds.
pub const MAX_CLOCK_LAG_SECONDS: u64 = 300;

/// Longest message of a queue, in bytes: what SQS counts as one request. The longest object keys, escaped, in the largest
/// number stay under it; items of a migration are split by their length as well as by their number.
pub const MAX_MESSAGE_BYTES: usize = 65_536;
/// Most keys of objects that one message names.
pub const MAX_MESSAGE_KEYS: usize = 20;
