//! A key in AWS KMS that signs the manifests of renditions. It never leaves KMS.
//!
//! **In scope:** the request for a signature, and the form that manifests want it in. **Out of scope:** certificates and
//! manifests (`credlink-signing`), and the choice of a key, which is up to the configuration.
//!
//! Every signature is one request, of the action `kms:Sign`. The SDK retries transient failures: a claim may then be signed
//! twice, and one of the signatures counts.

use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{Builder, Config};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use credlink_aws::{Error, ErrorKind, Limits};
use credlink_signing::{Certificates, ClaimSigner, SigningClaim};
use sha2::{Digest as _, Sha256};
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode as _, Reader, SliceReader};

/// The name by which operators know KMS.
const NAME: &str = "kms";

/// The length of each of the two numbers of a signature of P-256, in bytes.
const NUMBER_BYTES: usize = 32;

/// A key of P-256 in KMS (`ECC_NIST_P256`, for `SIGN_VERIFY`).
pub struct KmsSigner {
    client: Client,
    key: String,
    certificates: Certificates,
    limits: Limits,
}

impl fmt::Debug for KmsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsSigner").field("key", &self.key).finish_non_exhaustive()
    }
}

impl KmsSigner {
    /// Creates a client of the key with the ARN `key`, of which there are `certificates` of P-256. Nothing is sent.
    #[must_use]
    pub fn new(config: &SdkConfig, key: String, certificates: Certificates, limits: Limits) -> Self {
        let config = Builder::from(config).retry_config(limits.retry()).timeout_config(limits.timeouts());
        Self { client: Client::from_conf(config.build()), key, certificates, limits }
    }

    async fn signed(&self, claim: &[u8]) -> Result<Vec<u8>, Error> {
        // A claim that is sent itself could have at most 4,096 bytes.
        let digest = Sha256::digest(claim);
        let request = self.client.sign().key_id(&self.key).message(Blob::new(digest.to_vec()));
        let request =
            request.message_type(MessageType::Digest).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        let timed = Config::builder().timeout_config(self.limits.timeouts());
        let answer = request.customize().config_override(timed).send().await;
        let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
        let signature = answer.signature().map(Blob::as_ref).and_then(numbers);
        signature.ok_or_else(|| Error::new(NAME, ErrorKind::Damaged, "the answer has no signature of P-256"))
    }
}

impl ClaimSigner for KmsSigner {
    fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    fn sign<'a>(&'a self, claim: &'a [u8]) -> SigningClaim<'a> {
        Box::pin(async move { self.signed(claim).await.map_err(Into::into) })
    }
}

/// Returns the two numbers of an ECDSA signature side by side, as COSE wants them (RFC 9053, section 2.1). KMS gives them in
/// DER (RFC 3279, section 2.2.3), without leading zeros.
fn numbers(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    let read = reader.sequence(|inner| Ok((UintRef::decode(inner)?, UintRef::decode(inner)?)));
    let (r, s) = read.ok()?;
    reader.finish(()).ok()?;
    let mut signature = Vec::with_capacity(2 * NUMBER_BYTES);
    for number in [r.as_bytes(), s.as_bytes()] {
        let zeros = NUMBER_BYTES.checked_sub(number.len())?;
        signature.resize(signature.len() + zeros, 0);
        signature.extend_from_slice(number);
    }
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_and_stand_side_by_side() {
        // A first bit that is set costs DER a zero, and zeros at the beginning are left out.
        let mut der = vec![0x30, 0x26, 0x02, 0x21, 0x00, 0x80];
        der.extend([1; 31]);
        der.extend([0x02, 0x01, 0x05]);
        let mut expected = vec![0x80];
        expected.extend([1; 31]);
        expected.extend([0; 31]);
        expected.push(5);
        assert_eq!(numbers(&der), Some(expected));
    }

    #[test]
    fn what_is_no_signature_of_p_256_is_refused() {
        let mut long = vec![0x30, 0x26, 0x02, 0x21, 0x01];
        long.extend([1; 32]);
        long.extend([0x02, 0x01, 0x05]);
        for der in
            [&b""[..], b"\x30\x00", b"\x30\x03\x02\x01\x05", b"\x30\x06\x02\x01\x05\x02\x01\x05\x00", &long]
        {
            assert_eq!(numbers(der), None, "{der:?}");
        }
    }
}
