//! Which bucket, where, as whom, and how objects are written there.

use std::fmt;

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::StorageClass;

use crate::Limits;

/// The services that speak S3 and differ in what they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Amazon S3, or a server that keeps to it.
    S3,
    /// Cloudflare R2: it refuses tags, keys of encryption and storage classes other than `STANDARD`, has the region
    /// `auto`, and keeps no SHA-256 of an upload.
    R2,
}

impl Kind {
    /// The name that operators know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::R2 => "r2",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How S3 encrypts what it keeps. R2 always does, with keys of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket's own default says; S3's is `AES256`.
    #[default]
    Bucket,
    /// `AES256`: with S3's own keys, asked for with each write.
    Aes256,
    /// With this key of KMS, by its id or ARN.
    Kms(String),
}

/// When the SDK adds checksums of its own to requests, and asks for them in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksums {
    /// Wherever S3 knows them. Writes carry the SHA-256 of their content, too.
    WhenSupported,
    /// Only where a request is refused without one: for servers that do not know them all.
    WhenRequired,
}

/// The settings of an [`S3Objects`](super::S3Objects).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service.
    pub kind: Kind,
    /// The bucket. Keys in it have no prefix: a bucket belongs to one CredLink.
    pub bucket: String,
    /// The region that requests are signed for; `auto` with R2.
    pub region: String,
    /// The service's address, where it is not the one of S3 in that region.
    pub endpoint: Option<String>,
    /// An access key; without one, the chain of the SDK finds one.
    pub credentials: Option<Credentials>,
    /// The storage class of what is written (S3 only); `STANDARD` if there is none. Classes with a minimal duration cost
    /// more than they save for what is kept less than 30 days.
    pub storage_class: Option<StorageClass>,
    /// The encryption of what is written (S3 only).
    pub encryption: Encryption,
    /// Checksums of the SDK.
    pub checksums: Checksums,
    /// Whether the bucket stands in the path of requests instead of the host's name: for servers at an address of their
    /// own.
    pub path_style: bool,
    /// How long calls may take, and how often they are tried.
    pub limits: Limits,
}

impl Settings {
    /// A bucket of S3, with the SDK's own chain of credentials.
    pub fn s3(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            kind: Kind::S3,
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

    /// A bucket of R2.
    pub fn r2(bucket: impl Into<String>, account_id: &str, credentials: Credentials) -> Self {
        Self {
            kind: Kind::R2,
            credentials: Some(credentials),
            ..Self::s3(bucket, "auto").at(format!("https://{account_id}.r2.cloudflarestorage.com"))
        }
    }

    /// The same at another address: a server that is not Amazon's takes its bucket in the path, and no checksums that it
    /// does not ask for.
    #[must_use]
    pub fn at(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self.checksums = Checksums::WhenRequired;
        self.path_style = true;
        self
    }
}
