//! A provider's variables.

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::StorageClass;

use super::value::{ConfigurationError, Source};
use crate::aws::Limits;
use crate::s3::{Encryption, Kind, Settings};

/// What the names of a provider may be.
const NAMES: &str = "`s3`, `r2` or `folder`";

/// Where bytes are.
#[derive(Clone, Debug)]
pub enum ProviderSettings {
    /// A bucket of S3 or R2. The region of an S3 bucket is empty where the SDK's chain shall find it.
    Bucket(Settings),
    /// A folder of this machine; `None`: the one in the data folder.
    Folder(Option<PathBuf>),
}

impl ProviderSettings {
    /// The provider that `variable` names; `None` if it names none.
    ///
    /// # Errors
    /// It names something else, or a variable of the provider cannot be used.
    pub fn read(source: &Source<'_>, variable: &'static str) -> Result<Option<Self>, ConfigurationError> {
        let Some(name) = source.text(variable) else { return Ok(None) };
        Self::named(source, &name)
            .unwrap_or_else(|| Err(ConfigurationError::new(variable, &name, NAMES)))
            .map(Some)
    }

    /// The provider of this name; `None` if there is no such provider.
    #[must_use]
    pub fn named(source: &Source<'_>, name: &str) -> Option<Result<Self, ConfigurationError>> {
        match name {
            "s3" => Some(s3(source).map(Self::Bucket)),
            "r2" => Some(r2(source).map(Self::Bucket)),
            "folder" => Some(Ok(Self::folder(source))),
            _ => None,
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(source: &Source<'_>) -> Self {
        Self::Folder(source.text("STORAGE_FOLDER").map(PathBuf::from))
    }

    /// The name that operators know it by.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bucket(settings) => settings.kind.name(),
            Self::Folder(_) => "folder",
        }
    }

    /// Whether both are one place, which is no fallback of itself.
    #[must_use]
    pub fn is_place_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bucket(one), Self::Bucket(two)) => {
                one.kind == two.kind && one.bucket == two.bucket && one.endpoint == two.endpoint
            }
            (Self::Folder(one), Self::Folder(two)) => one == two,
            (Self::Bucket(_), Self::Folder(_)) | (Self::Folder(_), Self::Bucket(_)) => false,
        }
    }
}

/// How long calls may take, and how often they are tried.
///
/// # Errors
/// A variable that is no such number.
pub fn limits(source: &Source<'_>) -> Result<Limits, ConfigurationError> {
    let default = Limits::default();
    let operation =
        source.number("STORAGE_TIMEOUT", 100..=300_000)?.map_or(default.operation, Duration::from_millis);
    let retries = source.number("STORAGE_MAX_RETRIES", 0..=10)?;
    Ok(Limits {
        connect: default.connect.min(operation),
        // With one attempt, it may take all the time there is.
        attempt: if retries == Some(0) { operation } else { default.attempt.min(operation) },
        operation,
        retries: retries.and_then(|number| u32::try_from(number).ok()).unwrap_or(default.retries),
    })
}

fn s3(source: &Source<'_>) -> Result<Settings, ConfigurationError> {
    let bucket = source.required(
        "STORAGE_BUCKET",
        "the name of the bucket, as STORAGE_PROVIDER or STORAGE_FALLBACK_PROVIDER is `s3`",
    )?;
    let mut settings = Settings::s3(bucket, source.text("STORAGE_REGION").unwrap_or_default());
    if let Some(endpoint) = source.url("STORAGE_ENDPOINT")? {
        settings = settings.at(endpoint);
    }
    if let Some(class) = source.text("STORAGE_CLASS") {
        let known = StorageClass::try_parse(&class);
        let refused = |_| ConfigurationError::new("STORAGE_CLASS", &class, StorageClass::values().join(", "));
        settings.storage_class = Some(known.map_err(refused)?);
    }
    settings.encryption = source.text("STORAGE_KMS_KEY").map_or(Encryption::Aes256, Encryption::Kms);
    settings.limits = limits(source)?;
    Ok(settings)
}

fn r2(source: &Source<'_>) -> Result<Settings, ConfigurationError> {
    let needed = "text, as STORAGE_PROVIDER or STORAGE_FALLBACK_PROVIDER is `r2`";
    let bucket = source.required("R2_BUCKET", needed)?;
    let (id, secret) =
        (source.required("R2_ACCESS_KEY_ID", needed)?, source.required("R2_SECRET_ACCESS_KEY", needed)?);
    let credentials = Credentials::new(id, secret, None, None, "environment");
    let endpoint = source.url("R2_ENDPOINT")?;
    let account = match &endpoint {
        // Another address needs no account.
        Some(_) => source.text("R2_ACCOUNT_ID").unwrap_or_default(),
        None => {
            let account = source.required("R2_ACCOUNT_ID", "the account's id, 32 hexadecimal digits")?;
            if account.len() != 32 || !account.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(ConfigurationError::new("R2_ACCOUNT_ID", &account, "32 hexadecimal digits"));
            }
            account
        }
    };
    let mut settings = Settings::r2(bucket, &account, credentials);
    if let Some(endpoint) = endpoint {
        settings = settings.at(endpoint);
    }
    debug_assert_eq!(settings.kind, Kind::R2);
    settings.limits = limits(source)?;
    Ok(settings)
}
