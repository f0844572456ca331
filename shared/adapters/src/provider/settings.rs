//! A provider's settings from environment variables.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Provider;
use crate::aws::{self, Limits};
use crate::folder::{Folder, FolderError};
use crate::s3::{Credentials, S3Objects, Settings};

/// The largest `STORAGE_TIMEOUT`, in milliseconds: a Lambda ends after 15 minutes.
const MAX_TIMEOUT: u64 = 900_000;
/// The largest `STORAGE_MAX_RETRIES`.
const MAX_RETRIES: u32 = 20;

/// A variable that is missing or wrong. It never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationError {
    /// The variable.
    pub variable: &'static str,
    /// What it says, if it says something.
    pub value: Option<String>,
    /// What it may say.
    pub allowed: String,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, value, allowed } = self;
        match value {
            Some(value) => write!(f, "{variable} is `{value}`; allowed is {allowed}"),
            None => write!(f, "{variable} is not set; it has to be {allowed}"),
        }
    }
}

impl std::error::Error for ConfigurationError {}

/// Which provider, and how to reach it.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "made once a process, and consumed")]
pub enum ProviderSettings {
    /// A bucket of S3 or R2.
    Bucket(Settings),
    /// A folder of this machine.
    Folder(PathBuf),
}

impl ProviderSettings {
    /// The settings of a provider: `s3`, `r2` or `folder`, or `primary` or `fallback` for the one that `STORAGE_PROVIDER` or
    /// `STORAGE_FALLBACK_PROVIDER` names.
    ///
    /// | provider | variables |
    /// |---|---|
    /// | `s3` | `STORAGE_BUCKET`, `STORAGE_REGION` (else `AWS_REGION`), `STORAGE_ENDPOINT`; credentials by the SDK's chain |
    /// | `r2` | `R2_BUCKET`, `R2_ACCOUNT_ID` or `R2_ENDPOINT`, `R2_ACCESS_KEY_ID`, `R2_SECRET_ACCESS_KEY` |
    /// | `folder` | `STORAGE_FOLDER` |
    /// | `s3`, `r2` | `STORAGE_TIMEOUT` (milliseconds a call, with its retries), `STORAGE_MAX_RETRIES` |
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub fn from_variables(
        name: &str,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigurationError> {
        let variables = Variables(variables);
        let named = |variable| variables.required(variable, PROVIDERS);
        match name {
            "primary" => Self::named(&named("STORAGE_PROVIDER")?, "STORAGE_PROVIDER", &variables),
            "fallback" => {
                Self::named(&named("STORAGE_FALLBACK_PROVIDER")?, "STORAGE_FALLBACK_PROVIDER", &variables)
            }
            name => Self::named(name, "the provider", &variables),
        }
    }

    fn named(
        name: &str,
        said_by: &'static str,
        variables: &Variables<'_>,
    ) -> Result<Self, ConfigurationError> {
        match name {
            "s3" => s3(variables).map(Self::Bucket),
            "r2" => r2(variables).map(Self::Bucket),
            "folder" => {
                variables.required("STORAGE_FOLDER", "a folder").map(|path| Self::Folder(path.into()))
            }
            other => Err(ConfigurationError {
                variable: said_by,
                value: Some(other.to_owned()),
                allowed: PROVIDERS.to_owned(),
            }),
        }
    }

    /// Opens the provider. Nothing is sent; a folder is made and locked.
    ///
    /// # Errors
    /// A folder that cannot be opened.
    pub async fn open(self) -> Result<Provider, FolderError> {
        Ok(match self {
            Self::Folder(path) => Provider::Folder(Folder::open(path)?),
            Self::Bucket(settings) => {
                let client = aws::http_client();
                let shared = match &settings.credentials {
                    Some(_) => aws::plain_config(client),
                    None => aws::sdk_config(client, Some(&settings.region), &settings.limits).await,
                };
                Provider::Bucket(S3Objects::new(settings, &shared))
            }
        })
    }
}

const PROVIDERS: &str = "s3, r2 or folder";

fn s3(variables: &Variables<'_>) -> Result<Settings, ConfigurationError> {
    let bucket = variables.required("STORAGE_BUCKET", "the bucket's name")?;
    let region = variables.optional("STORAGE_REGION").or_else(|| variables.optional("AWS_REGION"));
    let region = match region {
        Some(region) => region,
        None => variables.required("STORAGE_REGION", "the bucket's region, such as eu-central-1")?,
    };
    let mut settings = Settings::s3(bucket, region);
    if let Some(endpoint) = variables.endpoint("STORAGE_ENDPOINT")? {
        settings = settings.at(endpoint);
    }
    settings.limits = variables.limits()?;
    Ok(settings)
}

fn r2(variables: &Variables<'_>) -> Result<Settings, ConfigurationError> {
    let bucket = variables.required("R2_BUCKET", "the bucket's name")?;
    let key = variables.required("R2_ACCESS_KEY_ID", "the id of an access key of R2")?;
    let secret = variables.required("R2_SECRET_ACCESS_KEY", "the secret of that access key")?;
    let credentials = Credentials::new(key, secret, None, None, "environment");
    let endpoint = variables.endpoint("R2_ENDPOINT")?;
    let account = match (&endpoint, variables.optional("R2_ACCOUNT_ID")) {
        (Some(_), account) => account.unwrap_or_default(),
        (None, _) => variables.required("R2_ACCOUNT_ID", "the id of the account at Cloudflare")?,
    };
    let mut settings = Settings::r2(bucket, &account, credentials);
    if let Some(endpoint) = endpoint {
        settings = settings.at(endpoint);
    }
    settings.limits = variables.limits()?;
    Ok(settings)
}

struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// An empty variable is none.
    fn optional(&self, variable: &str) -> Option<String> {
        (self.0)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn required(&self, variable: &'static str, allowed: &str) -> Result<String, ConfigurationError> {
        let missing = || ConfigurationError { variable, value: None, allowed: allowed.to_owned() };
        self.optional(variable).ok_or_else(missing)
    }

    fn endpoint(&self, variable: &'static str) -> Result<Option<String>, ConfigurationError> {
        let Some(value) = self.optional(variable) else { return Ok(None) };
        let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
            return Ok(Some(value));
        }
        let allowed = "an address that begins with https:// or http://".to_owned();
        Err(ConfigurationError { variable, value: Some(value), allowed })
    }

