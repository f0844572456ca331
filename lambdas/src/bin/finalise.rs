//! The function `finalise`: makes files of uploads, and renditions of pictures. It alone has the codecs.

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
    credlink_lambdas::start::finalise(finaliser)
}

fn finaliser(configuration: &Configuration) -> Result<Finaliser, String> {
    let memory = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|text| text.parse().ok());
    Pictures::check(&configuration.files.collections, longest(memory))
        .map_err(|why| format!("CREDLINK_COLLECTIONS cannot be used by this function: {why}"))?;
    Ok((Arc::new(Pictures::default()), Arc::new(PictureManifests)))
}

/// Returns the longest file that a function with so many megabytes of memory finalises, in bytes.
fn longest(memory: Option<u64>) -> u64 {
    let room = memory.map_or(u64::MAX, |megabytes| megabytes.saturating_mul(1_048_576));
    MAX_WHOLE_FILE_BYTES.min(room.saturating_sub(BESIDE_THE_FILE))
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
