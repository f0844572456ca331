//! Locations, as operators write them behind `--from` and `--to`.
//!
//! | text | location |
//! |---|---|
//! | `dir:PATH` | a folder: of legacy records, or the data folder of a CredLink store |
//! | `jsonl:FILE` | a dump with one legacy record on each line, gzipped or not; a source only |
//! | `s3://BUCKET/PREFIX`, `r2://BUCKET/PREFIX` | objects of a bucket; a destination is the bucket alone |
//! | `credlink:URL` | the API of another CredLink server |

use std::fmt;
use std::path::{PathBuf, absolute};
use std::str::FromStr;

use http::Uri;

use credlink_s3::BucketKind;

use crate::configuration::value::{ConfigurationError, Variables};
use crate::provider::ProviderSettings;

/// The maximum length of a location, in bytes: that of a path on most systems.
const MAX_LOCATION_BYTES: usize = 4_096;

/// The maximum length of an object's key, in bytes (S3 User Guide, "Naming Amazon S3 objects").
const MAX_PREFIX_BYTES: usize = 1_024;

/// A location that proofs are read from or imported into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationLocation {
    /// `dir:PATH`.
    Folder(PathBuf),
    /// `jsonl:FILE`.
    Lines(PathBuf),
    /// `s3://BUCKET/PREFIX` or `r2://BUCKET/PREFIX`: the objects whose keys begin with the prefix, which may be empty.
    Bucket {
        /// S3 or R2.
        kind: BucketKind,
        /// The name of the bucket.
        bucket: String,
        /// The prefix of the keys.
        prefix: String,
    },
    /// `credlink:URL`: the part of the URL before `/v1`, without a trailing slash.
    Api(String),
}

/// A reason why a text is not a location, or not a destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The text has no known scheme.
    #[error(
        "`{0}` is no place; allowed are dir:PATH, jsonl:FILE, s3://BUCKET/PREFIX, r2://BUCKET/PREFIX and credlink:URL"
    )]
    Unknown(String),
    /// The text is longer than any location.
    #[error("a place has at most {MAX_LOCATION_BYTES} bytes; this has {0}")]
    TooLong(usize),
    /// Nothing follows the scheme.
    #[error("behind `{0}` there has to be {1}")]
    Empty(&'static str, &'static str),
    /// The name is not that of a bucket.
    #[error("`{0}` is no bucket's name; a name has 3 to 63 letters, digits, `-`, `_` and `.`")]
    Bucket(String),
    /// The prefix is longer than any key.
    #[error("a prefix has at most {MAX_PREFIX_BYTES} bytes; this has {0}")]
    Prefix(usize),
    /// The path is relative and cannot be made absolute.
    #[error("{location} has no absolute path: {reason}; name it by its absolute path")]
    Relative {
        /// The location.
        location: MigrationLocation,
        /// The reason.
        reason: String,
    },
    /// The URL is not the address of an API.
    #[error(
        "`{0}` is no address of a CredLink; it has to begin with https:// or http://, without a user, a query or a fragment"
    )]
    Url(String),
    /// A dump is named as a destination.
    #[error(
        "{0} is a dump, which is read only; a destination is dir:PATH, s3://BUCKET, r2://BUCKET or credlink:URL"
    )]
    DumpAsDestination(MigrationLocation),
    /// A destination is named with a prefix.
    #[error("a CredLink has its bucket for itself: name the destination {kind}://{bucket}, without a prefix")]
    PrefixAsDestination {
        /// S3 or R2.
        kind: BucketKind,
        /// The bucket.
        bucket: String,
    },
}

impl MigrationLocation {
    /// Checks that proofs can be imported into this location.
    ///
    /// # Errors
    /// Returns an error for a dump, and for a bucket with a prefix.
    pub fn check_destination(&self) -> Result<(), LocationError> {
        match self {
            Self::Lines(_) => Err(LocationError::DumpAsDestination(self.clone())),
            Self::Bucket { kind, bucket, prefix } if !prefix.is_empty() => {
                Err(LocationError::PrefixAsDestination { kind: *kind, bucket: bucket.clone() })
            }
            Self::Folder(_) | Self::Bucket { .. } | Self::Api(_) => Ok(()),
        }
    }

