//! The signer of a manifest: manifests that c2pa-rs signed with keys of every kind, against lists of signers.
//!
//! The certificates are those of `vectors/signers`: valid from 2020 to 2120, all but one from the same authority (one
//! through an intermediate), and one from an authority that no list contains.

use std::io::Cursor;

use c2pa::{Builder, Context, EphemeralSigner, Signer, SigningAlg, create_signer};
use credlink_auth::signers::ListedSigners;
use credlink_core::c2pa::signature::Signature;
use credlink_core::hash::Digest;
use credlink_core::tenant::Tenant;
use credlink_core::testing::{manifest_store, store_of};
use credlink_core::time::Timestamp;
use credlink_ports::{NoSigners, Signers};
use serde_json::json;

use crate::reader::PICTURES;

/// The certificates and keys of a name.
macro_rules! vectors {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../vectors/signers/", $name, ".pem")), include_bytes!(concat!("../vectors/signers/", $name, ".key")))),*]
    };
}
const KEYS: &[(&str, &[u8], &[u8])] = vectors!("es256" "es384" "es512" "rsa" "ed25519" "other-es256");
const AUTHORITY: &str = include_str!("../vectors/signers/authority.pem");
const OTHER: &str = include_str!("../vectors/signers/other.pem");

/// Every algorithm, with a key that fits it.
const ALGORITHMS: [(SigningAlg, &str); 7] = [
    (SigningAlg::Es256, "es256"),
    (SigningAlg::Es384, "es384"),
    (SigningAlg::Es512, "es512"),
    (SigningAlg::Ps256, "rsa"),
    (SigningAlg::Ps384, "rsa"),
    (SigningAlg::Ps512, "rsa"),
    (SigningAlg::Ed25519, "ed25519"),
];

/// A manifest that `signer` signed.
fn signed_by(signer: &dyn Signer) -> Vec<u8> {
    let definition = json!({
        "claim_generator_info": [{ "name": "credlink-test", "version": "1" }],
        "assertions": [{ "label": "c2pa.actions", "data": { "actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
        }] } }]
    });
    // A test may sign a manifest badly on purpose.
    let context = Context::new().with_settings(r#"{"verify":{"verify_after_sign":false}}"#).unwrap();
    let mut builder = Builder::from_context(context).with_definition(definition).unwrap();
    builder.set_no_embed(true);
    let (format, picture) = PICTURES[0];
    builder.sign(signer, format, &mut Cursor::new(picture), &mut Cursor::new(Vec::new())).unwrap()
}

fn signed(algorithm: SigningAlg, name: &str) -> Vec<u8> {
    let (_, certificates, key) = KEYS.iter().find(|(known, ..)| *known == name).unwrap();
    signed_by(&*create_signer::from_keys(certificates, key, algorithm, None).unwrap())
}

/// The listed signers of one tenant, `acme`.
fn listed(certificates: &[String], anchors: &[&str]) -> ListedSigners {
    let list = json!({ "tenants": { "acme": { "certificates": certificates, "anchors": anchors } } });
    ListedSigners::parse(&list.to_string()).unwrap()
}

/// The list entry for the certificate with which a manifest was signed.
fn certificate(manifest: &[u8]) -> String {
    format!("sha256:{}", Digest::of(&Signature::read(manifest).unwrap().certificates[0]))
}

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

fn at(year: u32) -> Timestamp {
    format!("{year}-06-01T00:00:00Z").parse().unwrap()
}

#[test]
fn signatures_of_every_algorithm_are_known_by_certificate_and_by_anchor() {
    for (algorithm, name) in ALGORITHMS {
        let manifest = signed(algorithm, name);
        let own = certificate(&manifest);
        for signers in [listed(&[own], &[]), listed(&[], &[OTHER, AUTHORITY])] {
            assert!(signers.signed_by(&acme(), &manifest, at(2030)), "{algorithm}");
            for year in [2019, 2121] {
                assert!(!signers.signed_by(&acme(), &manifest, at(year)), "{algorithm} in {year}");
            }
            assert!(!signers.signed_by(&Tenant::default(), &manifest, at(2030)), "the list is acme's");
        }
        assert!(
            !listed(&[], &[OTHER]).signed_by(&acme(), &manifest, at(2030)),
            "{algorithm}: another authority"
        );
        assert!(!listed(&[], &[]).signed_by(&acme(), &manifest, at(2030)), "{algorithm}: nobody is listed");
        assert!(!NoSigners.signed_by(&acme(), &manifest, at(2030)));
    }
}

