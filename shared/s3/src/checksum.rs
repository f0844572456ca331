//! The checksum in an answer to `HEAD`, if it covers all stored bytes.
//!
//! S3 holds the checksum that an upload named, or otherwise CRC-64/NVME (S3 User Guide, "Checking object integrity").
//! R2 holds the one that an upload named, if R2 knows its kind, and otherwise none. A checksum of parts, which ends
//! with `-` and their number or is reported as `COMPOSITE`, is not one of the bytes.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumType;
use credlink_core::hash::Digest;
use credlink_ports::Checksum;
use data_encoding::BASE64;

/// Returns the checksum of all stored bytes that an answer names, with SHA-256 preferred to CRC-64/NVME.
pub(super) fn checksum(output: &HeadObjectOutput) -> Option<Checksum> {
    if output.checksum_type() == Some(&ChecksumType::Composite) {
        return None;
    }
    let sha256 = output.checksum_sha256().and_then(bytes).map(Digest::from_bytes).map(Checksum::Sha256);
    let crc =
        || output.checksum_crc64_nvme().and_then(bytes).map(u64::from_be_bytes).map(Checksum::Crc64Nvme);
    sha256.or_else(crc)
}

/// Decodes the bytes of a checksum. A text that ends with a number of parts is not base64.
fn bytes<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    BASE64.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_checksums_of_all_bytes_count() {
        let digest = Digest::of(b"x");
        let sha256 = BASE64.encode(digest.as_bytes());
        let crc = BASE64.encode(&7_u64.to_be_bytes());
        let head = HeadObjectOutput::builder;
        let whole = head().checksum_sha256(&sha256).checksum_crc64_nvme(&crc).build();
        assert_eq!(checksum(&whole), Some(Checksum::Sha256(digest)));
        let said = head().checksum_crc64_nvme(&crc).checksum_type(ChecksumType::FullObject).build();
        assert_eq!(checksum(&said), Some(Checksum::Crc64Nvme(7)));
        for none in [
            head().build(),
            head().checksum_crc32("AAAAAA==").build(),
            head().checksum_sha256(format!("{sha256}-3")).build(),
            head().checksum_sha256(&sha256).checksum_type(ChecksumType::Composite).build(),
            head().checksum_sha256("nonsense").build(),
            head().checksum_sha256(&crc).build(),
        ] {
            assert_eq!(checksum(&none), None, "{none:?}");
        }
    }
}
