//! Full validation of a C2PA manifest with its file, by c2pa-rs: hashes, assertions and the claim's signature.
//!
//! Trust in the signer is not judged: there is no list of trusted signers, and none is fetched. Identity assertions are
//! about themselves alone and are not judged either. Nothing here uses the network.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use c2pa::validation_status::{
    ASSERTION_BMFFHASH_MISMATCH, ASSERTION_BOXHASH_MISMATCH, ASSERTION_COLLECTIONHASH_MISMATCH,
    ASSERTION_DATAHASH_MISMATCH,
};

use super::{Check, Outcome};
use crate::coverage::Coverage;
use crate::media::Media;
use crate::media::detected_type::{DetectedType, format};
use crate::reader::same_store;
use crate::report::{Embedded, Report, Validation, Verdict};

const ABOUT: &str = "validation";

/// The validator's message if the file ends before an exclusion of the manifest does.
const TOO_SHORT: &str = "exclusion range exceed";

/// Messages of the validator about a binding that covers less than the file. [`Coverage`] knows what is excluded.
const IN_OTHER_WORDS: [&str; 2] = ["exclusion does not match", "inithash must not be present"];

/// The result of a validation.
#[derive(Debug)]
pub struct Validated {
    /// The verdict, and further checks.
    pub checks: Vec<Check>,
    /// The manifest in the file, compared with the one that was validated.
    pub place: ManifestLocation,
    /// The label of the active manifest, as the validator sees it.
    pub active: Option<String>,
    /// `true` if the file does not have the hash that the manifest names.
    pub is_other_file: bool,
    /// `true` if the manifest binds all of the file except its own place.
    pub binds_the_rest: bool,
}

/// The manifest in a file, compared with the one that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestLocation {
    /// The file contains the same manifest.
    Same,
    /// The file contains another manifest.
    Other,
    /// The file contains no manifest.
    Empty,
    /// It is not known which manifest the file contains.
    Unknown,
}

impl Validated {
    fn undecided(why: String) -> Self {
        let checks = vec![Check::new(ABOUT, Outcome::Open, format!("the manifest is not validated: {why}"))];
        Self {
            checks,
            place: ManifestLocation::Unknown,
            active: None,
            is_other_file: false,
            binds_the_rest: false,
        }
    }

    /// Returns the outcome of the validation itself.
    pub fn outcome(&self) -> Outcome {
        self.checks.first().map_or(Outcome::Open, |check| check.outcome)
    }
}

/// Validates `manifest` with `media`, which was recorded as a file of the type `recorded`. `read` reads the file as the
/// given type, and validates the manifest with it: [`reader::read`](crate::reader::read) itself, or a separate process
/// that calls it.
///
/// # Errors
/// The errors of `read`.
pub fn validate<E>(
    manifest: &[u8],
    media: &Media,
    recorded: Option<&str>,
    read: impl FnOnce(&Media, &str, Option<&[u8]>) -> Result<Report, E>,
) -> Result<Validated, E> {
    let media_type = match media.detected_type() {
        DetectedType::Of(name) => name,
        DetectedType::Misnamed(name) => {
            return Ok(Validated::undecided(format!(
                "the file has the name of a file of type {name}, and is none"
            )));
        }
        DetectedType::Unknown => match recorded {
            Some(recorded) => recorded.to_owned(),
            None => return Ok(Validated::undecided("the file's type is not known".to_owned())),
        },
    };
    let format = match format(&media_type) {
        Ok(format) => format,
        Err(error) => return Ok(Validated::undecided(error.to_string())),
    };
    Ok(judge(manifest, media, read(media, &format, Some(manifest))?))
}

fn judge(manifest: &[u8], media: &Media, report: Report) -> Validated {
    let place = match &report.embedded {
        Embedded::Found(bytes) => match STANDARD.decode(bytes) {
            Ok(bytes) if same_store(&bytes, manifest) => ManifestLocation::Same,
            _ => ManifestLocation::Other,
        },
        Embedded::TooLong(_) => ManifestLocation::Other,
        Embedded::None => ManifestLocation::Empty,
        Embedded::Unreadable(_) => ManifestLocation::Unknown,
    };
    let check = |outcome, detail: String| vec![Check::new(ABOUT, outcome, detail)];
    match report.validation {
        Some(Validation::Verdict(verdict)) => of_verdict(verdict, place, media),
        Some(Validation::Impossible(why)) => Validated {
            is_other_file: why.contains(TOO_SHORT),
            checks: check(
                Outcome::Fails,
                format!("the C2PA manifest does not validate: {}", explained(&why, media)),
            ),
            place,
            active: None,
            binds_the_rest: false,
        },
        None => Validated::undecided("the reader says nothing of it".to_owned()),
    }
}

