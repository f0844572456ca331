//! The settings of a provider, from environment variables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use credlink_aws::{Limits, SdkConfig, http_client, plain_config, sdk_config};
use credlink_disk::folder::{Folder, FolderError};
use credlink_s3::{Checksums, Credentials, Encryption, S3Settings, StorageClass};

use super::Provider;
use crate::clients::{self, ClientError};
use crate::configuration::value::{ConfigurationError, Variables};

/// The maximum of `STORAGE_TIMEOUT`, in milliseconds: a Lambda ends after 15 minutes.
const MAX_TIMEOUT: u64 = 900_000;
/// The maximum of `STORAGE_MAX_RETRIES`.
const MAX_RETRIES: u64 = 20;

/// The choice of a provider, with its settings.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "aws", expect(clippy::large_enum_variant, reason = "made once a process, and consumed"))]
pub enum ProviderSettings {
    /// An S3 or R2 bucket. The region of an S3 bucket is empty if the SDK's chain is to find it.
    Bucket(S3Settings),
    /// A folder of this machine; `None` for the data folder.
    Folder(Option<PathBuf>),
}

impl ProviderSettings {
    /// Reads the settings of a provider: `s3`, `r2` or `folder`, or `primary` or `fallback` for the provider that
    /// `STORAGE_PROVIDER` or `STORAGE_FALLBACK_PROVIDER` names.
    ///
    /// | provider | variables |
    /// |---|---|
    /// | `s3` | `STORAGE_BUCKET`, `STORAGE_REGION` (else `AWS_REGION`), `STORAGE_ENDPOINT`, `STORAGE_CHECKSUMS`; credentials by the SDK's chain |
    /// | `r2` | `R2_BUCKET`, `R2_ACCOUNT_ID` or `R2_ENDPOINT`, `R2_ACCESS_KEY_ID`, `R2_SECRET_ACCESS_KEY` |
    /// | `folder` | `STORAGE_FOLDER` |
    /// | `s3`, `r2` | `STORAGE_TIMEOUT` (milliseconds for a call, including its retries), `STORAGE_MAX_RETRIES` |
    ///
    /// # Errors
    /// Returns an error for the first variable that is missing or wrong.
    pub fn named(source: &Variables<'_>, name: &str) -> Result<Self, ConfigurationError> {
        let said_by = |variable| {
            let said = Self::said_by(source, variable)?;
            said.ok_or_else(|| ConfigurationError::Missing { variable, allowed: PROVIDERS.to_owned() })
        };
        match name {
            "primary" => said_by("STORAGE_PROVIDER"),
            "fallback" => said_by("STORAGE_FALLBACK_PROVIDER"),
            name => Self::of(source, name, "the provider"),
        }
    }

    /// Returns the place as operators write it behind `--to`: `s3://bucket`, or a folder. A folder that is not named is
    /// `data_folder`.
    #[must_use]
    pub fn place(&self, data_folder: Option<&Path>) -> String {
        match self {
            Self::Bucket(settings) => format!("{}://{}", settings.kind, settings.bucket),
            Self::Folder(Some(folder)) => format!("dir:{}", folder.display()),
            Self::Folder(None) => format!("dir:{}", data_folder.unwrap_or_else(|| Path::new("")).display()),
        }
    }

    /// Returns the folder that is named for this provider, if there is one.
    #[must_use]
    pub fn own_folder(&self) -> Option<&Path> {
        match self {
            Self::Bucket(_) => None,
            Self::Folder(folder) => folder.as_deref(),
        }
    }

    /// Reads the settings of the provider that `variable` names, or returns `None` if it names none.
    ///
    /// # Errors
    /// Returns an error if the variable names something else, or if a variable of the provider is missing or wrong.
    pub fn said_by(
        source: &Variables<'_>,
        variable: &'static str,
    ) -> Result<Option<Self>, ConfigurationError> {
        source.text(variable).map(|name| Self::of(source, &name, variable)).transpose()
    }

    fn of(source: &Variables<'_>, name: &str, said_by: &'static str) -> Result<Self, ConfigurationError> {
        match name {
            "s3" => s3(source).map(Self::Bucket),
            "r2" => r2(source).map(Self::Bucket),
            "folder" => Ok(Self::folder(source)),
            other => Err(ConfigurationError::invalid(said_by, other, PROVIDERS)),
        }
    }

    /// Reads the settings of a folder.
    #[must_use]
    pub fn folder(source: &Variables<'_>) -> Self {
        Self::Folder(source.text("STORAGE_FOLDER").map(PathBuf::from))
    }

