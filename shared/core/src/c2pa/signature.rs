//! The signature over the active manifest's claim: a COSE_Sign1 structure (RFC 9052, section 4.2) whose payload, the
//! claim, is detached (C2PA 2.x, section 13.2).
//!
//! In scope: finding the claim and its signature, the certificates that come with it, the bytes that were signed, and a
//! check that the assertions are those that the claim names. Out of scope: verifying the signature, and trust in its
//! signer. A signature with anything odd about it counts as no signature.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::boxes::{self, Superbox};
use super::{ASSERTION_STORE, CLAIM_LABELS, STORE, active};
use crate::bounds::{
    MAX_C2PA_MANIFEST_BYTES, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_COSE_SIGNATURE_BYTES,
};
use crate::cbor::Item;

/// The label of the box that holds the signature.
const SIGNATURE_LABEL: &str = "c2pa.signature";

/// The tag of a COSE_Sign1 structure (RFC 9052, section 2).
const COSE_SIGN1: u64 = 18;

/// Labels of COSE headers (RFC 9052, section 3.1; RFC 9360, section 2).
const ALGORITHM: i128 = 1;
const CRITICAL: i128 = 2;
const X5CHAIN: i128 = 33;
/// The label used in place of [`X5CHAIN`] in signatures of C2PA 1.x.
const X5CHAIN_TEXT: &str = "x5chain";

/// The algorithms that C2PA allows (C2PA 2.x, section 13.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with SHA-256.
    Es256,
    /// ECDSA with SHA-384.
    Es384,
    /// ECDSA with SHA-512.
    Es512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// Ed25519.
    Ed25519,
}

impl Algorithm {
    /// Returns the algorithm with this number (RFC 9053, sections 2.1 and 2.2; RFC 8230, section 2; RFC 9864, section
    /// 2.2).
    const fn of(number: i128) -> Option<Self> {
        Some(match number {
            -7 => Self::Es256,
            -35 => Self::Es384,
            -36 => Self::Es512,
            -37 => Self::Ps256,
            -38 => Self::Ps384,
            -39 => Self::Ps512,
            -8 | -19 => Self::Ed25519,
            _ => return None,
        })
    }
}

/// The signature of the active manifest, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    /// The algorithm that the signature names.
    pub algorithm: Algorithm,
    /// The certificates that come with the signature, in DER: the signer's, and those between it and a trust anchor.
    /// There is at least one.
    pub certificates: Vec<Cow<'a, [u8]>>,
    /// The value of the signature. For ECDSA, r and s are concatenated (RFC 9053, section 2.1).
    pub value: Cow<'a, [u8]>,
    protected: Cow<'a, [u8]>,
    claim: &'a [u8],
}

impl<'a> Signature<'a> {
    /// Reads the signature of the active manifest of a store whose assertions are all named by the claim, with their
    /// digests. Returns `None` if there is no signature, or if anything about it is odd or over a bound.
    #[must_use]
    pub fn read(store: &'a [u8]) -> Option<Self> {
        if store.len() > MAX_C2PA_MANIFEST_BYTES || boxes::check(store).is_err() {
            return None;
        }
        let (store, _) = Superbox::read(store).filter(|(store, _)| *store.uuid == STORE)?;
        let manifest = active(&store)?;
        let is_claim = |child: &Superbox<'_>| child.label.is_some_and(|label| CLAIM_LABELS.contains(&label));
        let claim = only(manifest.superboxes().filter(is_claim))?.cbor_bytes()?;
        let signature = only(manifest.superboxes().filter(|child| child.label == Some(SIGNATURE_LABEL)))?;
        let signature = Self::of(claim, whole(signature.cbor_bytes()?)?)?;
        names_its_assertions(whole(claim)?, &manifest)?.then_some(signature)
    }

    /// Reads a COSE_Sign1 structure: protected and unprotected headers, no payload, the signature.
    fn of(claim: &'a [u8], item: Item<'a>) -> Option<Self> {
        let mut parts = item.tagged(COSE_SIGN1).unwrap_or(item).elements()?;
        let (protected, unprotected) = (parts.next()?.bytes()?, parts.next()?);
        let (payload, value) = (parts.next()?, parts.next()?.bytes()?);
        if parts.next().is_some() || !payload.is_null() || value.len() > MAX_COSE_SIGNATURE_BYTES {
            return None;
        }
        let headers = Headers::of(whole(&protected)?)?;
        // A header that must be understood is not one of those read here (RFC 9052, section 3.1).
        if headers.is_critical {
            return None;
        }
        let certificates = match (headers.chain.map(chain), Headers::of(unprotected)?.chain) {
            // The protected headers may be a copy, from which nothing can be borrowed.
            (Some(chain), None) => {
                chain?.into_iter().map(|certificate| Cow::Owned(certificate.into_owned())).collect()
            }
            (None, Some(item)) => chain(item)?,
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let algorithm = headers.algorithm?;
        Some(Self { algorithm, certificates, value, protected, claim })
    }

    /// Returns the bytes that were signed: the `Sig_structure` of the headers and the claim (RFC 9052, section 4.4).
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.claim.len() + self.protected.len() + 32);
        // An array of four: the context, the protected headers, no external data, the payload.
        bytes.extend_from_slice(b"\x84\x6aSignature1");
        push_byte_string(&mut bytes, &self.protected);
        push_byte_string(&mut bytes, &[]);
        push_byte_string(&mut bytes, self.claim);
        bytes
    }
}