    /// Makes the path of a location absolute, if it has one, for a process with another working directory.
    ///
    /// # Errors
    /// Returns an error if the working directory is gone, or if its path is not UTF-8, which a ledger could not store.
    pub fn absolute(self) -> Result<Self, LocationError> {
        let refused = |reason: String| LocationError::Relative { location: self.clone(), reason };
        let whole = |path: &PathBuf| match absolute(path) {
            Ok(path) if path.to_str().is_some() => Ok(path),
            Ok(path) => Err(refused(format!("{} is no UTF-8", path.display()))),
            Err(error) => Err(refused(error.to_string())),
        };
        Ok(match &self {
            Self::Folder(path) => Self::Folder(whole(path)?),
            Self::Lines(path) => Self::Lines(whole(path)?),
            Self::Bucket { .. } | Self::Api(_) => self,
        })
    }
}

/// Returns the settings of a bucket: those that the deployment uses for a bucket of its kind
/// ([`ProviderSettings::named`]), with this name.
///
/// # Errors
/// Returns an error if a variable is missing or wrong.
pub(crate) fn bucket_settings(
    source: &Variables<'_>,
    kind: BucketKind,
    bucket: &str,
) -> Result<ProviderSettings, ConfigurationError> {
    let variable = match kind {
        BucketKind::S3 => "STORAGE_BUCKET",
        BucketKind::R2 => "R2_BUCKET",
    };
    let replaced =
        Variables::new(|name| if name == variable { Some(bucket.to_owned()) } else { source.text(name) });
    ProviderSettings::named(&replaced, kind.name())
}

impl fmt::Display for MigrationLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "dir:{}", path.display()),
            Self::Lines(path) => write!(f, "jsonl:{}", path.display()),
            Self::Bucket { kind, bucket, prefix } if prefix.is_empty() => write!(f, "{kind}://{bucket}"),
            Self::Bucket { kind, bucket, prefix } => write!(f, "{kind}://{bucket}/{prefix}"),
            Self::Api(url) => write!(f, "credlink:{url}"),
        }
    }
}

impl FromStr for MigrationLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if text.len() > MAX_LOCATION_BYTES {
            return Err(LocationError::TooLong(text.len()));
        }
        if let Some(path) = text.strip_prefix("dir:") {
            return path_of(path, "dir:", "the path of a folder").map(Self::Folder);
        }
        if let Some(path) = text.strip_prefix("jsonl:") {
            return path_of(path, "jsonl:", "the path of a file").map(Self::Lines);
        }
        for kind in [BucketKind::S3, BucketKind::R2] {
            let rest = text.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix("://"));
            if let Some(rest) = rest {
                return bucket(kind, rest);
            }
        }
        match text.strip_prefix("credlink:") {
            Some(url) => api(url).map(Self::Api).ok_or_else(|| LocationError::Url(shown(url))),
            None => Err(LocationError::Unknown(shown(text))),
        }
    }
}

fn path_of(path: &str, start: &'static str, what: &'static str) -> Result<PathBuf, LocationError> {
    if path.is_empty() { Err(LocationError::Empty(start, what)) } else { Ok(PathBuf::from(path)) }
}