    /// Returns the name by which operators know the provider.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bucket(settings) => settings.kind.name(),
            Self::Folder(_) => "folder",
        }
    }

    /// Returns `true` if both are the same place, which cannot be its own fallback.
    #[must_use]
    pub fn is_place_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bucket(one), Self::Bucket(two)) => {
                (one.kind, &one.bucket, &one.endpoint) == (two.kind, &two.bucket, &two.endpoint)
            }
            (Self::Folder(one), Self::Folder(two)) => one == two,
            (Self::Bucket(_), Self::Folder(_)) | (Self::Folder(_), Self::Bucket(_)) => false,
        }
    }

    /// Opens the provider. Nothing is sent; a folder is made and locked. `aws` supplies the connection pool, and the
    /// SDK's chain of credentials and regions. `data_folder` is used if no folder is named, and must hold nothing but a
    /// CredLink store.
    ///
    /// # Errors
    /// Returns an error for a folder that cannot be opened or is not named, and for a bucket whose client cannot be made.
    pub fn open(&self, aws: &SdkConfig, data_folder: Option<&Path>) -> Result<Provider, OpenError> {
        match self {
            Self::Folder(path) => {
                let own = path.as_deref();
                // A data folder may hold more than objects, so its contents are checked by the caller that opens all of
                // it.
                let folder = match (own, data_folder) {
                    (Some(own), Some(data)) if are_one(own, data) => Folder::open_own(own),
                    (Some(own), _) => Folder::open(own),
                    (None, Some(data)) => Folder::open_own(data),
                    (None, None) => return Err(OpenError::NoFolder),
                };
                Ok(Provider::Folder(folder?))
            }
            Self::Bucket(settings) => Ok(Provider::Bucket(clients::bucket(settings.clone(), aws)?)),
        }
    }

    /// Returns the shared configuration of AWS clients, for this provider alone. If the provider has a key of its own,
    /// the SDK's chain, which may use the network, is not consulted.
    pub async fn shared(&self) -> SdkConfig {
        match self {
            Self::Bucket(settings) if settings.credentials.is_none() => {
                let region = Some(settings.region.as_str()).filter(|region| !region.is_empty());
                sdk_config(http_client(), region, &settings.limits).await
            }
            Self::Bucket(_) | Self::Folder(_) => plain_config(http_client()),
        }
    }
}

/// A reason why a provider cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder itself cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No folder is named.
    #[error("STORAGE_FOLDER is not set; it has to be a folder of this machine, as the provider is `folder`")]
    NoFolder,
    /// The client of a bucket cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Returns `true` if two paths lead to the same folder.
fn are_one(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    a == b || real(a).is_some_and(|a| real(b) == Some(a))
}

const PROVIDERS: &str = "s3, r2 or folder";
const ACCOUNT: &str = "the id of the account at Cloudflare, which is 32 hexadecimal digits";

