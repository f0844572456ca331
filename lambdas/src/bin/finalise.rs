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

fn main() -> ExitCode {
    match signing::run_process() {
        Some(ended) => ended,
        None => credlink_lambdas::start::finalise(finaliser, signing::signer),
    }
}

fn finaliser(configuration: &Configuration) -> Result<Finaliser, String> {
    let memory = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|text| text.parse().ok());
    Pictures::check(&configuration.files.collections, longest(memory))
        .map_err(|why| format!("CREDLINK_COLLECTIONS cannot be used by this function: {why}"))?;
    configuration.files.check_signer().map_err(|error| error.to_string())?;
    signing::check(configuration)?;
    Ok((Arc::new(Pictures::default()), Arc::new(PictureManifests)))
}

/// Returns the longest file that a function with so many megabytes of memory finalises, in bytes.
fn longest(memory: Option<u64>) -> u64 {
    let room = memory.map_or(u64::MAX, |megabytes| megabytes.saturating_mul(1_048_576));
    MAX_WHOLE_FILE_BYTES.min(room.saturating_sub(BESIDE_THE_FILE))
}

/// The signer of renditions.
#[cfg(feature = "sign")]
mod signing {
    use credlink_lambdas::start::OpeningSigner;
    use credlink_ports::RenditionSigner;
    use credlink_signer::{IsolatedSigner, process};

    use super::*;

    /// Runs the process in which renditions are signed, if this is one, which the function has started.
    pub(super) fn run_process() -> Option<ExitCode> {
        match process::answer_if_asked(std::env::args().skip(1))? {
            Ok(()) => Some(ExitCode::SUCCESS),
            Err(_) => Some(ExitCode::FAILURE),
        }
    }

    /// Accepts every configuration. Certificate and key are tried when they are opened.
    pub(super) fn check(_: &Configuration) -> Result<(), String> {
        Ok(())
    }

    /// Opens the signer, if there is a certificate.
    pub(super) fn signer(configuration: &Configuration) -> OpeningSigner<'_> {
        Box::pin(async {
            let Some(signing) = &configuration.files.signing else { return Ok(None) };
            let signer = IsolatedSigner::open(signing, configuration.limits).await;
            let signer = signer.map_err(|error| error.to_string())?;
            Ok(Some(Arc::new(signer) as Arc<dyn RenditionSigner>))
        })
    }
}

/// The absence of a signer.
#[cfg(not(feature = "sign"))]
mod signing {
    use std::future::ready;

    use credlink_deployment::configuration::SIGN_CERTIFICATE;
    use credlink_lambdas::start::OpeningSigner;

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

    pub(super) fn signer(_: &Configuration) -> OpeningSigner<'_> {
        Box::pin(ready(Ok(None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_file_follows_from_the_memory() {
        assert_eq!(longest(None), MAX_WHOLE_FILE_BYTES);
        assert_eq!(longest(Some(10_240)), MAX_WHOLE_FILE_BYTES);
        // 1,024 MB have room for a file of the largest built-in collection five times over.
        assert_eq!(longest(Some(1_024)), 561_741_824);
        assert_eq!(longest(Some(128)), 0);
    }
}
