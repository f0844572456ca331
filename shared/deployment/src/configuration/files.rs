//! The settings of files: collections, quotas, the rate of uploads, their queue, and where readers get bytes.

use std::path::Path;
use std::{fmt, fs};

use credlink_core::collection::{Collections, Provenance};
use credlink_core::file::CollectionName;
use credlink_core::http::peer::Network;
use credlink_core::rules::quota::Limits;
use credlink_disk::bounded_file;
use credlink_scanner::ClamdAddress;

use super::IndexChoice;
use super::value::{ConfigurationError, Variables};
use crate::provider::ProviderSettings;

/// The variable with the queue of uploads.
const QUEUE: &str = "CREDLINK_FILES_QUEUE_URL";

/// The variable that makes GuardDuty the scanner.
const GUARDDUTY: &str = "CREDLINK_GUARDDUTY";

/// The settings of files.
#[derive(Clone, Debug)]
pub struct FilesConfiguration {
    /// The collections.
    pub collections: Collections,
    /// The quota of each tenant.
    pub tenant_limits: Limits,
    /// The quota of each owner.
    pub owner_limits: Limits,
    /// The most uploads that an owner may announce in a minute.
    pub uploads_per_minute: u32,
    /// The networks of reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// The URL of the SQS queue in which uploads wait for the function that makes files of them. Functions keep files only
    /// if there is one.
    pub queue_url: Option<String>,
    /// The domain at which readers get the bytes of public files, without a trailing slash.
    pub cdn_url: Option<String>,
    /// The scanner for malware, if there is one.
    pub scanner: Option<ScannerChoice>,
    /// The certificate and the key with which renditions are signed, if there are any.
    pub signing: Option<SigningConfiguration>,
}

/// A scanner for malware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScannerChoice {
    /// The clamd at this address.
    Clamd(ClamdAddress),
    /// GuardDuty Malware Protection for S3, over the bucket of the primary.
    GuardDuty,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct SigningConfiguration {
    /// The certificates in PEM, the signing one first.
    pub certificate: String,
    /// The file with the certificates, if they are in one.
    pub certificate_file: Option<String>,
    /// The private key.
    pub key: SigningKey,
    /// The file with the private key, if it is in one.
    pub key_file: Option<String>,
}

/// A private key, or where it is kept.
#[derive(Clone, Debug)]
pub enum SigningKey {
    /// The key itself, in PEM.
    Pem(PrivateKey),
    /// A key in AWS KMS.
    Kms {
        /// The ARN of the key or of its alias.
        arn: String,
        /// The region in the ARN.
        region: String,
    },
}

/// A private key in PEM, which is not printed by accident.
#[derive(Clone)]
pub struct PrivateKey(String);

impl PrivateKey {
    /// Returns the key.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// The variable with the certificate that signs renditions.
pub const SIGN_CERTIFICATE: &str = "CREDLINK_SIGN_CERTIFICATE";
/// The variable with its key.
pub const SIGN_KEY: &str = "CREDLINK_SIGN_KEY";

/// The longest PEM text, in bytes: a chain of certificates has a few thousand.
const MAX_PEM_BYTES: usize = 100_000;

/// The most uploads of an owner in a minute, if nobody says otherwise: an item with 20 photos every 20 seconds.
const UPLOADS_PER_MINUTE: u32 = 60;

impl FilesConfiguration {
    /// Reads the variables from `source`, and the file of collections that they name.
    ///
    /// # Errors
    /// Returns an error for the first variable that cannot be used.
    pub fn read(source: &Variables<'_>) -> Result<Self, ConfigurationError> {
        let number = |name| source.number(name, 1..=u64::MAX);
        let per_minute = source.number("CREDLINK_UPLOADS_PER_MINUTE", 1..=u32::MAX.into())?;
        let (collections, signing, queue_url) = (collections(source)?, signing(source)?, source.url(QUEUE)?);
        // Of the functions, one makes files of uploads, and has the certificate.
        if signing.is_none() && queue_url.is_none() {
            check_signer(&collections)?;
        }
        Ok(Self {
            collections,
            signing,
            tenant_limits: Limits {
                bytes: number("CREDLINK_TENANT_BYTES")?,
                files: number("CREDLINK_TENANT_FILES")?,
            },
            owner_limits: Limits {
                bytes: number("CREDLINK_OWNER_BYTES")?,
                files: number("CREDLINK_OWNER_FILES")?,
            },
            uploads_per_minute: per_minute
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(UPLOADS_PER_MINUTE),
            trusted_proxies: trusted_proxies(source)?,
            queue_url,
            cdn_url: source.url("CREDLINK_CDN_URL")?,
            scanner: scanner(source)?,
        })
    }