/// The headers of a COSE structure that matter here.
#[derive(Default)]
struct Headers<'a> {
    algorithm: Option<Algorithm>,
    chain: Option<Item<'a>>,
    is_critical: bool,
}

impl<'a> Headers<'a> {
    /// Reads a map of headers. Returns `None` if `item` is not a map, or if a header occurs twice or cannot be read.
    fn of(item: Item<'a>) -> Option<Self> {
        let mut headers = Self::default();
        for (label, value) in item.entries()? {
            match label.integer() {
                Some(ALGORITHM) => {
                    let algorithm = Algorithm::of(value.integer()?)?;
                    if headers.algorithm.replace(algorithm).is_some() {
                        return None;
                    }
                }
                Some(CRITICAL) => headers.is_critical = true,
                Some(label) if label != X5CHAIN => {}
                // The chain may be under either label, but not under both.
                Some(_) => set(&mut headers.chain, value)?,
                None if label.is_text(X5CHAIN_TEXT) => {
                    set(&mut headers.chain, value)?;
                }
                None => {}
            }
        }
        Some(headers)
    }
}

fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// Returns the certificates of an `x5chain` header, which holds one or an array of them (RFC 9360, section 2).
fn chain(item: Item<'_>) -> Option<Vec<Cow<'_, [u8]>>> {
    let fits = |certificate: &Cow<'_, [u8]>| certificate.len() <= MAX_CERTIFICATE_BYTES;
    if let Some(certificate) = item.bytes() {
        return Some(vec![certificate]).filter(|chain| chain.iter().all(fits));
    }
    let mut certificates = Vec::new();
    for element in item.elements()? {
        if certificates.len() == MAX_CERTIFICATES {
            return None;
        }
        certificates.push(element.bytes().filter(fits)?);
    }
    Some(certificates).filter(|chain| !chain.is_empty())
}

/// Returns `true` if the claim names each assertion of its manifest once, with its digest, and names no other.
fn names_its_assertions(claim: Item<'_>, manifest: &Superbox<'_>) -> Option<bool> {
    let mut assertions = BTreeMap::new();
    for assertion in manifest.child(ASSERTION_STORE)?.superboxes() {
        if assertions.insert(assertion.label?, assertion).is_some() {
            return None;
        }
    }
    let [claimed, created, gathered, default] =
        claim.members(["assertions", "created_assertions", "gathered_assertions", "alg"])?;
    for reference in [claimed, created, gathered].into_iter().flatten().filter_map(Item::elements).flatten() {
        let [url, algorithm, hash] = reference.members(["url", "alg", "hash"])?;
        let url = url?.text()?;
        // Each assertion is hashed once: a second reference to it no longer finds it.
        let assertion = assertions.remove(url.rsplit('/').next()?)?;
        let algorithm = algorithm.or(default).map_or(Some("sha256".into()), Item::text)?;
        let digest = match &*algorithm {
            "sha256" => Sha256::digest(assertion.payload()).to_vec(),
            "sha384" => Sha384::digest(assertion.payload()).to_vec(),
            "sha512" => Sha512::digest(assertion.payload()).to_vec(),
            _ => return None,
        };
        if *hash?.bytes()? != *digest {
            return Some(false);
        }
    }
    Some(assertions.is_empty())
}

/// Returns the item that takes up all of `bytes`.
fn whole(bytes: &[u8]) -> Option<Item<'_>> {
    Item::read(bytes).filter(|(_, rest)| rest.is_empty()).map(|(item, _)| item)
}

/// Returns the only element of `things`, or `None` if there are none or several.
fn only<T>(mut things: impl Iterator<Item = T>) -> Option<T> {
    things.next().filter(|_| things.next().is_none())
}

