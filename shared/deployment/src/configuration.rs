//! The settings that an operator makes in the environment: one list of variables, read once.
//!
//! [`VARIABLES`] is that list, with the values that each variable accepts. `docs/configuration.md` is generated from
//! it, and a test keeps the two in step. An error names the variable, its value (unless it is a secret) and what is
//! allowed.

mod files;
#[cfg(test)]
mod tests;
pub mod value;
mod variables;

use std::path::PathBuf;

use credlink_core::link::{LinkKeys, LinkKeysError};

use credlink_auth::gate::Gate;
use credlink_auth::jwt::JwtAuthenticator;
use credlink_auth::jwt::settings::JwtSettings;
use credlink_auth::jwt::source::KeysError;
use credlink_auth::signers::ListedSigners;
use credlink_auth::tokens::{StaticTokens, TokensError};
use credlink_aws::Limits;
use credlink_cache::purge::{EdgeSettings, MIN_TOKEN_CHARACTERS};
use credlink_cache::redis::RedisAddress;

use crate::legacy::settings::LegacySettings;
use crate::migration::sources::MigrationSources;
use crate::provider::{self, ProviderSettings};

pub use files::{
    FilesConfiguration, PrivateKey, SIGN_CERTIFICATE, SIGN_KEY, ScannerChoice, SigningConfiguration,
    SigningKey,
};
pub use value::{ConfigurationError, Variables};
pub use variables::{
    OF_THE_COMMAND, Unknown, VARIABLES, Variable, table, unknown, unknown_in_the_environment,
};

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The provider that holds the objects.
    pub primary: ProviderSettings,
    /// A second provider, which holds them as well.
    pub fallback: Option<ProviderSettings>,
    /// The index that holds the rows.
    pub index: IndexChoice,
    /// The queue in which work waits.
    pub queue: QueueChoice,
    /// The region of the table and the queue; `None` leaves it to the SDK's chain.
    pub region: Option<String>,
    /// Timeouts and retries of calls to providers.
    pub limits: Limits,
    /// The Redis of the second cache layer.
    pub redis: Option<RedisAddress>,
    /// The folder of the third cache layer, and its size in bytes.
    pub cache_folder: Option<(PathBuf, u64)>,
    /// The memory for pages of an index in a folder of this machine, in bytes; `None` leaves it to the program.
    pub index_cache_bytes: Option<usize>,
    /// The part of a link before its path, without a trailing slash.
    pub public_url: Option<String>,
    /// The domain that objects are read from, without a trailing slash.
    pub cdn_url: Option<String>,
    /// The keys of signed links.
    pub link_keys: Option<LinkKeys>,
    /// The edge, which answers readers in place of the service and is told of changes.
    pub edge: Option<EdgeSettings>,
    /// The JWTs that are accepted.
    pub jwt: Option<JwtSettings>,
    /// The static tokens that are accepted: the path of a file, or its content.
    pub tokens: Option<String>,
    /// The signers whose signatures make a manifest a tenant's own.
    pub signers: Option<ListedSigners>,
    /// `true` if a slow read is hedged with the fallback.
    pub hedge: bool,
    /// `true` if there are several tenants.
    pub has_tenants: bool,
    /// A legacy source that is served beside the store.
    pub legacy: Option<LegacySettings>,
    /// The sources that queued migrations may read, each with the tenant it is imported for.
    pub migration_sources: MigrationSources,
    /// The collections of files, and the bounds on what is uploaded.
    pub files: FilesConfiguration,
    /// The namespace of the metrics in CloudWatch.
    pub metrics_namespace: String,
}

/// The place of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexChoice {
    /// A DynamoDB table with this name.
    DynamoDb(String),
    /// A file on this machine, in the data folder.
    Embedded,
}

/// The place of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueChoice {
    /// An SQS queue with this URL.
    Sqs(String),
    /// A file on this machine, in the data folder.
    Embedded,
}

/// The default size of the third cache layer: half of the disk that a Lambda gets free of charge.
const CACHE_FOLDER_BYTES: u64 = 256_000_000;

/// The variable that decides whether there are several tenants; the Worker has one of the same name.
pub const TENANTS: &str = "CREDLINK_TENANTS";

impl Configuration {
    /// Reads the environment.
    ///
    /// # Errors
    /// Returns an error for the first variable that cannot be used.
    pub fn from_environment() -> Result<Self, ConfigurationError> {
        Self::read(&Variables::environment())
    }

