//! The settings of a bucket: its address and credentials, and how objects are written.

use std::fmt;

use credlink_aws::Limits;

use crate::sdk::{Credentials, StorageClass};

/// The services that speak S3 and differ in what they accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketKind {
    /// Amazon S3, or a compatible server.
    S3,
    /// Cloudflare R2. It refuses tags, encryption keys and storage classes other than `STANDARD`, has the region
    /// `auto`, and does not store the SHA-256 of an upload.
    R2,
}

impl BucketKind {
    /// Returns the name by which operators know the service.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::R2 => "r2",
        }
    }
}

impl fmt::Display for BucketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The encryption of objects at rest in S3. R2 always encrypts, with keys of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// The bucket's default encryption, which in S3 is `AES256`.
    #[default]
    Bucket,
    /// `AES256`, with keys of S3, requested with each write.
    Aes256,
    /// A KMS key, by its ID or ARN.
    Kms(String),
}

/// The requests to which the SDK adds checksums of its own, and for whose answers it requests them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksums {
    /// All requests for which S3 supports them. Writes also have the SHA-256 of their content.
    WhenSupported,
    /// Only requests that are refused without a checksum. For servers that do not support all kinds.
    WhenRequired,
}

/// The settings of an [`S3Objects`](super::S3Objects).
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// The service.
    pub kind: BucketKind,
    /// The bucket. Keys in it have no prefix, because a bucket belongs to one CredLink.
    pub bucket: String,
    /// The region for which requests are signed; `auto` with R2.
    pub region: String,
    /// The service's address, if it is not that of S3 in the region.
    pub endpoint: Option<String>,
    /// The access key. If there is none, the SDK's credential chain finds one.
    pub credentials: Option<Credentials>,
    /// The storage class of written objects (S3 only); `STANDARD` if there is none. For objects that are kept for less
    /// than 30 days, classes with a minimum duration cost more than they save.
    pub storage_class: Option<StorageClass>,
    /// The encryption of written objects (S3 only).
    pub encryption: Encryption,
    /// The checksums that the SDK adds.
    pub checksums: Checksums,
    /// `true` if requests name the bucket in the path instead of the host name. For servers at their own address.
    pub path_style: bool,
    /// The time limits of calls, and the number of retries.
    pub limits: Limits,
}

impl S3Settings {
    /// Returns the settings of an S3 bucket, with the SDK's credential chain.
    pub fn s3(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            kind: BucketKind::S3,
            bucket: bucket.into(),
            region: region.into(),
            endpoint: None,
            credentials: None,
            storage_class: None,
            encryption: Encryption::Bucket,
            checksums: Checksums::WhenSupported,
            path_style: false,
            limits: Limits::default(),
        }
    }

    /// Returns the settings of an R2 bucket.
    pub fn r2(bucket: impl Into<String>, account_id: &str, credentials: Credentials) -> Self {
        Self {
            kind: BucketKind::R2,
            credentials: Some(credentials),
            ..Self::s3(bucket, "auto").at(format!("https://{account_id}.r2.cloudflarestorage.com"))
        }
    }

    /// Changes the address of the service. A server that is not Amazon's gets the bucket in the path, and only the
    /// checksums that it requires.
    #[must_use]
    pub fn at(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self.checksums = Checksums::WhenRequired;
        self.path_style = true;
        self
    }
}
