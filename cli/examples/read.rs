//! Reads a picture with the unmodified C2PA reader, which fetches the manifest from the URL in the picture's XMP.
//!
//! `read FILE` prints the reader's report, and ends with 0 if the picture is valid.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use c2pa::{Context, Reader, ValidationState};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(file) = std::env::args().nth(1) else { return Err("usage: read FILE".into()) };
    // The signer of the example is in no list of trusted signers.
    let context = Context::new().with_settings(r#"{ "verify": { "verify_trust": false } }"#)?;
    let reader = Reader::from_context(context).with_file(&file)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{file}: {:?}, manifest {} from {}",
        reader.validation_state(),
        reader.active_label().unwrap_or("?"),
        reader.remote_url().unwrap_or("the file itself")
    )?;
    for status in reader.validation_status().unwrap_or_default() {
        writeln!(out, "  {}: {}", status.code(), status.explanation().unwrap_or_default())?;
    }
    Ok(if reader.validation_state() == ValidationState::Valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