    /// Reads the variables from `source`.
    ///
    /// # Errors
    /// Returns an error for the first variable that cannot be used.
    pub fn read(source: &Variables<'_>) -> Result<Self, ConfigurationError> {
        let primary = ProviderSettings::said_by(source, "STORAGE_PROVIDER")?;
        let primary = primary.unwrap_or_else(|| ProviderSettings::folder(source));
        let fallback = ProviderSettings::said_by(source, "STORAGE_FALLBACK_PROVIDER")?;
        if let Some(fallback) = fallback.as_ref().filter(|fallback| fallback.is_place_of(&primary)) {
            let allowed = "another place than that of STORAGE_PROVIDER";
            return Err(ConfigurationError::invalid("STORAGE_FALLBACK_PROVIDER", fallback.name(), allowed));
        }
        let cache_folder = source.text("CREDLINK_CACHE_FOLDER").map(PathBuf::from);
        let cache_bytes = source.number("CREDLINK_CACHE_BYTES", 1_000_000..=u64::MAX)?;
        let index_cache_bytes = source.number("CREDLINK_INDEX_CACHE_BYTES", 1_000_000..=u64::MAX)?;
        let index = source.text("CREDLINK_TABLE").map_or(IndexChoice::Embedded, IndexChoice::DynamoDb);
        let files = FilesConfiguration::read(source)?;
        files.check(&index, &primary)?;
        Ok(Self {
            primary,
            fallback,
            index,
            queue: source.url("CREDLINK_QUEUE_URL")?.map_or(QueueChoice::Embedded, QueueChoice::Sqs),
            region: source.text("STORAGE_REGION"),
            limits: provider::limits(source)?,
            redis: source.text("REDIS_URL").map(|url| RedisAddress::parse(&url)).transpose()?,
            cache_folder: cache_folder.map(|path| (path, cache_bytes.unwrap_or(CACHE_FOLDER_BYTES))),
            index_cache_bytes: index_cache_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            public_url: source.url("CREDLINK_PUBLIC_URL")?,
            cdn_url: cdn_url(source)?,
            link_keys: link_keys(source)?,
            edge: edge(source)?,
            jwt: JwtSettings::read(|name| source.text(name))?,
            tokens: source.text("CREDLINK_TOKENS"),
            signers: source.text("CREDLINK_SIGNERS").map(|text| ListedSigners::read(&text)).transpose()?,
            hedge: source.switch("CREDLINK_HEDGE")?.unwrap_or(false),
            has_tenants: has_tenants(source)?,
            legacy: LegacySettings::read(source)?,
            migration_sources: MigrationSources::read(source)?,
            files,
            metrics_namespace: source
                .text("CREDLINK_METRICS_NAMESPACE")
                .unwrap_or_else(|| "CredLink".to_owned()),
        })
    }
}

/// Returns `true` if there are several tenants.
fn has_tenants(source: &Variables<'_>) -> Result<bool, ConfigurationError> {
    match source.text(TENANTS).as_deref() {
        None | Some("one") => Ok(false),
        Some("several") => Ok(true),
        Some(other) => Err(ConfigurationError::invalid(TENANTS, other, "`one` or `several`")),
    }
}

/// Reads the CDN domain: the primary's, or else the one set for R2.
fn cdn_url(source: &Variables<'_>) -> Result<Option<String>, ConfigurationError> {
    let (own, r2) = (source.url("STORAGE_CDN_URL")?, source.url("R2_CDN_URL")?);
    Ok(own.or(r2))
}

/// Reads the edge: its address and the token that goes with it.
fn edge(source: &Variables<'_>) -> Result<Option<EdgeSettings>, ConfigurationError> {
    const NAME: &str = "CREDLINK_EDGE_TOKEN";
    let (url, token) = (source.url("CREDLINK_EDGE_URL")?, source.text(NAME));
    let allowed = format!(
        "{MIN_TOKEN_CHARACTERS} characters or more, without spaces: the CREDLINK_PURGE_TOKEN of the Worker"
    );
    let fits = |token: &String| {
        token.len() >= MIN_TOKEN_CHARACTERS && token.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match (url, token) {
        (None, None) => Ok(None),
        (Some(url), Some(token)) if fits(&token) => Ok(Some(EdgeSettings::new(url, token))),
        (Some(_), Some(_)) => Err(ConfigurationError::Secret { variable: NAME, allowed }),
        (Some(_), None) => Err(ConfigurationError::Missing { variable: NAME, allowed }),
        (None, Some(_)) => {
            let allowed = "the address of the Worker that CREDLINK_EDGE_TOKEN is for".to_owned();
            Err(ConfigurationError::Missing { variable: "CREDLINK_EDGE_URL", allowed })
        }
    }
}

/// A reason why credentials cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The static tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The keys of JWTs cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Configuration {
    /// Returns the authenticator of callers.
    ///
    /// # Errors
    /// Returns an error if the tokens or keys cannot be read.
    pub fn gate(&self) -> Result<Gate, GateError> {
        let tokens = match self.tokens.as_deref() {
            None => None,
            // A function is given configuration but no files, so the variable may hold the content itself.
            Some(content) if content.starts_with('[') => Some(StaticTokens::parse(content.as_bytes())?),
            Some(path) => Some(StaticTokens::open(path)?),
        };
        let jwt = self.jwt.clone().map(JwtAuthenticator::new).transpose()?;
        Ok(Gate::of(tokens, jwt))
    }
}

/// Reads the keys of signed links: `name:secret` of the key that signs, optionally followed by a comma and the previous
/// key, which is only accepted.
fn link_keys(source: &Variables<'_>) -> Result<Option<LinkKeys>, ConfigurationError> {
    const NAME: &str = "CREDLINK_LINK_KEYS";
    const ALLOWED: &str = "`NAME:SECRET`, or two of them with a comma between, the one that signs first; a name has 1 to \
                           32 letters, digits, `-` and `_`, a secret 64 hexadecimal digits or more";
    let Some(text) = source.text(NAME) else { return Ok(None) };
    let refused =
        |_: LinkKeysError| ConfigurationError::Secret { variable: NAME, allowed: ALLOWED.to_owned() };
    text.parse().map(Some).map_err(refused)
}