#[test]
fn another_certificate_is_another_signer() {
    let (ours, theirs) = (signed(SigningAlg::Es256, "es256"), signed(SigningAlg::Es256, "other-es256"));
    let signers = listed(&[certificate(&ours)], &[AUTHORITY]);
    assert!(signers.signed_by(&acme(), &ours, at(2030)));
    assert!(!signers.signed_by(&acme(), &theirs, at(2030)));
    assert!(listed(&[certificate(&theirs)], &[AUTHORITY]).signed_by(&acme(), &theirs, at(2030)));
}

#[test]
fn an_anchor_that_comes_with_the_signature_is_trusted_if_it_is_listed() {
    let signer = EphemeralSigner::new("credlink-test").unwrap();
    let manifest = signed_by(&signer);
    let now = Timestamp::from_milliseconds(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64,
    );
    let authority = Signature::read(&manifest).unwrap().certificates[1].to_vec();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        data_encoding::BASE64.encode(&authority)
    );
    assert!(listed(&[], &[&pem]).signed_by(&acme(), &manifest, now));
    assert!(!listed(&[], &[AUTHORITY]).signed_by(&acme(), &manifest, now));
    assert!(listed(&[certificate(&manifest)], &[]).signed_by(&acme(), &manifest, now));
}

#[test]
fn what_was_changed_after_it_was_signed_is_nobodys() {
    let manifest = signed(SigningAlg::Es256, "es256");
    let signers = listed(&[certificate(&manifest)], &[AUTHORITY]);
    let find = |text: &[u8]| manifest.windows(text.len()).position(|window| window == text).unwrap();
    let signature = Signature::read(&manifest).unwrap().value.into_owned();
    for (what, place) in [
        ("the claim", find(b"credlink-test")),
        ("an assertion", find(b"digitalCreation")),
        ("the signature", find(&signature)),
        ("the certificate", find(b"CredLink tests")),
    ] {
        let mut changed = manifest.clone();
        changed[place + 3] ^= 1;
        assert!(!signers.signed_by(&acme(), &changed, at(2030)), "{what}");
    }
    let padded = [manifest.as_slice(), &[0; 9]].concat();
    assert!(signers.signed_by(&acme(), &padded, at(2030)), "what stands behind the store is not signed");
}

#[test]
fn every_cut_and_every_flipped_bit_is_nobodys_or_harmless() {
    let manifest = signed(SigningAlg::Ed25519, "ed25519");
    let signers = listed(&[certificate(&manifest)], &[AUTHORITY]);
    let stride = manifest.len() / 400 + 1;
    for place in (0..manifest.len()).step_by(stride) {
        assert!(!signers.signed_by(&acme(), &manifest[..place], at(2030)), "cut at {place}");
        let mut flipped = manifest.clone();
        flipped[place] ^= 0x10;
        // Labels and the padding of the signature are not signed. No odd input panics.
        let _ = signers.signed_by(&acme(), &flipped, at(2030));
    }
}

#[test]
fn what_is_not_signed_is_nobodys() {
    let manifest = signed(SigningAlg::Es256, "es256");
    let signers = listed(&[certificate(&manifest)], &[AUTHORITY]);
    let unsigned = manifest_store("urn:c2pa:x", &Digest::of(b"x"));
    // The active manifest is the last one, and a signed manifest before it proves nothing.
    let inner = |store: &[u8]| {
        store[store.windows(4).skip(8).position(|kind| kind == b"jumb").unwrap() + 4..].to_vec()
    };
    let beside = store_of(&[inner(&manifest), inner(&unsigned)]);
    for bytes in [&unsigned[..], &beside, b"", b"{}"] {
        assert!(!signers.signed_by(&acme(), bytes, at(2030)));
    }
    assert!(signers.signed_by(&acme(), &store_of(&[inner(&unsigned), inner(&manifest)]), at(2030)));
}