/// Returns `true` if the text may be an account ID, which becomes a part of a host name.
fn is_account(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn s3(source: &Variables<'_>) -> Result<S3Settings, ConfigurationError> {
    let bucket = source.required("STORAGE_BUCKET", "the bucket's name")?;
    let mut settings = S3Settings::s3(bucket, source.text("STORAGE_REGION").unwrap_or_default());
    if let Some(endpoint) = source.url("STORAGE_ENDPOINT")? {
        settings = settings.at(endpoint);
    }
    settings.checksums = match source.text("STORAGE_CHECKSUMS").as_deref() {
        None => settings.checksums,
        Some("supported") => Checksums::WhenSupported,
        Some("required") => Checksums::WhenRequired,
        Some(other) => {
            return Err(ConfigurationError::invalid("STORAGE_CHECKSUMS", other, "supported or required"));
        }
    };
    if let Some(class) = source.text("STORAGE_CLASS") {
        let known = StorageClass::try_parse(&class);
        let allowed = || format!("one of {}", StorageClass::values().join(", "));
        let refused = |_| ConfigurationError::invalid("STORAGE_CLASS", &class, allowed());
        settings.storage_class = Some(known.map_err(refused)?);
    }
    if let Some(key) = source.text("STORAGE_KMS_KEY") {
        settings.encryption = Encryption::Kms(key);
    }
    settings.limits = limits(source)?;
    Ok(settings)
}

fn r2(source: &Variables<'_>) -> Result<S3Settings, ConfigurationError> {
    let bucket = source.required("R2_BUCKET", "the bucket's name")?;
    let key = source.required("R2_ACCESS_KEY_ID", "the id of an access key of R2")?;
    let secret = source.required("R2_SECRET_ACCESS_KEY", "the secret of that access key")?;
    let credentials = Credentials::new(key, secret, None, None, "environment");
    let endpoint = source.url("R2_ENDPOINT")?;
    let account = match (&endpoint, source.text("R2_ACCOUNT_ID")) {
        (Some(_), account) => account.unwrap_or_default(),
        (None, Some(account)) if !is_account(&account) => {
            return Err(ConfigurationError::invalid("R2_ACCOUNT_ID", &account, ACCOUNT));
        }
        (None, _) => source.required("R2_ACCOUNT_ID", ACCOUNT)?,
    };
    let mut settings = S3Settings::r2(bucket, &account, credentials);
    if let Some(endpoint) = endpoint {
        settings = settings.at(endpoint);
    }
    settings.limits = limits(source)?;
    Ok(settings)
}

/// Reads the timeouts and retries of calls.
///
/// # Errors
/// Returns an error for a variable that is not a number within its limits.
pub fn limits(source: &Variables<'_>) -> Result<Limits, ConfigurationError> {
    let mut limits = Limits::default();
    if let Some(milliseconds) = source.number("STORAGE_TIMEOUT", 100..=MAX_TIMEOUT)? {
        limits.operation = Duration::from_millis(milliseconds);
        limits.attempt = limits.attempt.min(limits.operation);
        limits.connect = limits.connect.min(limits.operation);
    }
    if let Some(retries) = source.number("STORAGE_MAX_RETRIES", 0..=MAX_RETRIES)? {
        limits.retries = u32::try_from(retries).unwrap_or(u32::MAX);
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account ID.
    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn read(name: &str, variables: &[(&str, &str)]) -> Result<ProviderSettings, String> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
        ProviderSettings::named(&Variables::new(find), name).map_err(|error| error.to_string())
    }

    #[test]
    fn providers_are_read() {
        let s3 = [("STORAGE_PROVIDER", "s3"), ("STORAGE_BUCKET", "b"), ("STORAGE_REGION", "eu-west-1")];
        let limits = [("STORAGE_TIMEOUT", "1500"), ("STORAGE_MAX_RETRIES", "0")];
        let Ok(ProviderSettings::Bucket(settings)) = read("primary", &[&s3[..], &limits].concat()) else {
            panic!("it is a bucket")
        };
        assert_eq!((settings.bucket.as_str(), settings.region.as_str()), ("b", "eu-west-1"));
        assert_eq!((settings.limits.operation, settings.limits.retries), (Duration::from_millis(1_500), 0));
        assert_eq!(settings.limits.attempt, settings.limits.operation);
        let elsewhere = [("STORAGE_ENDPOINT", "http://127.0.0.1:9")];
        for (said, checksums) in [
            (&[][..], Checksums::WhenRequired),
            (&[("STORAGE_CHECKSUMS", "supported")], Checksums::WhenSupported),
        ] {
            let read = read("s3", &[&s3[..], &elsewhere, said].concat());
            assert!(
                matches!(read, Ok(ProviderSettings::Bucket(settings)) if settings.checksums == checksums)
            );
        }
        let keys = [("R2_BUCKET", "b"), ("R2_ACCESS_KEY_ID", "k"), ("R2_SECRET_ACCESS_KEY", "hush")];
        let Ok(ProviderSettings::Bucket(settings)) =
            read("r2", &[&keys[..], &[("R2_ACCOUNT_ID", ID)]].concat())
        else {
            panic!("it is a bucket")
        };
        let account = format!("https://{ID}.r2.cloudflarestorage.com");
        assert_eq!(settings.endpoint.as_deref(), Some(account.as_str()));
        assert!(!format!("{settings:?}").contains("hush"));
        let folder = read("fallback", &[("STORAGE_FALLBACK_PROVIDER", "folder"), ("STORAGE_FOLDER", "x")]);
        assert!(
            matches!(folder, Ok(ProviderSettings::Folder(Some(path))) if path.as_path() == Path::new("x"))
        );
    }

    #[test]
    fn errors_name_the_variable_its_value_and_what_is_allowed() {
        let bucket = ("STORAGE_BUCKET", "b");
        let region = ("STORAGE_REGION", "r");
        for (name, variables, said) in [
            ("primary", &[][..], "STORAGE_PROVIDER is not set; it has to be s3, r2 or folder"),
            (
                "primary",
                &[("STORAGE_PROVIDER", "gcs")],
                "STORAGE_PROVIDER is `gcs`; allowed is s3, r2 or folder",
            ),
            ("ftp", &[], "the provider is `ftp`; allowed is s3, r2 or folder"),
            ("s3", &[("STORAGE_BUCKET", " ")], "STORAGE_BUCKET is not set; it has to be the bucket's name"),
            (
                "s3",
                &[bucket, region, ("STORAGE_ENDPOINT", "host:1")],
                "STORAGE_ENDPOINT is `host:1`; allowed is a URL with `https://` or `http://` and no query",
            ),
            (
                "s3",
                &[bucket, region, ("STORAGE_CHECKSUMS", "sha256")],
                "STORAGE_CHECKSUMS is `sha256`; allowed is supported or required",
            ),
            (
                "s3",
                &[bucket, region, ("STORAGE_TIMEOUT", "5s")],
                "STORAGE_TIMEOUT is `5s`; allowed is a number from 100 to 900000",
            ),
            (
                "s3",
                &[bucket, region, ("STORAGE_MAX_RETRIES", "21")],
                "STORAGE_MAX_RETRIES is `21`; allowed is a number from 0 to 20",
            ),
            (
                "r2",
                &[
                    ("R2_BUCKET", "b"),
                    ("R2_ACCESS_KEY_ID", "k"),
                    ("R2_SECRET_ACCESS_KEY", "s"),
                    ("R2_ACCOUNT_ID", "xyz"),
                ],
                "R2_ACCOUNT_ID is `xyz`; allowed is the id of the account at Cloudflare, which is 32 hexadecimal digits",
            ),
        ] {
            assert_eq!(read(name, variables).unwrap_err(), said);
        }
    }
}