    fn number<T: FromStr + PartialOrd>(
        &self,
        variable: &'static str,
        from: T,
        to: T,
        allowed: &str,
    ) -> Result<Option<T>, ConfigurationError> {
        let Some(value) = self.optional(variable) else { return Ok(None) };
        match value.parse() {
            Ok(number) if number >= from && number <= to => Ok(Some(number)),
            _ => Err(ConfigurationError { variable, value: Some(value), allowed: allowed.to_owned() }),
        }
    }

    fn limits(&self) -> Result<Limits, ConfigurationError> {
        let mut limits = Limits::default();
        let allowed = format!("a number of milliseconds from 1 to {MAX_TIMEOUT}");
        if let Some(milliseconds) = self.number("STORAGE_TIMEOUT", 1, MAX_TIMEOUT, &allowed)? {
            limits.operation = Duration::from_millis(milliseconds);
            limits.attempt = limits.attempt.min(limits.operation);
            limits.connect = limits.connect.min(limits.operation);
        }
        let allowed = format!("a number from 0 to {MAX_RETRIES}");
        if let Some(retries) = self.number("STORAGE_MAX_RETRIES", 0, MAX_RETRIES, &allowed)? {
            limits.retries = retries;
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, variables: &[(&str, &str)]) -> Result<ProviderSettings, String> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
        ProviderSettings::from_variables(name, &find).map_err(|error| error.to_string())
    }

    #[test]
    fn providers_are_read() {
        let s3 = [("STORAGE_PROVIDER", "s3"), ("STORAGE_BUCKET", "b"), ("AWS_REGION", "eu-west-1")];
        let limits = [("STORAGE_TIMEOUT", "1500"), ("STORAGE_MAX_RETRIES", "0")];
        let Ok(ProviderSettings::Bucket(settings)) = read("primary", &[&s3[..], &limits].concat()) else {
            panic!("it is a bucket")
        };
        assert_eq!((settings.bucket.as_str(), settings.region.as_str()), ("b", "eu-west-1"));
        assert_eq!((settings.limits.operation, settings.limits.retries), (Duration::from_millis(1_500), 0));
        assert_eq!(settings.limits.attempt, settings.limits.operation);
        let keys = [("R2_BUCKET", "b"), ("R2_ACCESS_KEY_ID", "k"), ("R2_SECRET_ACCESS_KEY", "hush")];
        let Ok(ProviderSettings::Bucket(settings)) =
            read("r2", &[&keys[..], &[("R2_ACCOUNT_ID", "a")]].concat())
        else {
            panic!("it is a bucket")
        };
        assert_eq!(settings.endpoint.as_deref(), Some("https://a.r2.cloudflarestorage.com"));
        assert!(!format!("{settings:?}").contains("hush"));
        let folder = read("fallback", &[("STORAGE_FALLBACK_PROVIDER", "folder"), ("STORAGE_FOLDER", "x")]);
        assert!(
            matches!(folder, Ok(ProviderSettings::Folder(path)) if path.as_path() == std::path::Path::new("x"))
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
            (
                "s3",
                &[bucket],
                "STORAGE_REGION is not set; it has to be the bucket's region, such as eu-central-1",
            ),
            ("s3", &[("STORAGE_BUCKET", " ")], "STORAGE_BUCKET is not set; it has to be the bucket's name"),
            (
                "s3",
                &[bucket, region, ("STORAGE_ENDPOINT", "host:1")],
                "STORAGE_ENDPOINT is `host:1`; allowed is an address that begins with https:// or http://",
            ),
            (
                "s3",
                &[bucket, region, ("STORAGE_TIMEOUT", "5s")],
                "STORAGE_TIMEOUT is `5s`; allowed is a number of milliseconds from 1 to 900000",
            ),
            (
                "s3",
                &[bucket, region, ("STORAGE_MAX_RETRIES", "21")],
                "STORAGE_MAX_RETRIES is `21`; allowed is a number from 0 to 20",
            ),
            ("folder", &[], "STORAGE_FOLDER is not set; it has to be a folder"),
        ] {
            assert_eq!(read(name, variables).unwrap_err(), said);
        }
    }
}