/// Appends a byte string with the shortest encoding of its length (RFC 8949, section 4.2.1).
fn push_byte_string(bytes: &mut Vec<u8>, content: &[u8]) {
    let length = content.len() as u64;
    let [.., e, f, g, h] = length.to_be_bytes();
    match length {
        0..24 => bytes.push(0x40 | h),
        24..0x100 => bytes.extend([0x58, h]),
        0x100..0x1_0000 => bytes.extend([0x59, g, h]),
        // No store is longer than four bytes of length can express.
        _ => bytes.extend([0x5a, e, f, g, h]),
    }
    bytes.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Digest;
    use crate::testing::{manifest_store, store_of, superbox};

    #[test]
    fn a_store_without_a_signature_has_none() {
        let store = manifest_store("urn:c2pa:x", &Digest::of(b"x"));
        assert_eq!(Signature::read(&store), None);
        assert_eq!(
            Signature::read(&store_of(&[superbox(super::super::MANIFESTS[0], "urn:c2pa:x", &[])])),
            None
        );
        assert_eq!(Signature::read(b""), None);
    }

    #[test]
    fn byte_strings_have_the_shortest_length() {
        for (length, header) in [
            (0, &b"\x40"[..]),
            (23, b"\x57"),
            (24, b"\x58\x18"),
            (255, b"\x58\xff"),
            (256, b"\x59\x01\x00"),
            (65_536, b"\x5a\x00\x01\x00\x00"),
        ] {
            let mut bytes = Vec::new();
            push_byte_string(&mut bytes, &vec![7; length]);
            assert_eq!(bytes.strip_suffix(&*vec![7; length]), Some(header));
        }
    }

    /// Returns a COSE_Sign1 structure with these headers.
    fn structure(protected: &[u8], unprotected: &[u8], rest: &[u8]) -> Vec<u8> {
        let mut bytes = b"\xd2\x84".to_vec();
        push_byte_string(&mut bytes, protected);
        [&bytes, unprotected, rest].concat()
    }

    fn read<'a>(bytes: &'a [u8]) -> Option<Signature<'a>> {
        Signature::of(b"claim", whole(bytes)?)
    }

    #[test]
    fn what_is_odd_is_no_signature() {
        const NOTHING_AND_VALUE: &[u8] = b"\xf6\x41s";
        let good = structure(b"\xa2\x01\x26\x18\x21\x41c", b"\xa0", NOTHING_AND_VALUE);
        let signature = read(&good).unwrap();
        assert_eq!(
            (signature.algorithm, &*signature.certificates),
            (Algorithm::Es256, &[b"c"[..].into()][..])
        );
        assert_eq!(signature.signed_bytes(), b"\x84\x6aSignature1\x47\xa2\x01\x26\x18\x21\x41c\x40\x45claim");
        // The chain in the unprotected headers, as an array, and under its earlier name, without the tag.
        let beside = structure(b"\xa1\x01\x27", b"\xa1\x18\x21\x82\x41c\x41d", NOTHING_AND_VALUE);
        assert_eq!(read(&beside).map(|signature| signature.certificates.len()), Some(2));
        assert_eq!(read(&beside[1..]), read(&beside));
        let earlier = structure(b"\xa1\x01\x27", b"\xa1\x67x5chain\x41c", NOTHING_AND_VALUE);
        assert_eq!(read(&earlier).map(|signature| signature.algorithm), Some(Algorithm::Ed25519));

        for (why, odd) in [
            ("a payload", structure(b"\xa2\x01\x26\x18\x21\x41c", b"\xa0", b"\x41p\x41s")),
            ("a part more", [&b"\x85"[..], &good[2..], b"\x00"].concat()),
            ("a part less", structure(b"\xa2\x01\x26\x18\x21\x41c", b"\xa0", b"\xf6")),
            (
                "an algorithm that C2PA has not",
                structure(b"\xa2\x01\x05\x18\x21\x41c", b"\xa0", NOTHING_AND_VALUE),
            ),
            ("no algorithm", structure(b"\xa1\x18\x21\x41c", b"\xa0", NOTHING_AND_VALUE)),
            ("an unsigned algorithm", structure(b"\xa1\x18\x21\x41c", b"\xa1\x01\x26", NOTHING_AND_VALUE)),
            ("two algorithms", structure(b"\xa3\x01\x26\x01\x26\x18\x21\x41c", b"\xa0", NOTHING_AND_VALUE)),
            ("no certificate", structure(b"\xa1\x01\x26", b"\xa0", NOTHING_AND_VALUE)),
            ("an empty chain", structure(b"\xa2\x01\x26\x18\x21\x80", b"\xa0", NOTHING_AND_VALUE)),
            ("two chains", structure(b"\xa2\x01\x26\x18\x21\x41c", b"\xa1\x18\x21\x41c", NOTHING_AND_VALUE)),
            (
                "a critical header",
                structure(b"\xa3\x01\x26\x02\x81\x07\x18\x21\x41c", b"\xa0", NOTHING_AND_VALUE),
            ),
            ("headers that are no map", structure(b"\x80", b"\xa0", NOTHING_AND_VALUE)),
            (
                "something behind the headers",
                structure(b"\xa2\x01\x26\x18\x21\x41c\x00", b"\xa0", NOTHING_AND_VALUE),
            ),
        ] {
            assert_eq!(read(&odd), None, "{why}");
        }
        let many = [
            &b"\xa2\x01\x26\x18\x21\x98"[..],
            &[MAX_CERTIFICATES as u8 + 1],
            &b"\x41c".repeat(MAX_CERTIFICATES + 1),
        ];
        assert_eq!(
            read(&structure(&many.concat(), b"\xa0", NOTHING_AND_VALUE)),
            None,
            "too many certificates"
        );
    }
}