    /// Checks that there is a certificate if a collection signs, in a program that makes files of uploads.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn check_signer(&self) -> Result<(), ConfigurationError> {
        if self.signing.is_some() { Ok(()) } else { check_signer(&self.collections) }
    }

    /// Checks that index and objects are shared, if files are to be made of uploads by a function of its own, and that GuardDuty
    /// can read what it is to scan.
    ///
    /// # Errors
    /// Fails if the index or the objects are on one machine, or if GuardDuty cannot read the uploads.
    pub(super) fn check(
        &self,
        index: &IndexChoice,
        primary: &ProviderSettings,
    ) -> Result<(), ConfigurationError> {
        if self.scanner == Some(ScannerChoice::GuardDuty)
            && (self.queue_url.is_none() || primary.name() != "s3")
        {
            let detail = format!(
                "it is `on`, which is for functions whose uploads go to S3 (STORAGE_PROVIDER=s3 and {QUEUE}); `credlink serve` scans with CREDLINK_CLAMD"
            );
            return Err(ConfigurationError::Content { variable: GUARDDUTY, detail });
        }
        if self.queue_url.is_none() {
            return Ok(());
        }
        if *index == IndexChoice::Embedded {
            let allowed = format!("a table of DynamoDB, because {QUEUE} is set");
            return Err(ConfigurationError::Missing { variable: "CREDLINK_TABLE", allowed });
        }
        if primary.name() == "folder" {
            let allowed = format!("`s3` or `r2`, because {QUEUE} is set");
            return Err(ConfigurationError::invalid("STORAGE_PROVIDER", "folder", allowed));
        }
        Ok(())
    }
}

/// Reads the networks of proxies that are trusted.
fn trusted_proxies(source: &Variables<'_>) -> Result<Vec<Network>, ConfigurationError> {
    const NAME: &str = "CREDLINK_TRUSTED_PROXIES";
    let Some(text) = source.text(NAME) else { return Ok(Vec::new()) };
    let network = |part: &str| {
        let parsed = part.trim().parse::<Network>();
        let allowed = "networks such as `10.0.0.0/8` or `192.0.2.1`, separated by commas";
        parsed.map_err(|_| ConfigurationError::invalid(NAME, part, allowed))
    };
    text.split(',').map(network).collect()
}

fn scanner(source: &Variables<'_>) -> Result<Option<ScannerChoice>, ConfigurationError> {
    const CLAMD: &str = "CREDLINK_CLAMD";
    let address = source.text(CLAMD).map(|text| text.parse::<ClamdAddress>()).transpose();
    let address = address
        .map_err(|error| ConfigurationError::Content { variable: CLAMD, detail: error.to_string() })?;
    match (address, source.switch(GUARDDUTY)?) {
        (Some(_), Some(true)) => {
            let detail = format!("it is `on`, and {CLAMD} is set too; one scanner says what is clean");
            Err(ConfigurationError::Content { variable: GUARDDUTY, detail })
        }
        (None, Some(true)) => Ok(Some(ScannerChoice::GuardDuty)),
        (address, _) => Ok(address.map(ScannerChoice::Clamd)),
    }
}

/// The variable with the collections.
const COLLECTIONS: &str = "CREDLINK_COLLECTIONS";

