//! A report of what is in a media file. It can be passed from one process to another.

use credlink_core::hash::MediaHash;
use serde::{Deserialize, Serialize};

use crate::coverage::Coverage;

/// What is in a media file, and how a manifest goes with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The hash of the bytes that this was found in; `None` where they changed meanwhile.
    pub media_hash: Option<MediaHash>,
    /// The C2PA manifest store in the file.
    pub embedded: Embedded,
    /// Where its XMP says that its manifest is, if it is not in the file.
    pub remote: Option<String>,
    /// How the manifest that was given goes with the file.
    pub validation: Option<Validation>,
}

/// A manifest store in a file.
#[derive(Debug, Serialize, Deserialize)]
pub enum Embedded {
    /// Its bytes, in base64.
    Found(String),
    /// There is none.
    None,
    /// It has so many bytes, which are more than any manifest may have.
    TooLong(usize),
    /// The file does not read as one of its type: in words.
    Unreadable(String),
}

/// What the validator says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Validation {
    /// It cannot validate: in words.
    Impossible(String),
    /// Its verdict.
    Verdict(Verdict),
}

/// A verdict of the validator, and what it rests on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether the manifest is valid for the file.
    pub is_valid: bool,
    /// The label of the active manifest.
    pub active: Option<String>,
    /// What fails.
    pub failures: Vec<Status>,
    /// Whether the file has the hash of `c2pa.hash.data`, whatever that leaves out.
    pub hash_matches: bool,
    /// The part of the file that the hard binding is over.
    pub coverage: Coverage,
    /// The labels of identity assertions (CAWG), which are not judged.
    pub identities: Vec<String>,
}

/// What a validator says of one point.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The code, such as `assertion.dataHash.mismatch`.
    pub code: String,
    /// The same in words.
    pub explanation: Option<String>,
    /// Whether it is said of something that the file was made of, and not of the file.
    pub of_ingredient: bool,
}
