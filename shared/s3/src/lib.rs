//! Objects in S3 and in R2, over one protocol.
//!
//! * **Conditional writes** are the service's own: `If-None-Match: *` and `If-Match` (see `conditional` for the case
//!   that an answer is lost).
//! * **Tags** of the port are `ETag`s. For plain writes they are the MD5 of the content, so different bytes have
//!   different tags unless somebody crafts a collision. A compare-and-swap that is deceived by such a collision swaps
//!   two contents of the same writer.
//! * **Absence** is `NoSuchKey`. A missing bucket is a failure. `HEAD` cannot tell the two apart, because its answer
//!   has no body, so a `HEAD` that is answered with 404 is followed by a `GET` of one byte, which can.
//! * **Every call ends**: it is bounded by [`Limits`](credlink_aws::Limits) and by the [deadline](credlink_runtime::deadline)
//!   of the current request, and the transfer of bodies by stalled-stream protection. Limits grow with the bytes that are
//!   sent or received: one second per 256 KB.
//! * Reading needs `s3:ListBucket` in addition to `s3:GetObject`: without it, S3 answers 403 for an absent object.
//!
//! **In scope:** the ports over one bucket, and, with keys of any text, the operations that operators and copies between
//! stores need. **Out of scope:** two buckets as one (`credlink-replication`), and the choice of buckets, which is up to
//! the configuration (`credlink-deployment`).
//!
//! | to find | look in |
//! |---|---|
//! | [`S3Objects`]: the client, its time limits, and the ports over it | `objects` |
//! | the settings of a bucket | `settings` |
//! | the types of operations, which a folder shares with a bucket | `operations` |
//! | conditional writes, and those whose answer is lost | `objects/conditional` |
//! | attributes and tags as headers | `attributes` |
//! | bodies that R2 must not unpack | `as_stored` |
//! | streams in and out, ranges, multipart uploads | `objects/transfer` |
//! | long objects, piece by piece | `objects/long` |
//! | listings, sums, batch deletion | `objects/keys` |
//! | server-side copies and moves | `objects/copies` |
//! | signed URLs | `objects/links` |
//! | uploads that were never completed | `objects/uploads` |
//! | [`S3Quarantine`]: what clients upload themselves | `quarantine` |
//! | the addresses to which they do, and until when | `quarantine/address`, `quarantine/session` |
//! | parts that clients sent, listed and joined | `quarantine/multipart` |
//! | what GuardDuty says of it | `quarantine/guardduty` |
//! | checksums in the answer to a `HEAD` | `checksum` |
//! | problems of a configuration | `objects/check` |
//! | a bucket whose keys are not CredLink's | `bucket` |
//!
//! Without the feature `sdk`, nothing of AWS is built in: [`S3Objects`] and [`S3Quarantine`] have no values, and cannot be
//! made.

#[cfg(feature = "sdk")]
mod as_stored;
#[cfg(feature = "sdk")]
mod attributes;
#[cfg(feature = "sdk")]
mod bucket;
#[cfg(feature = "sdk")]
mod checksum;
#[cfg_attr(not(feature = "sdk"), path = "objects/absent.rs")]
mod objects;
mod operations;
#[cfg_attr(not(feature = "sdk"), path = "quarantine/absent.rs")]
mod quarantine;
#[cfg_attr(not(feature = "sdk"), path = "sdk/absent.rs")]
mod sdk;
mod settings;

#[cfg(feature = "sdk")]
pub use objects::Health;
pub use objects::S3Objects;
pub use operations::{AnswerHeaders, Body, Deletion, Download, Entry, Range, SignedUrl, Sum, Uploaded};
pub use quarantine::S3Quarantine;
pub use sdk::{Credentials, StorageClass};
pub use settings::{BucketKind, Checksums, Encryption, S3Settings};
