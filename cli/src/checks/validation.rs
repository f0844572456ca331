//! Full validation of a C2PA manifest with its file, by c2pa-rs: hashes, assertions and the claim's signature.
//!
//! Who signed is not judged: there is no list of whom to trust, and none is fetched. Nothing here uses the network.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use c2pa::{Context, Reader, ValidationState};

use super::{Check, Outcome};
use crate::media;

/// The settings of the validation.
const SETTINGS: &str = r#"{"verify":{"verify_trust":false,"verify_timestamp_trust":false,"remote_manifest_fetch":false,"ocsp_fetch":false}}"#;

const ABOUT: &str = "validation";

/// Validates `manifest` with `file`.
pub fn validate(manifest: &[u8], file: &Path) -> Check {
    let Some(format) = media::media_type(file) else {
        return Check::new(
            ABOUT,
            Outcome::Open,
            "the file's type is not known, so the manifest is not validated",
        );
    };
    if !Reader::supported_mime_types().contains(&format) {
        let detail = format!("the manifest is not validated: that cannot be done with {format}");
        return Check::new(ABOUT, Outcome::Open, detail);
    }
    let stream = match File::open(file) {
        Ok(file) => BufReader::new(file),
        Err(error) => return Check::failed(ABOUT, &error),
    };
    let read = Context::new().with_settings(SETTINGS).and_then(|context| {
        Reader::from_context(context).with_manifest_data_and_stream(manifest, &format, stream)
    });
    match read {
        Ok(reader) => judge(&reader),
        Err(error) => Check::failed(ABOUT, &format!("the C2PA manifest does not validate: {error}")),
    }
}

fn judge(reader: &Reader) -> Check {
    let state = reader.validation_state();
    if state != ValidationState::Invalid {
        let detail = "the C2PA manifest is valid for this file; who signed it is not judged";
        return Check::new(ABOUT, Outcome::Holds, detail);
    }
    let failures =
        reader.validation_status().unwrap_or_default().iter().map(|status| match status.explanation() {
            Some(explanation) => format!("{} ({explanation})", status.code()),
            None => status.code().to_owned(),
        });
    let failures: Vec<String> = failures.collect();
    Check::new(ABOUT, Outcome::Fails, format!("the C2PA manifest is not valid: {}", failures.join("; ")))
}