fn bucket(kind: BucketKind, rest: &str) -> Result<MigrationLocation, LocationError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(allowed) {
        return Err(LocationError::Bucket(shown(bucket)));
    }
    if prefix.len() > MAX_PREFIX_BYTES {
        return Err(LocationError::Prefix(prefix.len()));
    }
    Ok(MigrationLocation::Bucket { kind, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// Returns the address of an API, without a trailing slash. A user name in it is refused, since it would put a secret
/// into a ledger.
fn api(url: &str) -> Option<String> {
    let parsed = url.parse::<Uri>().ok()?;
    let authority = parsed.authority()?;
    let fits = matches!(parsed.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && !authority.as_str().contains('@')
        && parsed.query().is_none()
        && !url.contains('#');
    fits.then(|| url.trim_end_matches('/').to_owned())
}

/// Returns an operator's text for an error message, truncated if it is unreasonably long.
fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_written_as_they_are_read() {
        let bucket = |kind, prefix: &str| MigrationLocation::Bucket {
            kind,
            bucket: "old-proofs".into(),
            prefix: prefix.into(),
        };
        for (text, location) in [
            ("dir:/var/lib/proofs", MigrationLocation::Folder("/var/lib/proofs".into())),
            ("dir:.", MigrationLocation::Folder(".".into())),
            ("jsonl:dump: of June.jsonl.gz", MigrationLocation::Lines("dump: of June.jsonl.gz".into())),
            ("s3://old-proofs", bucket(BucketKind::S3, "")),
            ("s3://old-proofs/a/b", bucket(BucketKind::S3, "a/b")),
            ("r2://old-proofs//x/", bucket(BucketKind::R2, "/x/")),
            ("credlink:https://a.example/stage", MigrationLocation::Api("https://a.example/stage".into())),
            ("credlink:http://127.0.0.1:8787", MigrationLocation::Api("http://127.0.0.1:8787".into())),
        ] {
            assert_eq!(text.parse(), Ok(location.clone()), "{text}");
            assert_eq!(location.to_string(), text);
        }
        for (text, written) in [
            ("s3://old-proofs/", "s3://old-proofs"),
            ("credlink:http://a.example/", "credlink:http://a.example"),
        ] {
            assert_eq!(
                text.parse::<MigrationLocation>().map(|location| location.to_string()),
                Ok(written.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_location_is_told_what_is_one() {
        let long = format!("dir:{}", "x".repeat(MAX_LOCATION_BYTES));
        for (text, says) in [
            ("", "allowed are dir:PATH, jsonl:FILE, s3://BUCKET/PREFIX"),
            ("/var/lib/proofs", "`/var/lib/proofs` is no place"),
            ("gs://bucket", "`gs://bucket` is no place"),
            ("s3:bucket", "`s3:bucket` is no place"),
            ("dir:", "behind `dir:` there has to be the path of a folder"),
            ("jsonl:", "behind `jsonl:` there has to be the path of a file"),
            ("s3://", "`` is no bucket's name"),
            ("r2://a b/c", "`a b` is no bucket's name"),
            ("credlink:", "`` is no address of a CredLink"),
            ("credlink:a.example", "`a.example` is no address"),
            ("credlink:ftp://a.example", "it has to begin with https:// or http://"),
            ("credlink:https://user:secret@a.example", "without a user"),
            ("credlink:https://a.example?x=1", "is no address"),
            (&long, "a place has at most 4096 bytes"),
        ] {
            let error = text.parse::<MigrationLocation>().expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_relative_path_is_that_of_the_working_directory() {
        let absolute =
            |text: &str| text.parse::<MigrationLocation>().unwrap().absolute().unwrap().to_string();
        let here = std::env::current_dir().unwrap();
        for (text, whole) in [("dir:./old", "dir:HERE/old"), ("jsonl:old.gz", "jsonl:HERE/old.gz")] {
            assert_eq!(absolute(text), whole.replace("HERE", here.to_str().unwrap()));
        }
        for text in ["dir:/old", "jsonl:/old.gz", "s3://old-proofs/a/b", "credlink:https://a.example"] {
            assert_eq!(absolute(text), text);
        }
    }

    #[test]
    fn not_every_location_is_a_destination() {
        let check = |text: &str| {
            text.parse::<MigrationLocation>().unwrap().check_destination().map_err(|error| error.to_string())
        };
        for good in ["dir:x", "s3://bucket", "r2://bucket/", "credlink:https://a.example"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert!(check("jsonl:a.jsonl").unwrap_err().contains("jsonl:a.jsonl is a dump, which is read only"));
        assert!(
            check("r2://bucket/x")
                .unwrap_err()
                .contains("name the destination r2://bucket, without a prefix")
        );
    }

    #[test]
    fn a_bucket_has_the_deployments_settings_and_its_own_name() {
        let variables =
            [("STORAGE_BUCKET", "live"), ("STORAGE_REGION", "eu-west-1"), ("STORAGE_ENDPOINT", "http://a")];
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
        let settings = bucket_settings(&Variables::new(find), BucketKind::S3, "old").unwrap();
        let ProviderSettings::Bucket(settings) = settings else { panic!("it is a bucket") };
        assert_eq!((settings.bucket.as_str(), settings.region.as_str()), ("old", "eu-west-1"));
        assert_eq!(settings.endpoint.as_deref(), Some("http://a"));
        let error = bucket_settings(&Variables::new(find), BucketKind::R2, "old").unwrap_err().to_string();
        assert!(error.starts_with("R2_ACCESS_KEY_ID is not set"), "{error}");
    }
}
