//! Certificates for tests, which are made when they run.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use x509_cert::der::asn1::{Any, BitString, GeneralizedTime, ObjectIdentifier, OctetString};
use x509_cert::der::{Encode, Tag};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate, Version};

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// The purpose of protecting email.
pub(crate) const EMAIL: &str = "1.3.6.1.5.5.7.3.4";

/// A certificate that is to be made.
pub(crate) struct Wanted {
    pub(crate) subject: &'static str,
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) is_authority: bool,
    pub(crate) purposes: Vec<&'static str>,
    pub(crate) usage: KeyUsages,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            subject: "CN=signer,O=CredLink tests",
            from: 946_684_800,
            until: 4_102_444_800,
            is_authority: false,
            purposes: vec![EMAIL],
            usage: KeyUsages::DigitalSignature,
        }
    }
}

/// Returns a certificate of P-256 and its key, in PEM. It is signed by an authority that exists for this certificate alone.
pub(crate) fn made(wanted: &Wanted) -> (String, String) {
    let random = SystemRandom::new();
    let pair = || {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random).unwrap();
        (pair, key.as_ref().to_vec())
    };
    let ((own, key), (authority, _)) = (pair(), pair());
    let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_SHA256, parameters: None };
    let time = |seconds| {
        Time::GeneralTime(GeneralizedTime::from_unix_duration(Duration::from_secs(seconds)).unwrap())
    };
    let extension = |oid: &str, value: Vec<u8>| Extension {
        extn_id: oid.parse().unwrap(),
        critical: matches!(oid, "2.5.29.19" | "2.5.29.15"),
        extn_value: OctetString::new(value).unwrap(),
    };
    let mut extensions = vec![
        extension(
            "2.5.29.19",
            BasicConstraints { ca: wanted.is_authority, path_len_constraint: None }.to_der().unwrap(),
        ),
        extension("2.5.29.15", KeyUsage(wanted.usage.into()).to_der().unwrap()),
        extension(
            "2.5.29.35",
            AuthorityKeyIdentifier {
                key_identifier: Some(OctetString::new(vec![7; 20]).unwrap()),
                authority_cert_issuer: None,
                authority_cert_serial_number: None,
            }
            .to_der()
            .unwrap(),
        ),
    ];
    if !wanted.purposes.is_empty() {
        let purposes = wanted.purposes.iter().map(|purpose| purpose.parse().unwrap()).collect();
        extensions.push(extension("2.5.29.37", ExtendedKeyUsage(purposes).to_der().unwrap()));
    }
    let curve = P256.to_der().unwrap();
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&[1]).unwrap(),
        signature: algorithm.clone(),
        issuer: "CN=authority,O=CredLink tests".parse().unwrap(),
        validity: Validity { not_before: time(wanted.from), not_after: time(wanted.until) },
        subject: wanted.subject.parse().unwrap(),
        subject_public_key_info: SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned {
                oid: EC,
                // The value of an identifier follows its tag and its length of one byte.
                parameters: Some(Any::new(Tag::ObjectIdentifier, &curve[2..]).unwrap()),
            },
            subject_public_key: BitString::from_bytes(own.public_key().as_ref()).unwrap(),
        },
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    };
    let signature = authority.sign(&random, &tbs_certificate.to_der().unwrap()).unwrap();
    let certificate = Certificate {
        tbs_certificate,
        signature_algorithm: algorithm,
        signature: BitString::from_bytes(signature.as_ref()).unwrap(),
    };
    (pem("CERTIFICATE", &certificate.to_der().unwrap()), pem("PRIVATE KEY", &key))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