/// Returns a refusal if a collection signs and there is no certificate.
fn check_signer(collections: &Collections) -> Result<(), ConfigurationError> {
    let signs = |name: &&CollectionName| {
        collections.get(name).is_some_and(|rules| rules.provenance == Provenance::Sign)
    };
    let Some(name) = collections.names().find(signs) else { return Ok(()) };
    let detail = format!(
        "`collections.{name}.provenance`: `sign` needs a certificate and its key, {SIGN_CERTIFICATE} and {SIGN_KEY}; `bind` needs none"
    );
    Err(ConfigurationError::Content { variable: COLLECTIONS, detail })
}

/// Reads the certificate and the key: files, or the PEM texts themselves, because a function is given configuration but no
/// files.
fn signing(source: &Variables<'_>) -> Result<Option<SigningConfiguration>, ConfigurationError> {
    let (certificate, key) = (source.text(SIGN_CERTIFICATE), source.text(SIGN_KEY));
    let missing = |variable, other| ConfigurationError::Missing {
        variable,
        allowed: format!("the path of a file in PEM, or its content, because {other} is set"),
    };
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(missing(SIGN_KEY, SIGN_CERTIFICATE)),
        (None, Some(_)) => Err(missing(SIGN_CERTIFICATE, SIGN_KEY)),
        (Some(certificate), Some(key)) => {
            let (certificate, certificate_file) = pem(SIGN_CERTIFICATE, certificate)?;
            let (key, key_file) = signing_key(key)?;
            Ok(Some(SigningConfiguration { certificate, certificate_file, key, key_file }))
        }
    }
}

/// Reads a key, or the name of one: `arn:aws:kms:REGION:ACCOUNT:key/ID`, or the same with `alias/NAME`. Returns it with the path of
/// its file, if it is in one.
fn signing_key(text: String) -> Result<(SigningKey, Option<String>), ConfigurationError> {
    if !text.starts_with("arn:") {
        let (key, file) = pem(SIGN_KEY, text)?;
        return Ok((SigningKey::Pem(PrivateKey(key)), file));
    }
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [_, _, "kms", region, account, key]
            if [region, account].iter().all(|part| !part.is_empty())
                && (key.starts_with("key/") || key.starts_with("alias/")) =>
        {
            Ok((SigningKey::Kms { region: (*region).to_owned(), arn: text }, None))
        }
        _ => {
            let allowed = "`arn:aws:kms:REGION:ACCOUNT:key/ID`, the same with `alias/NAME`, PEM, or the path of a file in PEM";
            Err(ConfigurationError::invalid(SIGN_KEY, &text, allowed))
        }
    }
}

/// Reads PEM: the text itself, or the file that it names, whose path is returned too. An error repeats nothing of a key,
/// because it may have been given without its first line.
fn pem(variable: &'static str, text: String) -> Result<(String, Option<String>), ConfigurationError> {
    if text.starts_with("-----BEGIN ") {
        return Ok((text, None));
    }
    let is_path = variable == SIGN_CERTIFICATE && !text.contains(char::is_control);
    let invalid = |why: &dyn fmt::Display| {
        let what = if is_path { format!("`{text}`") } else { "it".to_owned() };
        let detail = format!("{what} is neither PEM nor the path of a file that can be read: {why}");
        ConfigurationError::Content { variable, detail }
    };
    let content = bounded_file::read(Path::new(&text), MAX_PEM_BYTES).map_err(|error| invalid(&error))?;
    let content = String::from_utf8(content).map_err(|error| invalid(&error))?;
    Ok((content, Some(text)))
}

/// Reads the collections: a file, or the JSON itself, because a function is given configuration but no files.
fn collections(source: &Variables<'_>) -> Result<Collections, ConfigurationError> {
    let Some(text) = source.text(COLLECTIONS) else { return Ok(Collections::default()) };
    let invalid = |detail: String| ConfigurationError::Content { variable: COLLECTIONS, detail };
    if text.starts_with('{') {
        return Collections::parse(text.as_bytes()).map_err(|error| invalid(error.to_string()));
    }
    let content = fs::read(&text).map_err(|error| invalid(format!("{text} cannot be read: {error}")))?;
    Collections::parse(&content).map_err(|error| invalid(format!("{text}: {error}")))
}
