//! Arbitrary CBOR in well-formed boxes: the claim's length in one byte, the claim, and its hard binding.
//!
//! The mutations of `c2pa_store` seldom get past the lengths of nested boxes; here the boxes are built around them.

#![no_main]

use credlink_core::c2pa::signature::Signature;
use credlink_core::c2pa::{Binding, ManifestStore};
use credlink_core::cbor::Item;
use credlink_core::testing::{data_box, store_of, superbox};
use libfuzzer_sys::fuzz_target;

const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

fuzz_target!(|bytes: &[u8]| {
    let Some((length, content)) = bytes.split_first() else { return };
    let (claim, assertion) = content.split_at(usize::from(*length).min(content.len()));
    let boxed = |kind, label, cbor| superbox(uuid(kind), label, &[data_box(*b"cbor", cbor)]);
    let assertions =
        superbox(uuid(*b"c2as"), "c2pa.assertions", &[boxed(*b"cbor", "c2pa.hash.data", assertion)]);
    let manifest = superbox(uuid(*b"c2ma"), ID, &[assertions, boxed(*b"c2cl", "c2pa.claim.v2", claim)]);

    // A damaged claim never leaves a manifest without an ID: to judge the rest is the task of a validator.
    let bytes = store_of(&[manifest]);
    let store = ManifestStore::parse(&bytes).expect("the boxes are well formed");
    assert_eq!(store.active.as_str(), ID);
    assert_eq!(Signature::read(&bytes), None, "nothing signs it");
    match store.binding {
        Binding::None => {}
        Binding::Partial(label) => assert_eq!(label, "c2pa.hash.data", "the only assertion there is"),
        Binding::WholeFile(digest) => {
            let (assertion, _) = Item::read(assertion).expect("what binds is CBOR");
            let [hash] = assertion.members(["hash"]).expect("what binds is a map that names its hash once");
            assert_eq!(
                hash.and_then(Item::bytes).as_deref(),
                Some(&digest.as_bytes()[..]),
                "the digest is the assertion's"
            );
            let (claim, _) = Item::read(claim).expect("what lists an assertion is CBOR");
            assert!(claim.entries().is_some(), "what lists an assertion is a map");
        }
    }
});

const fn uuid([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [a, b, c, d, 0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71]
}