fn of_verdict(verdict: Verdict, place: ManifestLocation, media: &Media) -> Validated {
    let valid = "the C2PA manifest is valid for this file";
    let not_judged = "who signed it is not judged";
    let mut is_other_file = false;
    let rests_on_metadata = place == ManifestLocation::Same
        && verdict.hash_matches
        && only(&verdict, ASSERTION_DATAHASH_MISMATCH);
    let check = match &verdict.coverage {
        Coverage::Whole if verdict.is_valid => {
            Check::new(ABOUT, Outcome::Holds, format!("{valid}; {not_judged}"))
        }
        Coverage::Nearly(what) if verdict.is_valid || rests_on_metadata => {
            let detail = format!(
                "{valid}, which has the hash that it names, but it leaves out more than its own place: {what}; {not_judged}"
            );
            Check::new(ABOUT, Outcome::Open, detail)
        }
        Coverage::Head if only(&verdict, ASSERTION_BMFFHASH_MISMATCH) => {
            let detail = "the manifest is the one of a video in fragments, and this file is its head, which has the hash that it \
                          names: the fragments are needed to check theirs";
            Check::new(ABOUT, Outcome::Open, detail)
        }
        Coverage::Less(why) if verdict.is_valid => {
            let detail = format!(
                "the file has the hash that the C2PA manifest names, which does not bind all of the file: {why}"
            );
            Check::new(ABOUT, Outcome::Fails, detail)
        }
        _ => {
            is_other_file =
                verdict.failures.iter().any(|status| !status.of_ingredient && is_mismatch(&status.code));
            let detail = format!("the C2PA manifest is not valid: {}", failures(&verdict, media));
            Check::new(ABOUT, Outcome::Fails, detail)
        }
    };
    let mut checks = vec![check];
    if !verdict.identities.is_empty() {
        let detail = format!(
            "it says who is behind it ({}), which is not judged: that would ask hosts which the file names",
            verdict.identities.join(", ")
        );
        checks.push(Check::new("identity", Outcome::Open, detail));
    }
    let binds_the_rest = matches!(verdict.coverage, Coverage::Whole | Coverage::Head);
    Validated { checks, place, active: verdict.active, is_other_file, binds_the_rest }
}

fn failures(verdict: &Verdict, media: &Media) -> String {
    let mut said: Vec<String> = Vec::new();
    for status in &verdict.failures {
        let words = match &status.explanation {
            Some(why) if IN_OTHER_WORDS.iter().any(|words| why.contains(words)) => match &verdict.coverage {
                Coverage::Less(why) => format!("{} ({why})", status.code),
                _ => format!("{} ({why})", status.code),
            },
            Some(why) => format!("{} ({})", status.code, explained(why, media)),
            None => status.code.clone(),
        };
        if !said.contains(&words) {
            said.push(words);
        }
    }
    said.join("; ")
}

/// Returns the validator's message, reworded if a person would not understand it.
fn explained(why: &str, media: &Media) -> String {
    if why.contains(TOO_SHORT) {
        return format!(
            "the file has {} bytes, and the manifest leaves out some behind its end: the manifest, or more, was taken out of it",
            media.length
        );
    }
    why.to_owned()
}

fn is_mismatch(code: &str) -> bool {
    [
        ASSERTION_DATAHASH_MISMATCH,
        ASSERTION_BMFFHASH_MISMATCH,
        ASSERTION_BOXHASH_MISMATCH,
        ASSERTION_COLLECTIONHASH_MISMATCH,
    ]
    .contains(&code)
}

/// Returns `true` if this is the only failure.
fn only(verdict: &Verdict, code: &str) -> bool {
    !verdict.failures.is_empty()
        && verdict.failures.iter().all(|status| !status.of_ingredient && status.code == code)
}
