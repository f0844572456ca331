//! A report on the Content Credentials of a media file, which can be passed from one process to another.

use credlink_core::hash::MediaHash;
use serde::{Deserialize, Serialize};

use crate::coverage::Coverage;

/// The Content Credentials of a media file, and the validation of a manifest with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The hash of the bytes that were read, or `None` if they changed meanwhile.
    pub media_hash: Option<MediaHash>,
    /// The C2PA manifest store in the file.
    pub embedded: Embedded,
    /// The address of the manifest that the file's XMP names, if the manifest is not in the file.
    pub remote: Option<String>,
    /// The validation of the given manifest with the file.
    pub validation: Option<Validation>,
}

impl Report {
    /// Returns the file of which the active manifest says that this one was made.
    #[must_use]
    pub fn parent(&self) -> Option<&Parent> {
        match &self.validation {
            Some(Validation::Verdict(verdict)) => verdict.parent.as_ref(),
            _ => None,
        }
    }
}

/// The file of which a manifest says that another one was made: its ingredient that is a parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The address that informs about it (`informationalURI`).
    pub information: Option<String>,
}

/// A manifest store in a file.
#[derive(Debug, Serialize, Deserialize)]
pub enum Embedded {
    /// The bytes of the manifest store, in base64.
    Found(String),
    /// The file contains no manifest store.
    None,
    /// The manifest store has so many bytes, which are more than any manifest may have.
    TooLong(usize),
    /// The file cannot be parsed as one of its type, for the reason in the text.
    Unreadable(String),
}

/// The result of the validator.
#[derive(Debug, Serialize, Deserialize)]
pub enum Validation {
    /// The manifest cannot be validated, for the reason in the text.
    Impossible(String),
    /// The validator's verdict.
    Verdict(Verdict),
}

/// A verdict of the validator, and its reasons.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// `true` if the manifest is valid for the file.
    pub is_valid: bool,
    /// The label of the active manifest.
    pub active: Option<String>,
    /// The failures.
    pub failures: Vec<Status>,
    /// `true` if the file has the hash of `c2pa.hash.data`, whatever that excludes.
    pub hash_matches: bool,
    /// The part of the file that the hard binding covers.
    pub coverage: Coverage,
    /// The labels of identity assertions (CAWG), which are not judged.
    pub identities: Vec<String>,
    /// The parent that the active manifest names.
    pub parent: Option<Parent>,
}

/// A validator's statement about one point.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The code, such as `assertion.dataHash.mismatch`.
    pub code: String,
    /// The statement in words.
    pub explanation: Option<String>,
    /// `true` if the statement is about an ingredient of the file, and not about the file.
    pub of_ingredient: bool,
}
