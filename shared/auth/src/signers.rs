//! The signers that an operator lists for tenants: signing certificates by their digests, and trust anchors.
//!
//! ```json
//! {"tenants": {"acme": {"certificates": ["sha256:<64 hex>"], "anchors": ["-----BEGIN CERTIFICATE-----…"]}}}
//! ```
//!
//! | to find | look in |
//! |---|---|
//! | the verification of a signature with a key | `key` |
//! | the path from a certificate to an anchor | `chain` |

mod chain;
mod key;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use credlink_core::c2pa::signature::Signature;
use credlink_core::hash::Digest;
use credlink_core::json::in_words_of_json;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::Signers;
use rustls::pki_types::TrustAnchor;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use credlink_disk::bounded_file;

/// The maximum length of the list, in bytes: about 500 anchors.
const MAX_LIST_BYTES: usize = 1_000_000;

/// The variable that holds the list.
const NAME: &str = "CREDLINK_SIGNERS";

/// The signers of each tenant. Clones share them.
#[derive(Clone, Debug)]
pub struct ListedSigners {
    tenants: Arc<BTreeMap<Tenant, Listed>>,
}

/// The reasons why the list could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignersError {
    /// The file could not be read.
    #[error("{NAME} is `{}`, which cannot be read: {message}; allowed is the path of a file of at most {MAX_LIST_BYTES} bytes, or its \
             content, which begins with `{{`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        message: String,
    },
    /// The content is not a valid list.
    #[error(
        "{NAME} is not valid at `{place}`: {message}. It is a JSON object {{\"tenants\": {{TENANT: {{\"certificates\": [`sha256:` and the 64 \
         hexadecimal digits of a signing certificate's SHA-256], \"anchors\": [certificates in PEM]}}}}}}"
    )]
    Content {
        /// The position of the fault, such as `tenants.acme.certificates[0]`.
        place: String,
        /// The fault.
        message: String,
    },
}

/// The whole list in its JSON form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(deserialize_with = "each_once")]
    tenants: BTreeMap<Tenant, Listed>,
}

/// Reads a map in which no tenant occurs twice: serde would silently drop the signers of the first occurrence.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Tenant, Listed>, D::Error> {
    struct Each;

    impl<'de> Visitor<'de> for Each {
        type Value = BTreeMap<Tenant, Listed>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object whose members are tenants")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut tenants = BTreeMap::new();
            while let Some((tenant, listed)) = map.next_entry::<Tenant, Listed>()? {
                if tenants.contains_key(&tenant) {
                    return Err(de::Error::custom(format!("the tenant `{tenant}` is given twice")));
                }
                tenants.insert(tenant, listed);
            }
            Ok(tenants)
        }
    }

    deserializer.deserialize_map(Each)
}

/// The signers of a tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Signing certificates.
    #[serde(default)]
    certificates: BTreeSet<Fingerprint>,
    /// The trust anchors under which signing certificates were issued.
    #[serde(default)]
    anchors: Vec<Anchors>,
}

/// The SHA-256 of a certificate's DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fingerprint(Digest);

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = text.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
        digest.map(Self).ok_or_else(|| de::Error::custom("this is no `sha256:` with 64 hexadecimal digits"))
    }
}

/// The certificates of one PEM text.
#[derive(Clone, Debug)]
struct Anchors(Vec<TrustAnchor<'static>>);

impl<'de> Deserialize<'de> for Anchors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        chain::anchors(&text).map(Self).map_err(de::Error::custom)
    }
}

impl ListedSigners {
    /// Reads the list: the JSON itself, or the file at this path.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or if the list is not valid, with the position of the fault and
    /// what is allowed there.
    pub fn read(text: &str) -> Result<Self, SignersError> {
        // A function is given configuration but no files, so the variable may hold the content itself.
        if text.starts_with('{') {
            return Self::parse(text);
        }
        let failed = |message: String| SignersError::Io { path: text.into(), message };
        let content =
            bounded_file::read(Path::new(text), MAX_LIST_BYTES).map_err(|error| failed(error.to_string()))?;
        let content = String::from_utf8(content).map_err(|error| failed(error.to_string()))?;
        Self::parse(&content)
    }

    /// Reads the JSON.
    ///
    /// # Errors
    /// Fails as [`ListedSigners::read`] does.
    pub fn parse(json: &str) -> Result<Self, SignersError> {
        let invalid =
            |place: String, error: &dyn ToString| SignersError::Content { place, message: error.to_string() };
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let Written { tenants } = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            invalid(error.path().to_string(), &in_words_of_json(&error.inner().to_string()))
        })?;
        deserializer.end().map_err(|error| invalid(".".to_owned(), &error))?;
        Ok(Self { tenants: Arc::new(tenants) })
    }
}

impl Signers for ListedSigners {
    fn signed_by(&self, tenant: &Tenant, manifest: &[u8], at: Timestamp) -> bool {
        // A tenant without signers costs nothing.
        self.tenants.get(tenant).and_then(|listed| listed.signed(manifest, at)).unwrap_or(false)
    }

    fn lists(&self, tenant: &Tenant) -> bool {
        self.tenants.contains_key(tenant)
    }
}

impl Listed {
    /// Returns `None` if something about the manifest's signature is irregular.
    fn signed(&self, manifest: &[u8], at: Timestamp) -> Option<bool> {
        let signature = Signature::read(manifest)?;
        let (signer, between) = signature.certificates.split_first()?;
        let at = Duration::from_millis(u64::try_from(at.milliseconds()).ok()?);
        let certificate = Certificate::from_der(signer).ok()?.tbs_certificate;
        let is_listed = if self.certificates.contains(&Fingerprint(Digest::of(signer))) {
            let validity = certificate.validity;
            // Validity is given in seconds, and includes the last one (RFC 5280, section 4.1.2.5).
            let seconds = Duration::from_secs(at.as_secs());
            (validity.not_before.to_unix_duration()..=validity.not_after.to_unix_duration())
                .contains(&seconds)
        } else {
            chain::may_sign_claims(&certificate)
                && self.anchors.iter().any(|Anchors(anchors)| chain::leads(signer, between, anchors, at))
        };
        let key = &certificate.subject_public_key_info;
        Some(
            is_listed && key::verifies(signature.algorithm, key, &signature.signed_bytes(), &signature.value),
        )
    }
}
