//! The function `finalise`: makes files of uploads, and renditions of pictures. It alone has the codecs and, with the feature
//! `sign`, what signs renditions.

use std::process::ExitCode;
use std::sync::Arc;

use credlink_core::bounds::MAX_WHOLE_FILE_BYTES;
use credlink_deployment::configuration::Configuration;
use credlink_deployment::deployment::Finaliser;
use credlink_renderer::{PictureManifests, Pictures};

/// The memory that is left to everything but the bytes of a file, in bytes: the pixels of a picture of 50 megapixels and
/// their smaller copies.
const BESIDE_THE_FILE: u64 = 512_000_000;

/// The copies of a file in the memory of a function that signs: its own, one on the way to the process that reads it, and the one
/// there.
const COPIES_TO_SIGN: u64 = 3;

fn main() -> ExitCode {
    match signing::run_process() {
        Some(ended) => ended,
        None => credlink_lambdas::start::finalise(finaliser, signing::signer),
    }
}

fn finaliser(configuration: &Configuration) -> Result<Finaliser, String> {
    let copies = if configuration.files.signing.is_some() { COPIES_TO_SIGN } else { 1 };
    Pictures::check(&configuration.files.collections, longest(memory(), copies))
        .map_err(|why| format!("CREDLINK_COLLECTIONS cannot be used by this function: {why}"))?;
    configuration.files.check_signer().map_err(|error| error.to_string())?;
    signing::check(configuration)?;
    Ok((Arc::new(Pictures::default()), Arc::new(PictureManifests)))
}

/// Returns the memory of the function in bytes, if it is a function.
fn memory() -> Option<u64> {
    let megabytes = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok()?;
    megabytes.parse::<u64>().ok().map(|megabytes| megabytes.saturating_mul(1_048_576))
}

/// Returns the longest file that a function with so much memory finalises, which has it so many times.
fn longest(memory: Option<u64>, copies: u64) -> u64 {
    let room = memory.unwrap_or(u64::MAX).saturating_sub(BESIDE_THE_FILE);
    MAX_WHOLE_FILE_BYTES.min(room / copies)
}

/// The signer of renditions.
#[cfg(feature = "sign")]
mod signing {
    use credlink_ports::RenditionSigner;
    use credlink_signer::{LazySigner, process};

    use super::*;

    /// Runs the process in which renditions are signed, if this is one, which the function has started.
    pub(super) fn run_process() -> Option<ExitCode> {
        match process::answer_if_asked(std::env::args().skip(1))? {
            Ok(()) => Some(ExitCode::SUCCESS),
            Err(_) => Some(ExitCode::FAILURE),
        }
    }

    /// Accepts every configuration. Certificate and key are tried when something is to be signed.
    pub(super) fn check(_: &Configuration) -> Result<(), String> {
        Ok(())
    }

    /// Returns the signer, if there is a certificate. Its processes end themselves before the function is out of memory.
    pub(super) fn signer(configuration: &Configuration) -> Option<Arc<dyn RenditionSigner>> {
        let signing = configuration.files.signing.clone()?;
        let memory = memory().map_or(u64::MAX, |memory| memory.saturating_sub(BESIDE_THE_FILE));
        Some(Arc::new(LazySigner::new(signing, configuration.limits, memory)))
    }
}

/// The absence of a signer.
#[cfg(not(feature = "sign"))]
mod signing {
    use credlink_deployment::configuration::SIGN_CERTIFICATE;
    use credlink_ports::RenditionSigner;

    use super::*;

    pub(super) fn run_process() -> Option<ExitCode> {
        None
    }

    /// Refuses a certificate, because this function signs nothing.
    pub(super) fn check(configuration: &Configuration) -> Result<(), String> {
        match configuration.files.signing {
            None => Ok(()),
            Some(_) => Err(format!(
                "{SIGN_CERTIFICATE} is set, and this function signs nothing: build it with `--features sign`"
            )),
        }
    }

    pub(super) fn signer(_: &Configuration) -> Option<Arc<dyn RenditionSigner>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_file_follows_from_the_memory() {
        let megabytes = |megabytes: u64| Some(megabytes * 1_048_576);
        assert_eq!(longest(None, 1), MAX_WHOLE_FILE_BYTES);
        assert_eq!(longest(megabytes(10_240), 1), MAX_WHOLE_FILE_BYTES);
        // 1,024 MB have room for a file of the largest built-in collection five times over.
        assert_eq!(longest(megabytes(1_024), 1), 561_741_824);
        assert_eq!(longest(megabytes(1_024), COPIES_TO_SIGN), 187_247_274);
        assert_eq!(longest(megabytes(128), 1), 0);
    }
}
